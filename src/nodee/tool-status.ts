import { setTimeout as sleep } from 'node:timers/promises';
import { clean } from '../resources/text.ts';
import { seeFleet } from './fleet-seen.ts';
import {
  EXIT,
  type Flags,
  type Fleet,
  type FleetCommand,
  isReachable,
  type Make,
  messageOf,
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
  const { code, text } = await statusOf(fleet, flags);
  process.stdout.write(text);
  return code;
}

async function statusOf(fleet: Fleet, { json }: Flags): Promise<{ code: number; text: string }> {
  const now = Date.now();
  const hosts = await fleet.hosts();
  const view = fleetView(hosts, await seeFleet(fleet.cloudname, fleet.place, hosts), now);
  const text = json ? `${JSON.stringify(view, null, 2)}\n` : fleetText(view, now);
  return { code: view.as_wanted && view.hosts.length > 0 ? EXIT.ok : EXIT.refused, text };
}

async function watchStatus(fleet: Fleet, flags: Flags): Promise<number> {
  const ended = untilEnded();
  let code: number = EXIT.refused;
  while (!ended.aborted) {
    // Read before the old one is wiped off, so that it does not flicker.
    const seen = await statusOf(fleet, flags).catch((error: unknown) => {
      return { code: EXIT.refused, text: `${clean(messageOf(error))}; it is looked again\n` };
    });
    code = seen.code;
    process.stdout.write(process.stdout.isTTY && !flags.json ? `${CLEAR}${seen.text}` : seen.text);
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
