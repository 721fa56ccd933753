import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeEach, describe, expect, vi } from 'vitest';
import type { RunPlan } from '../../src/processes/run.ts';
import { type ProcessSpec, specHash } from '../../src/processes/spec.ts';
import type { ProcessTable } from '../../src/processes/table.ts';
import { COORDINATE, type FakeRun, spec, World } from './support/world.ts';

const MAX = 2;
/** So long it may take until the table knows of a change of health: the failures of a check, and a start. */
const KNOWN_MS = 20_000;

type Step =
  | {
      readonly do: 'want';
      readonly version: number;
      readonly program: string;
      readonly run: boolean;
      readonly isStrict: boolean;
    }
  | { readonly do: 'want nothing' | 'restart' | 'reopen' | 'agent is away' }
  | { readonly do: 'crash' | 'sicken' | 'heal'; readonly which: number }
  | { readonly do: 'lease' | 'claim' | 'artifacts'; readonly isThere: boolean }
  | { readonly do: 'no keeper' }
  | { readonly do: 'pass'; readonly ms: number };

const program = fc.constantFrom('good', 'good', 'good', 'deaf', 'sick', 'crash');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('want' as const),
      version: fc.integer({ min: 1, max: 3 }),
      program,
      run: fc.boolean().map((no) => !no || true),
      isStrict: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('want' as const),
      version: fc.integer({ min: 1, max: 3 }),
      program,
      run: fc.constant(false),
      isStrict: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('want nothing' as const, 'restart' as const, 'reopen' as const, 'agent is away' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('crash' as const, 'sicken' as const, 'heal' as const),
      which: fc.nat({ max: 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('lease' as const, 'claim' as const, 'artifacts' as const),
      isThere: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('no keeper' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 2_000 }), fc.nat({ max: 15_000 })),
    }),
  },
);

/** Drives a table, and knows what it must never do whatever happens. */
class Host {
  readonly world = new World();
  table!: ProcessTable;
  #wanted: ProcessSpec | null = null;
  #isTold = false;
  /** Something that is healthy may be ended, as it was not wanted, or to be restarted, since it began to run. */
  #mayEnd = false;
  /** Promises that were broken: the table would take what is thrown for a failed start. */
  readonly broken: unknown[] = [];
  /** Starts since something changed other than that a process failed. */
  readonly #starts = new Map<string, number>();

  async open(): Promise<void> {
    const { runs } = this.world;
    runs.onAsked = (plan) => this.#note(() => this.#mayStart(plan));
    runs.onEvent = (what, run) => what === 'end' && this.#note(() => this.#mayHaveEnded(run));
    this.table = await this.world.open();
  }

  async act(step: Step): Promise<void> {
    const { world } = this;
    if (!['pass', 'heal'].includes(step.do)) this.#starts.clear();
    switch (step.do) {
      case 'want':
        return this.want(versionOf(step));
      case 'want nothing':
        return this.want(null);
      case 'restart':
        this.#mayEnd = true;
        return void this.table.restart(COORDINATE).catch(() => {});
      case 'reopen':
      case 'agent is away':
        return this.#reopen(step.do === 'reopen' ? 0 : 3_000);
      case 'crash':
        return world.runs.running()[step.which]?.finish({ code: 1, signal: null, why: null });
      case 'sicken':
      case 'heal':
        return flip(world.runs.running()[step.which], step.do === 'heal');
      case 'lease':
        world.leaseMs = step.isThere ? 5_000 : 0;
        return;
      case 'claim':
        world.claimMs = step.isThere ? 5_000 : 0;
        return;
      case 'artifacts':
        if (step.isThere) world.badArtifacts.clear();
        else world.badArtifacts.set('no.kvitt:web:2', 'unavailable');
        return;
      case 'no keeper':
        world.runs.failures = 1;
        return;
      case 'pass':
        await vi.advanceTimersByTimeAsync(step.ms);
    }
  }

  want(next: ProcessSpec | null): void {
    this.#wanted = next;
    this.#isTold = true;
    if (next === null || !next.run) this.#mayEnd = true;
    this.table.want(next === null ? [] : [next]);
  }

  async settle(ms: number): Promise<void> {
    const { world } = this;
    Object.assign(world, { leaseMs: 5_000, claimMs: 5_000 });
    world.runs.failures = 0;
    world.badArtifacts.clear();
    for (const run of world.runs.running()) flip(run, !['sick', 'crash'].includes(run.plan.command[0]!));
    this.#starts.clear();
    await vi.advanceTimersByTimeAsync(ms);
  }

  #note(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.broken.push(error);
    }
  }

  async #reopen(awayMs: number): Promise<void> {
    // What is being started is waited for.
    await Promise.all([this.table.close(), vi.advanceTimersByTimeAsync(10)]);
    this.#isTold = false;
    await vi.advanceTimersByTimeAsync(awayMs);
    await this.open();
  }

  #mayStart(plan: RunPlan): void {
    const { source } = plan;
    const hash = specHash(source);
    const report = this.table.reports().find(({ coordinate }) => coordinate === COORDINATE)!;
    if (source.cutoff === 'kill') expect(Math.min(this.world.leaseMs, this.world.claimMs)).toBeGreaterThan(0);
    if (!plan.run.startsWith('main')) return;
    if (this.#isTold) expect(this.#wanted?.run, 'started though it is not wanted').toBe(true);
    expect(hash, 'started though it was refused').not.toBe(report.refused);
    expect(report.state).not.toBe('failed');
    const running = this.world.runs.running();
    expect(running.length, 'a third run').toBeLessThan(2);
    for (const { plan: old } of running) {
      expect(specHash(old.source), 'twice the same').not.toBe(hash);
      expect(old.source.cutoff, 'beside what must never run twice').toBe('run');
    }
    const starts = (this.#starts.get(hash) ?? 0) + 1;
    this.#starts.set(hash, starts);
    if (['sick', 'crash'].includes(plan.command[0]!)) expect(starts, 'started too often').toBeLessThanOrEqual(MAX + 1);
  }

  /** What is healthy is ended only when another is, or when it is to end. */
  #mayHaveEnded(run: FakeRun): void {
    if (!run.plan.run.startsWith('main')) return;
    const others = this.world.runs.running().filter((other) => other !== run);
    const isKnownHealthy = run.isHealthy && Date.now() - run.flippedAt > KNOWN_MS;
    if (run.end!.why === 'stopped' && isKnownHealthy && !this.#mayEnd && run.plan.source.cutoff === 'run') {
      const isAnother = others.some((other) => other.isHealthy || Date.now() - other.flippedAt <= KNOWN_MS);
      expect(isAnother, 'ended the only one that was healthy').toBe(true);
    }
    if (others.length === 0) this.#mayEnd = this.#wanted === null || !this.#wanted.run;
  }
}

function versionOf({ version, program, run, isStrict }: Extract<Step, { do: 'want' }>): ProcessSpec {
  const restart = { max: MAX, backoff: 0.5, ceiling: 4, period: 60 };
  const more = isStrict ? { cutoff: 'kill', before: ['done'], after: ['done'] } : {};
  return spec(program, String(version), { restart, run, grace: 5, ...more });
}

function flip(run: FakeRun | undefined, isHealthy: boolean): void {
  if (run === undefined || run.isHealthy === isHealthy) return;
  run.isHealthy = isHealthy;
  run.flippedAt = Date.now();
}

describe('whatever happens to a process', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.prop([fc.array(step, { minLength: 1, maxLength: 25 }), program, fc.boolean()], {
    numRuns: 60,
  })('its table keeps its promises, and ends up where it is wanted', async (steps, last, isStrict) => {
    const host = new Host();
    await host.open();
    for (const each of steps) await host.act(each);
    const final = versionOf({ do: 'want', version: 9, program: last, run: true, isStrict });
    host.want(final);
    await host.settle(150_000);
    const [report] = host.table.reports();
    const running = host.world.runs.running();
    if (['good', 'deaf'].includes(last)) {
      expect(report).toMatchObject({ state: 'running', spec: specHash(final), refused: null, pid: running[0]!.pid });
    } else {
      expect(report!.refused).toBe(specHash(final));
      expect(['running', 'failed']).toContain(report!.state);
    }
    expect(running.length).toBe(report!.state === 'running' ? 1 : 0);
    host.want(null);
    await host.settle(30_000);
    expect(host.table.reports()).toEqual([]);
    expect(host.world.runs.kept).toEqual([]);
    await host.table.close();
    if (host.broken.length > 0) throw host.broken[0];
  });
});
