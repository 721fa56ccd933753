/** All processes of a host: see `ProcessTable`. */
import { setMaxListeners } from 'node:events';
import type { Life } from './life.ts';
import { type Machine, thisMachine } from './machine.ts';
import { pause } from './pause.ts';
import { Ports } from './ports.ts';
import { chooseVictim, describePressure, type Suspect } from './pressure.ts';
import type { LogOptions, Run } from './run.ts';
import type { ProcessSpec } from './spec.ts';
import type { Surroundings } from './starter.ts';
import { Supervisor } from './supervisor.ts';
import type { ProcessTable, TableOptions } from './table.ts';
import type { ProcessReport } from './types.ts';

/**
 * Leases are renewed every tenth of the shortest, so that a few renewals may fail, within these bounds, ms. A renewal is
 * a message to a keeper on this host.
 */
const RENEW_SHARE = 0.1;
const RENEW_MS = { min: 25, max: 250 } as const;
/** Until something that is done again and again, and failed, is done again. */
const FAILED_MS = 250;
const SAMPLE_MS = 2_000;
const PRESSURE_MS = 1_000;
/** After a process was ended for its memory, the next one is not before this: the machine needs a moment to have it back. */
const RELIEF_MS = 5_000;

interface SuspectLife extends Suspect {
  readonly life: Life;
}

export async function openTable(options: TableOptions, machine: Machine = thisMachine): Promise<ProcessTable> {
  const found = await options.runs.adopt();
  return new HostTable(options, machine, found);
}

class HostTable implements ProcessTable {
  readonly #options: TableOptions;
  readonly #machine: Machine;
  readonly #around: Surroundings;
  readonly #supervisors = new Map<string, Supervisor>();
  readonly #closing = new AbortController();
  readonly #working: readonly Promise<void>[];
  #listeners: (() => void)[] = [];
  #relievedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TableOptions, machine: Machine, found: readonly Run[]) {
    this.#options = options;
    this.#machine = machine;
    // All supervisors listen to it.
    setMaxListeners(0, this.#closing.signal);
    const ports = new Ports(options.ports, machine.isPortFree, machine.random);
    this.#around = { options, machine, ports, closing: this.#closing.signal, onChange: this.#onChange };
    for (const [coordinate, runs] of byCoordinate(found)) this.#supervise(coordinate, runs);
    this.#working = [this.#repeat(this.#renew), this.#repeat(this.#sample), this.#repeat(this.#relieve)];
  }

  want(specs: readonly ProcessSpec[]): void {
    if (this.#closing.signal.aborted) return;
    const wanted = new Map(specs.map((spec) => [spec.coordinate, spec]));
    for (const [coordinate, supervisor] of this.#supervisors) supervisor.want(wanted.get(coordinate) ?? null);
    for (const [coordinate, spec] of wanted) {
      if (!this.#supervisors.has(coordinate)) this.#supervise(coordinate, []).want(spec);
    }
  }

  reports(): ProcessReport[] {
    return [...this.#supervisors.values()].map((supervisor) => supervisor.report());
  }

  async restart(coordinate: string): Promise<void> {
    if (this.#closing.signal.aborted) throw new Error('the agent is ending: ask the next one');
    const supervisor = this.#supervisors.get(coordinate);
    if (supervisor === undefined)
      throw new RangeError(`"${coordinate}" is not on this host: see what is with "status"`);
    await supervisor.restart();
  }

  logs(coordinate: string, options: LogOptions) {
    return this.#options.runs.logs(coordinate, options);
  }

  artifactsInUse(): ReadonlySet<string> {
    return new Set([...this.#supervisors.values()].flatMap((supervisor) => supervisor.artifactsInUse()));
  }

  onChange(listener: () => void): void {
    this.#listeners = [...this.#listeners, listener];
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#supervisors.values()].map((supervisor) => supervisor.closed()));
    await Promise.all(this.#working);
  }

  #supervise(coordinate: string, found: readonly Run[]): Supervisor {
    const supervisor = new Supervisor(coordinate, this.#around, found);
    this.#supervisors.set(coordinate, supervisor);
    return supervisor;
  }

  readonly #onChange = (): void => {
    for (const [coordinate, supervisor] of this.#supervisors) {
      if (supervisor.isGone) this.#supervisors.delete(coordinate);
    }
    for (const listener of this.#listeners) listener();
  };

  /** Does something, again and again, each time after as many ms as it answered. */
  async #repeat(work: () => Promise<number>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const waitMs = await work().catch((error) => {
        this.#options.log.error({ error }, 'what is done again and again failed this time');
        return FAILED_MS;
      });
      await pause(waitMs, signal).catch(() => {});
    }
  }

  readonly #renew = async (): Promise<number> => {
    const leases = [...this.#supervisors.values()].map((supervisor) => supervisor.renew() ?? Number.POSITIVE_INFINITY);
    return Math.min(RENEW_MS.max, Math.max(RENEW_MS.min, RENEW_SHARE * Math.min(...leases)));
  };

  readonly #sample = async (): Promise<number> => {
    // Not waited for: one whose keeper does not answer would keep the others from being sampled.
    for (const life of this.#lives()) void life.sample();
    return SAMPLE_MS;
  };

  readonly #relieve = async (): Promise<number> => {
    const availableBytes = await this.#machine.availableMemory();
    if (availableBytes !== null && performance.now() - this.#relievedAtMs >= RELIEF_MS) this.#endVictim(availableBytes);
    return PRESSURE_MS;
  };

  #endVictim(availableBytes: number): void {
    const { log, memoryReserveBytes } = this.#options;
    const suspects = this.#lives().flatMap((life) => suspectOf(life) ?? []);
    const victim = chooseVictim(suspects, availableBytes, memoryReserveBytes);
    if (victim === null) return;
    const why = describePressure(victim, availableBytes, memoryReserveBytes);
    const { run } = victim.life;
    log.warn({ coordinate: run.plan.coordinate, pid: run.pid }, `ended under memory pressure: ${why}`);
    victim.life.kill('memory pressure', why);
    this.#relievedAtMs = performance.now();
  }

  #lives(): Life[] {
    return [...this.#supervisors.values()].flatMap(({ lives }) => lives);
  }
}

/** Null: how much it uses is not known, or it has ended. */
function suspectOf(life: Life): SuspectLife | null {
  const { value, memory } = life.version.spec;
  if (life.memoryBytes === null || life.run.end !== null) return null;
  return { life, value, usedBytes: life.memoryBytes, expectedBytes: memory.peak ?? memory.expected ?? null };
}

/** The oldest of each coordinate first. */
function byCoordinate(found: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of found.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime())) {
    groups.set(run.plan.coordinate, [...(groups.get(run.plan.coordinate) ?? []), run]);
  }
  return groups;
}
