/** Commands that change what is wanted of a fleet, and follow it until it is so. */
import { readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { text as readAll } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import { parse as parseYaml } from 'yaml';
import type { Cloudname } from '../cloudname/cloudname.ts';
import { Coordinate } from '../cloudname/coordinate.ts';
import { CloudnameError, isCloudnameError } from '../cloudname/errors.ts';
import {
  type FleetFile,
  type FleetName,
  type FleetState,
  fleetCoordinate,
  fleetFile,
  type KeptService,
  type Outcome,
  parseFleetState,
  problemsOf,
  wantedOf,
} from './fleet.ts';
import { viewsOf } from './fleet-seen.ts';
import { seeHosts } from './hosts.ts';
import type { HostView } from './placement.ts';
import { type Change, planOf, renderPlan } from './plan.ts';
import { nextStep, TO_BE_REMOVED, WAITS_FOR_TURN } from './rollout.ts';
import { problemOfSize } from './sizes.ts';
import { EXIT, type Flags, type Fleet, type FleetCommand, type Make, messageOf, print, tell } from './tool-parts.ts';

const FILE_BYTES_MAX = 1_000_000;
const LOOK_MS = 300;
const WAIT_SECONDS = 600;
const TRIES_MAX = 5;
const WRONG = 'The fleet is described wrongly; nothing was changed.';

/** @param actor Who is said to have changed it. */
export function fleetCommands(make: Make, actor: () => string): FleetCommand[] {
  const following = (usage: string, about: string) =>
    make(usage, about)
      .option('--no-wait', 'end when it is written down, without following it')
      .option('--timeout <seconds>', 'how long it is followed', wholeSeconds, WAIT_SECONDS);
  const kept = ({ cloudname, place }: Fleet) => new KeptFleet(cloudname, place, actor());
  const changing = (usage: string, about: string, change: (names: readonly string[]) => Alteration): FleetCommand => ({
    command: following(usage, about),
    run: (fleet, [names], flags) => alter(kept(fleet), change(names as string[]), flags),
  });
  const about = 'move the fleet to what a file describes (- is standard input), showing the plan first';
  return [
    {
      command: following('apply <file>', about)
        .option('--yes', 'without asking')
        .option('--dry-run', 'show the plan only; exit 1 when something would change'),
      run: async (fleet, [file], flags) => {
        return applyFile(kept(fleet), parseFleetFile(await readFleetFile(file as string)), flags);
      },
    },
    changing('stop <coordinates...>', 'end these, and keep them ended until `start`', stopped(true)),
    changing('start <coordinates...>', 'start what `stop` ended', stopped(false)),
    changing('roll <coordinates...>', 'put a new process in the place of each, one after the other', rolled),
    changing('drain <hosts...>', 'move everything off these hosts, and nothing onto them', drained(true)),
    changing('undrain <hosts...>', 'let these hosts be used again', drained(false)),
  ];
}

type Alteration = (state: FleetState, fleet: FleetName, hosts: readonly HostView[]) => FleetState;

const stopped =
  (isStopped: boolean) =>
  (names: readonly string[]): Alteration =>
  (state, fleet) => {
    const coordinates = known(state, fleet, names);
    const others = state.stopped.filter((each) => !coordinates.includes(each));
    return { ...state, stopped: isStopped ? [...others, ...coordinates] : others };
  };

function rolled(names: readonly string[]): Alteration {
  return (state, fleet) => {
    const next = known(state, fleet, names).map((each) => [each, (state.revisions[each] ?? 0) + 1]);
    return { ...state, revisions: { ...state.revisions, ...Object.fromEntries(next) } };
  };
}

const drained =
  (isDrained: boolean) =>
  (hosts: readonly string[]): Alteration =>
  (state, _, seen) => {
    const known = new Set([...state.drained, ...(isDrained ? namesOf(state, seen) : [])]);
    const unknown = hosts.find((each) => !known.has(each));
    // Whoever drains a host is about to take it down: a slip of the pen must not look like success.
    if (unknown !== undefined) {
      const which = isDrained ? 'known hosts' : 'drained';
      throw new Error(`There is no host ${unknown} here (${which}: ${[...known].sort().join(', ') || 'none'}).`);
    }
    const others = state.drained.filter((each) => !hosts.includes(each));
    return { ...state, drained: isDrained ? [...others, ...hosts] : others };
  };

/** Of hosts that are up, and of those that services name. */
function namesOf({ services }: FleetState, hosts: readonly HostView[]): string[] {
  const up = hosts.flatMap(({ report }) => (report === null ? [] : [report.host]));
  return [...up, ...Object.values(services).flatMap((service) => service.hosts ?? [])];
}

function known(state: FleetState, fleet: FleetName, names: readonly string[]): string[] {
  const wanted = wantedOf(state, fleet);
  return names.map((name) => {
    const coordinate = String(Coordinate.parse(name));
    if (wanted.has(coordinate)) return coordinate;
    throw new CloudnameError('coordinate_missing', `the fleet has no ${coordinate}; see \`kvitt nodee status\``);
  });
}

async function readFleetFile(file: string): Promise<string> {
  if (file === '-') return readAll(process.stdin);
  const { size } = await stat(file);
  if (size > FILE_BYTES_MAX) throw new Error(`${file} has ${size} bytes; a fleet has ${FILE_BYTES_MAX} at most`);
  return readFile(file, 'utf8');
}

/** @throws Error that names everything that is wrong with it */
export function parseFleetFile(text: string): FleetFile {
  const parsed = fleetFile.safeParse(readYaml(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${WRONG}\n${problemsOf(parsed.error)}`);
}

function readYaml(text: string): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    throw new Error(`${WRONG}\n${messageOf(error).trimEnd()}`);
  }
}

/** The fleet that a file describes, in the place of the present one. */
export function described(state: FleetState, { replace_after, services: wanted }: FleetFile): FleetState {
  const services: Record<string, KeptService> = {};
  const previous: Record<string, KeptService> = {};
  const outcomes: Record<string, Outcome> = {};
  for (const [name, definition] of Object.entries(wanted)) {
    const before = state.services[name];
    const hasFailed = state.outcomes[name] !== undefined;
    const revision = hasFailed ? state.generation + 1 : (before?.revision ?? 0);
    const after = { ...definition, revision };
    // What is described as it is stays, also after a change that was rolled back.
    const isSame = before !== undefined && isEqual(before, { ...after, revision: before.revision });
    const isBroken = state.outcomes[name]?.result === 'failed';
    services[name] = isSame && !isBroken ? before : after;
    // A change on the way to another one goes back to before the first, and nothing goes back to what never ran.
    const back = state.previous[name] ?? (isSame || isBroken ? undefined : before);
    if (back !== undefined && !isEqual(back, services[name])) previous[name] = back;
  }
  return { ...state, replace_after, services, previous, outcomes };
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What the fleet is, would be, and what that changes. @throws Error when ZooKeeper or a host could not hold it */
async function propose(fleet: KeptFleet, alteration: Alteration) {
  const { state, version } = await fleet.read();
  const hosts = await fleet.hosts();
  const next = alteration(state, fleet.name, hosts);
  const problem = problemOfSize(next, fleet.name, hosts);
  if (problem !== null) throw new Error(`Nothing was changed: ${problem}`);
  return { state, version, next, changes: planOf(next, fleet.name, hosts) };
}

async function applyFile(fleet: KeptFleet, file: FleetFile, flags: Flags): Promise<number> {
  const { state, version, next, changes } = await propose(fleet, (present) => described(present, file));
  const isSame = isEqual(next, state);
  show(changes, flags);
  if (flags.dryRun) return changes.length === 0 ? EXIT.ok : EXIT.refused;
  if (!isSame) {
    if (!(await isAgreed(flags))) return EXIT.refused;
    await writeAgreed(fleet, next, version);
  }
  return flags.wait ? fleet.follow(flags.timeout!, state.generation + (isSame ? 0 : 1)) : EXIT.ok;
}

/** What was agreed upon is written over nothing else. */
async function writeAgreed(fleet: KeptFleet, next: FleetState, version: number): Promise<void> {
  try {
    await fleet.write(next, version);
  } catch (error) {
    if (!isCloudnameError(error, 'config_conflict')) throw error;
    throw new Error(
      'Nothing was changed: the fleet became another one meanwhile. Apply it again to see what changes now.',
    );
  }
}

function show(changes: readonly Change[], flags: Flags): void {
  print(changes, flags, () => renderPlan(changes));
}

async function isAgreed({ yes }: Flags): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY) throw new Error('Nothing was changed: without a terminal to ask on, it needs --yes.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question('Do this? [y/N] ');
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

async function alter(fleet: KeptFleet, alteration: Alteration, flags: Flags): Promise<number> {
  for (let tries = 1; ; tries++) {
    const { state, version, next, changes } = await propose(fleet, alteration);
    try {
      await fleet.write(next, version);
      show(changes, flags);
      return flags.wait ? await fleet.follow(flags.timeout!, state.generation + 1) : EXIT.ok;
    } catch (error) {
      if (!isCloudnameError(error, 'config_conflict') || tries === TRIES_MAX) throw error;
    }
  }
}

function wholeSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(text);
}

/** A line for each instance of which something else is true than was told last. */
function tellChanges(pending: ReadonlyMap<string, string>, told: Map<string, string>): void {
  for (const [coordinate, why] of pending) {
    // That others wait is told by how many are left.
    if (told.get(coordinate) !== why && why !== WAITS_FOR_TURN) tell(`  ${coordinate} ${why}`);
    told.set(coordinate, why);
  }
  for (const [coordinate, before] of told) {
    if (pending.has(coordinate)) continue;
    told.delete(coordinate);
    const now = before.endsWith(TO_BE_REMOVED) ? 'is gone' : 'is as wanted';
    tell(`  ${coordinate} ${now}${pending.size === 0 ? '' : `; ${pending.size} to go`}`);
  }
}

/** What is kept of a fleet, and what becomes of it. */
class KeptFleet {
  readonly #coordinate: Coordinate;

  constructor(
    readonly cloudname: Cloudname,
    readonly name: FleetName,
    readonly actor: string,
  ) {
    this.#coordinate = fleetCoordinate(name);
  }

  async read(): Promise<{ state: FleetState; version: number }> {
    await this.cloudname.ensure(this.#coordinate);
    const { text, version } = await this.cloudname.getConfig(this.#coordinate);
    return { state: parseFleetState(text), version };
  }

  /** @throws CloudnameError `config_conflict` when somebody else wrote meanwhile */
  async write(state: FleetState, version: number): Promise<void> {
    const by = { generation: state.generation + 1, applied_by: this.actor, applied_at: new Date().toISOString() };
    await this.cloudname.setConfig(this.#coordinate, JSON.stringify({ ...state, ...by }), version);
  }

  async hosts(): Promise<HostView[]> {
    return viewsOf(await seeHosts(this.cloudname, this.name));
  }

  /** Tells what is still to be done each time that it changes. Answers the exit code: of what failed since `generation`. */
  async follow(seconds: number, generation: number): Promise<number> {
    const end = performance.now() + seconds * 1000;
    const told = new Map<string, string>();
    for (;;) {
      const { state } = await this.read();
      const { pending } = nextStep(state, this.name, await this.hosts());
      const failures = Object.keys(state.outcomes).filter((name) => state.outcomes[name]!.generation >= generation);
      tellChanges(pending, told);
      // Until the leader has seen it, too, the next change would go back to before this one.
      const isSeen = Object.keys(state.previous).length === 0;
      if (
        (pending.size === 0 && isSeen) ||
        (failures.length > 0 && this.#isOnlyFailed(state, pending.keys(), failures))
      ) {
        return this.#conclude(state, failures);
      }
      if (performance.now() > end) {
        tell(`It is not done after ${seconds} s, and goes on; see \`kvitt nodee status\`.${await this.#leaderHint()}`);
        return EXIT.refused;
      }
      await sleep(LOOK_MS);
    }
  }

  /** What failed without anything to go back to stays as it is. */
  #isOnlyFailed(state: FleetState, pending: Iterable<string>, failures: readonly string[]): boolean {
    const failed = new Set(failures.filter((service) => state.outcomes[service]!.result === 'failed'));
    return [...pending].every((coordinate) => failed.has(Coordinate.parse(coordinate).service));
  }

  #conclude({ outcomes }: FleetState, failures: readonly string[]): number {
    for (const service of failures) {
      const { result, why } = outcomes[service]!;
      const text = result === 'failed' ? 'is not as wanted' : 'was rolled back to what it was before';
      const [coordinate] = why.split(':', 1);
      tell(`${service} ${text}: ${why}`);
      tell(`  What it wrote: kvitt nodee logs ${coordinate} -n 20`);
    }
    if (failures.length === 0) tell('All is as wanted.');
    return failures.length === 0 ? EXIT.ok : EXIT.refused;
  }

  async #leaderHint(): Promise<string> {
    const status = await this.cloudname.status(this.#coordinate).catch(() => null);
    return status === null ? ' No agent leads the fleet: is one running?' : '';
  }
}
