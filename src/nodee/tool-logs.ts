import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import { clean } from '../resources/text.ts';
import { AgentError } from './client.ts';
import {
  EXIT,
  type Flags,
  type Fleet,
  type FleetCommand,
  isReachable,
  type Make,
  messageOf,
  nameOf,
  type Reachable,
  say,
  untilEnded,
} from './tool-parts.ts';

/** What a terminal may be told by a log: tabs and colours. */
const ALLOWED = new RegExp(`(\t|${'\x1b'}\\[[\\d;]*m)`);
const COLOURS_END = '\x1b[0m';

/** A line of a log as a terminal may be shown it: it cannot be moved, renamed or cleared. */
export function harmless(line: string): string {
  // Every second part is one that is allowed.
  const parts = line.split(ALLOWED);
  const text = parts.map((part, index) => (index % 2 === 1 ? part : clean(part))).join('');
  return text.includes('\x1b') ? `${text}${COLOURS_END}` : text;
}

/** How often hosts are looked at, for one to which the process has moved. */
const LOOK_MS = 1_000;
/** Read again after a connection was lost, for what was written meanwhile. */
const AGAIN_LINES = 10_000;
const LINES_MAX = 100_000;

export function logCommands(make: Make): FleetCommand[] {
  return [
    {
      command: make('logs <coordinate>', 'what a process writes, on whichever host it is; exit 1 when none has it')
        .option('-f, --follow', 'go on with what it writes, also after it moved, until it is ended')
        .option('-n, --lines <count>', 'the last ones only', lineCount)
        .option('--marks', 'begin each line with its time and out or err'),
      run: (fleet, [coordinate], flags) => runLogs(fleet, coordinate as string, flags),
    },
  ];
}

function lineCount(text: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) <= LINES_MAX) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number up to ${LINES_MAX}.`);
}

async function runLogs(fleet: Fleet, coordinate: string, flags: Flags): Promise<number> {
  const ended = untilEnded();
  const hosts = await hostsOf(fleet, coordinate);
  if (hosts.length === 0) {
    say(`no host that can be reached has ${coordinate}; kvitt nodee status shows what there is`);
    return EXIT.refused;
  }
  if (flags.follow) {
    await followAll(fleet, coordinate, flags, ended);
    return EXIT.ok;
  }
  for (const host of hosts) await new Tail(fleet, coordinate, host, flags, hosts.length > 1).read(false, ended);
  return EXIT.ok;
}

async function hostsOf(fleet: Fleet, coordinate: string): Promise<Reachable[]> {
  return (await fleet.hosts())
    .filter(isReachable)
    .filter(({ report }) => report?.processes.some((process) => process.coordinate === coordinate));
}

/** Each host that has it, or gets it, until this is ended. */
async function followAll(fleet: Fleet, coordinate: string, flags: Flags, ended: AbortSignal): Promise<void> {
  const tails = new Map<string, Tail>();
  const reading = new Map<string, Promise<void>>();
  while (!ended.aborted) {
    const hosts = await hostsOf(fleet, coordinate).catch((error: unknown) => {
      say(`the hosts cannot be seen now: ${messageOf(error)}`);
      return [];
    });
    for (const host of hosts) {
      const { coordinate: agent } = host;
      if (reading.has(agent)) continue;
      const tail = tails.get(agent) ?? new Tail(fleet, coordinate, host, flags, hosts.length > 1 || tails.size > 0);
      tails.set(agent, tail.at(host));
      const read = tail.read(true, ended).catch((error: unknown) => {
        if (!ended.aborted) say(`${nameOf(host)}: ${messageOf(error)}`);
      });
      reading.set(
        agent,
        read.finally(() => reading.delete(agent)),
      );
    }
    await sleep(LOOK_MS, undefined, { signal: ended }).catch(() => undefined);
  }
  await Promise.all(reading.values());
}

/** The log of a process on one host. When it is read again, it goes on after the last line that it had. */
class Tail {
  readonly #fleet: Fleet;
  readonly #coordinate: string;
  readonly #flags: Flags;
  readonly #prefix: string;
  #host: Reachable;
  #isAgain = false;
  /** Of the last line, and the lines that were written at that time. */
  #lastTime = '';
  #lastLines: string[] = [];

  constructor(fleet: Fleet, coordinate: string, host: Reachable, flags: Flags, isOneOfSeveral: boolean) {
    this.#fleet = fleet;
    this.#coordinate = coordinate;
    this.#host = host;
    this.#flags = flags;
    this.#prefix = isOneOfSeveral ? `${nameOf(host)}: ` : '';
  }

  /** Its agent may answer elsewhere than before. */
  at(host: Reachable): this {
    this.#host = host;
    return this;
  }

  /** Resolves when the log has ended or, if it is followed, its agent does. @throws AgentError */
  async read(follow: boolean, ended: AbortSignal): Promise<void> {
    const lines = this.#isAgain ? AGAIN_LINES : this.#flags.lines;
    const asked = { follow, marks: true, ...(lines === undefined ? {} : { lines }) };
    const logs = await this.#fleet.agent(this.#host.address).logs(this.#coordinate, asked);
    const leave = () => logs.destroy();
    ended.addEventListener('abort', leave, { once: true });
    if (ended.aborted) leave();
    const seen = this.#isAgain ? [...this.#lastLines] : [];
    this.#isAgain = true;
    try {
      for await (const line of createInterface({ input: logs })) await this.#show(line, seen);
    } catch (error) {
      if (!ended.aborted) throw new AgentError('unreachable', `its log broke off: ${messageOf(error)}`);
    } finally {
      ended.removeEventListener('abort', leave);
    }
  }

  /** @param seen Lines of the last time seen that were shown before, and come again. */
  async #show(line: string, seen: string[]): Promise<void> {
    const [time = ''] = line.split(' ', 1);
    if (time < this.#lastTime) return;
    if (time === this.#lastTime) {
      const index = seen.indexOf(line);
      if (index >= 0) {
        seen.splice(index, 1);
        return;
      }
      this.#lastLines.push(line);
    } else {
      this.#lastTime = time;
      this.#lastLines = [line];
    }
    const text = this.#flags.marks ? line : line.split(' ').slice(2).join(' ');
    const shown = process.stdout.isTTY ? harmless(text) : text;
    if (process.stdout.write(`${this.#prefix}${shown}\n`)) return;
    await new Promise((resolve) => process.stdout.once('drain', resolve).once('error', resolve));
  }
}
