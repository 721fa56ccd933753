/** A host in memory: keepers, artifacts, Cloudname and the machine, all of which do as they are told. */
import { Readable } from 'node:stream';
import { ArtifactError, type ArtifactErrorCode } from '../../../src/artifacts/artifact.ts';
import { openTable } from '../../../src/processes/host-table.ts';
import type { Machine } from '../../../src/processes/machine.ts';
import { bootMs } from '../../../src/processes/proc.ts';
import type { Run, RunEnd, RunPlan, Runs, RunUsage } from '../../../src/processes/run.ts';
import { type ProcessSpec, processSpec } from '../../../src/processes/spec.ts';
import type { ProcessTable } from '../../../src/processes/table.ts';
import type { Announcement } from '../../../src/processes/types.ts';

export const MIB = 2 ** 20;
export const COORDINATE = '1.web.ann.oslo';

/** How programs behave, by their names. */
interface Program {
  /** Ends by itself after so long; null: runs on. */
  readonly endsAfterMs: number | null;
  readonly code?: number;
  readonly isHealthy: boolean;
  readonly heedsTerm: boolean;
}

const RUNS_ON = { endsAfterMs: null, isHealthy: true, heedsTerm: true } as const;
const PROGRAMS: Readonly<Record<string, Program>> = {
  good: RUNS_ON,
  sick: { ...RUNS_ON, isHealthy: false },
  deaf: { ...RUNS_ON, heedsTerm: false },
  crash: { ...RUNS_ON, endsAfterMs: 50, code: 1, isHealthy: false },
  done: { ...RUNS_ON, endsAfterMs: 100, code: 0 },
  broken: { ...RUNS_ON, endsAfterMs: 100, code: 3 },
};

export class FakeRun implements Run {
  readonly startedAt = new Date();
  readonly limits = { memory: 'none' } as const;
  readonly ended: Promise<RunEnd>;
  end: RunEnd | null = null;
  isHealthy: boolean;
  /** When somebody made it healthy or unhealthy last, ms since 1970. */
  flippedAt = 0;
  usageNow: RunUsage | null = { memoryBytes: 10 * MIB, cpuMs: 0, memoryKills: 0 };
  /** For how long it was renewed, each time. */
  readonly renewals: number[] = [];
  /** And how long ago that had begun, ms. */
  readonly renewalAges: number[] = [];
  /** How long ago its first lease had begun, when it was started. */
  readonly leaseAgeMs: number;
  readonly #onEnd: (run: FakeRun) => void;
  readonly #program: Program;
  #resolve!: (end: RunEnd) => void;
  #lease: NodeJS.Timeout | undefined;

  constructor(
    readonly plan: RunPlan,
    readonly pid: number,
    onEnd: (run: FakeRun) => void,
  ) {
    this.#onEnd = onEnd;
    this.leaseAgeMs = bootMs() - (plan.leasedAt ?? bootMs());
    this.#program = PROGRAMS[plan.command[0]!]!;
    this.isHealthy = this.#program.isHealthy;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const { endsAfterMs, code = 0 } = this.#program;
    if (endsAfterMs !== null) setTimeout(() => this.finish({ code, signal: null, why: null }), endsAfterMs);
    if (plan.leaseMs !== null) this.#limit(plan.leaseMs);
  }

  finish(end: Omit<RunEnd, 'at'>): void {
    if (this.end !== null) return;
    clearTimeout(this.#lease);
    this.end = { ...end, at: new Date().toISOString() };
    this.#onEnd(this);
    this.#resolve(this.end);
  }

  stop(graceMs = this.plan.graceMs): Promise<RunEnd> {
    const { heedsTerm } = this.#program;
    setTimeout(
      () => this.finish({ code: null, signal: heedsTerm ? 'SIGTERM' : 'SIGKILL', why: 'stopped' }),
      heedsTerm ? 10 : graceMs,
    );
    return this.ended;
  }

  kill(why: string): Promise<RunEnd> {
    this.finish({ code: null, signal: 'SIGKILL', why });
    return this.ended;
  }

  renew(ms: number, since = bootMs()): void {
    this.renewals.push(ms);
    this.renewalAges.push(bootMs() - since);
    if (this.end === null) this.#limit(ms);
  }

  async usage(): Promise<RunUsage | null> {
    return this.usageNow;
  }

  detach(): void {}

  #limit(ms: number): void {
    clearTimeout(this.#lease);
    this.#lease = setTimeout(() => this.finish({ code: null, signal: 'SIGKILL', why: 'lease' }), ms);
  }
}

/** What keepers know, over the lives of several agents. */
export class FakeRuns implements Runs {
  /** All that were ever started. */
  readonly all: FakeRun[] = [];
  readonly removed: string[] = [];
  /** Called on each start and end. */
  onEvent: (what: 'start' | 'end', run: FakeRun) => void = () => {};
  /** Called when a start is asked for. */
  onAsked: (plan: RunPlan) => void = () => {};
  /** So many starts fail from now on, since there is no keeper. */
  failures = 0;
  #forgotten = new Set<Run>();
  #pids = 1000;

  async start(plan: RunPlan): Promise<Run> {
    this.onAsked(plan);
    await sleep(5);
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('no keeper');
    }
    const run = new FakeRun(plan, this.#pids++, (ended) => this.onEvent('end', ended));
    this.all.push(run);
    this.onEvent('start', run);
    return run;
  }

  async adopt(): Promise<Run[]> {
    return this.kept;
  }

  async forget(run: Run): Promise<void> {
    if (run.end === null) throw new Error('it runs');
    this.#forgotten.add(run);
  }

  async logs(coordinate: string): Promise<Readable> {
    return Readable.from([`log of ${coordinate}\n`]);
  }

  async work(coordinate: string): Promise<string> {
    return `/srv/${coordinate}`;
  }

  async remove(coordinate: string): Promise<void> {
    if (this.kept.some(({ plan }) => plan.coordinate === coordinate)) throw new Error('it has runs');
    this.removed.push(coordinate);
  }

  /** Not forgotten. */
  get kept(): FakeRun[] {
    return this.all.filter((run) => !this.#forgotten.has(run));
  }

  /** Those of a coordinate that run, without commands before and after it. */
  running(coordinate = COORDINATE): FakeRun[] {
    return this.mains(coordinate).filter(({ end }) => end === null);
  }

  mains(coordinate = COORDINATE): FakeRun[] {
    return this.all.filter(({ plan }) => plan.coordinate === coordinate && plan.run.startsWith('main'));
  }

  helpers(coordinate = COORDINATE): FakeRun[] {
    return this.all.filter(({ plan }) => plan.coordinate === coordinate && !plan.run.startsWith('main'));
  }
}

class FakeAnnouncement implements Announcement {
  isReleased = false;
  readonly told: string[] = [];
  last: { state: string; ports: Readonly<Record<string, number>> } | null = null;

  constructor(readonly world: World) {}

  publish(state: string, _message: string, ports: Readonly<Record<string, number>>): void {
    this.last = { state, ports };
    this.told.push(state);
  }

  async held(signal: AbortSignal): Promise<void> {
    while (this.heldForMs() === 0) {
      await sleep(50);
      signal.throwIfAborted();
    }
  }

  heldForMs(): number {
    return this.isReleased ? 0 : this.world.claimMs;
  }

  async release(): Promise<void> {
    this.isReleased = true;
  }
}

export class World {
  readonly runs = new FakeRuns();
  leaseMs = 5_000;
  /** The process stands still for so long, after it knows of its lease. */
  stillMs = 0;
  claimMs = 5_000;
  availableBytes = 8_192 * MIB;
  reserveBytes = 512 * MIB;
  uid = 1_000;
  mayRunAsRoot = false;
  ports = { from: 20_000, to: 20_009 };
  readonly takenPorts = new Set<number>();
  /** Why an artifact cannot be had, by its id. */
  readonly badArtifacts = new Map<string, ArtifactErrorCode>();
  readonly held = new Map<string, number>();
  readonly announcements = new Map<string, FakeAnnouncement[]>();
  readonly logged: string[] = [];

  readonly machine = (): Machine => ({
    uid: this.uid,
    passwd: async () => 'root:x:0:0::/root:/bin/sh\nweb:x:2000:2001::/:/bin/false\n',
    isPortFree: async (port) => !this.takenPorts.has(port),
    askHealth: async (_check, { plan }) => {
      const run = this.runs.all.find((each) => each.plan === plan);
      return run?.isHealthy ? null : 'said no';
    },
    availableMemory: async () => this.availableBytes,
    random: () => 0,
  });

  open(): Promise<ProcessTable> {
    const say = (_fields: object, message: string) => void this.logged.push(message);
    return openTable(
      {
        runs: this.runs,
        artifacts: { hold: (ref) => this.#hold(ref.id) },
        lease: { heldForMs: () => this.#heldForMs() },
        announce: (coordinate) => this.#announce(coordinate),
        ...{ host: 'host-1', zookeeper: 'zoo:2181', ports: this.ports, mayRunAsRoot: this.mayRunAsRoot },
        memoryReserveBytes: this.reserveBytes,
        log: { debug: say, info: say, warn: say, error: say },
      },
      this.machine(),
    );
  }

  announcement(coordinate = COORDINATE): FakeAnnouncement {
    return this.announcements.get(coordinate)!.at(-1)!;
  }

  #heldForMs(): number {
    const ms = this.leaseMs;
    if (this.stillMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.stillMs);
    return ms;
  }

  async #hold(id: string) {
    await sleep(20);
    const code = this.badArtifacts.get(id);
    if (code !== undefined) throw new ArtifactError(code, `${id} is ${code}`);
    this.#count(id, 1);
    return { folder: `/artifacts/${id}`, letGo: () => this.#count(id, -1) };
  }

  #announce(coordinate: string): Announcement {
    const announcement = new FakeAnnouncement(this);
    this.announcements.set(coordinate, [...(this.announcements.get(coordinate) ?? []), announcement]);
    return announcement;
  }

  #count(id: string, by: number): void {
    this.held.set(id, (this.held.get(id) ?? 0) + by);
  }
}

const SHA256 = '0'.repeat(64);

/** With a health check, so that the program's health counts. */
export function spec(
  program: string,
  version = '1',
  more: Partial<Record<keyof ProcessSpec, unknown>> = {},
): ProcessSpec {
  return processSpec.parse({
    coordinate: COORDINATE,
    artifact: { id: `no.kvitt:web:${version}`, sha256: SHA256 },
    command: [program],
    ports: { http: null },
    health: { port: 'http', every: 1, startup: 5 },
    ...more,
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
