import { setTimeout as sleep } from 'node:timers/promises';
import {
  EXIT,
  type Flags,
  type Fleet,
  type FleetCommand,
  isReachable,
  type Make,
  nameOf,
  print,
  untilEnded,
} from './tool-parts.ts';
import { fleetText, fleetView } from './view.ts';

const WATCH_MS = 2_000;
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

export function statusCommands(make: Make): FleetCommand[] {
  return [
    {
      command: make('status', 'hosts and processes, wanted and actual; exit 1 when not all is as wanted').option(
        '--watch',
        'show it again and again, until it is ended',
      ),
      run: (fleet, _, flags) => (flags.watch ? watchStatus(fleet, flags) : showStatus(fleet, flags)),
    },
    {
      command: make(
        'restart <coordinate>',
        'end a process and start it again as it is specified, also when it had failed; others of its service run on',
      ),
      run: (fleet, [coordinate], flags) => restart(fleet, coordinate as string, flags),
    },
  ];
}

async function showStatus(fleet: Fleet, flags: Flags): Promise<number> {
  const now = Date.now();
  const view = fleetView(await fleet.hosts(), now);
  print(view, flags, () => fleetText(view, now));
  return view.as_wanted && view.hosts.length > 0 ? EXIT.ok : EXIT.refused;
}

async function watchStatus(fleet: Fleet, flags: Flags): Promise<number> {
  const ended = untilEnded();
  let code: number = EXIT.refused;
  while (!ended.aborted) {
    if (process.stdout.isTTY && !flags.json) process.stdout.write(CLEAR);
    code = await showStatus(fleet, flags);
    await sleep(WATCH_MS, undefined, { signal: ended }).catch(() => undefined);
  }
  return code;
}

async function restart(fleet: Fleet, coordinate: string, flags: Flags): Promise<number> {
  const hosts = (await fleet.hosts()).filter(({ desired, report }) =>
    [desired, report].some((each) => each?.processes.some((process) => process.coordinate === coordinate)),
  );
  const reachable = hosts.filter(isReachable);
  if (reachable.length === 0) {
    const where = hosts.map(nameOf).join(', ');
    throw new Error(where === '' ? `no host has ${coordinate}` : `${coordinate} is on ${where}, whose agent is down`);
  }
  for (const { address } of reachable) await fleet.agent(address).restart(coordinate);
  const names = reachable.map(nameOf);
  print({ coordinate, hosts: names }, flags, () => `restarting ${coordinate} on ${names.join(', ')}\n`);
  return EXIT.ok;
}
