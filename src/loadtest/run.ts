/** A load test from its beginning to its verdict: prepare, send, settle, compare with the ledger. */
import { randomInt } from 'node:crypto';
import { cpus, totalmem } from 'node:os';
import { fixedTargets, KvittClient } from '../client/index.ts';
import { VERSION } from '../version.ts';
import { type CheckProgress, checkLedger } from './checker.ts';
import { Fleet } from './fleet.ts';
import type { Ended, Piece } from './messages.ts';
import { type PopulationProgress, populate } from './population.ts';
import { secondsOf } from './profile.ts';
import type { QueueTarget } from './queue-sender.ts';
import { MachineSampler, MetricsSampler, type Sampler, Sampling } from './resources.ts';
import type { Counts, ResourceSeries, RunResult, SecondResult } from './result.ts';
import { OUTCOMES } from './result.ts';
import { operationOf, type Scenario } from './scenario.ts';
import { addUp, Tally } from './tally.ts';
import { validityOf } from './validity.ts';

/** From when all generators are told to when they begin. */
const START_MS = 500;
const TIMEOUT_MS = 10_000;
const DRAIN_MS = 30_000;
const SETTLE_MS = 60_000;
const OUTSTANDING_MAX = 2_000;
/** Of a run that was ended at once. */
const SECONDS_MIN = 0.001;
const RUN_ID_LETTERS = 5;
/** A second is shown when its calls have mostly been answered. */
const SHOWN_AFTER_S = 2;

export interface RunOptions {
  readonly scenario: Scenario;
  /** `http://host:port`, of instances or of a load balancer. */
  readonly addresses: readonly string[];
  readonly apiKey: string;
  readonly queue: QueueTarget | null;
  readonly processes: number;
  /** Of all generators; {@link OUTSTANDING_MAX} unless given. */
  readonly outstandingMax?: number;
  readonly timeoutMs?: number;
  readonly seed?: number;
  /** See `CheckOptions`. */
  readonly queueStillMs?: number;
  readonly label?: string | null;
  /** Instances whose metrics are read; those of `addresses` unless given. */
  readonly instances?: readonly string[];
  /** What is read besides. */
  readonly samplers?: readonly Sampler[];
}

export interface RunEvents {
  onPopulation?: (progress: PopulationProgress) => void;
  onSecond?: (second: SecondResult, of: number) => void;
  onPhase?: (phase: 'draining' | 'settling', left: number) => void;
  onCheck?: (progress: CheckProgress) => void;
}

/** A load test that is under way. */
export class Run {
  readonly id = newRunId();
  readonly #options: RunOptions;
  readonly #events: RunEvents;
  readonly #client: KvittClient;
  readonly #ending = new AbortController();
  #fleet: Fleet | null = null;
  /** Ms since the epoch; null: it was not. */
  #stoppedAt: number | null = null;

  constructor(options: RunOptions, events: RunEvents = {}) {
    const uses = options.scenario.journeys.some(({ steps }) => steps.some((step) => operationOf(step) === 'queue_buy'));
    if (uses && options.queue === null) {
      throw new Error(`The scenario ${options.scenario.name} sends to a queue: give its URL.`);
    }
    const { profile } = options.scenario;
    const { outstandingMax = OUTSTANDING_MAX } = options;
    if (profile.kind === 'closed' && profile.users > outstandingMax) {
      throw new Error(
        `${profile.users} users need as many calls that may be unanswered at once, not ${outstandingMax}.`,
      );
    }
    this.#options = options;
    this.#events = events;
    this.#client = new KvittClient({ targets: fixedTargets(options.addresses), apiKey: options.apiKey });
  }

  /** Rejects when it could not be carried out, or could not be checked. */
  async carryOut(): Promise<RunResult> {
    const { scenario, processes, seed = randomInt(2 ** 32), queueStillMs } = this.#options;
    const { signal } = this.#ending;
    await populate(this.#client, { run: this.id, scenario }, this.#events.onPopulation, signal);
    // They take their time, which is not the generators' fault.
    const samplers = await this.#samplers();
    const fleet = await Fleet.start(processes);
    this.#fleet = fleet;
    try {
      signal.throwIfAborted();
      const startAt = Date.now() + START_MS;
      const tally = new Tally();
      const sampling = new Sampling(samplers, startAt);
      const ended = await this.#send(fleet, tally, { seed, startAt }).finally(() => sampling.stop());
      const endedAt = Date.now();
      const resources = [...(await sampling.stop()), ...tally.generatorSeries()];
      await fleet.close();
      const { calls } = tally;
      const settled = ended.reduce((sum, one) => sum + one.settled, 0);
      const onProgress = this.#events.onCheck ? { onProgress: this.#events.onCheck } : {};
      const still = queueStillMs === undefined ? {} : { queueStillMs };
      const ledger = await checkLedger(this.#client, {
        ...{ run: this.id, scenario, calls, startedAt: startAt, settled },
        ...{ ...onProgress, ...still },
      });
      const seconds = this.#secondsFrom(startAt);
      return { ...this.#describe(seed, startAt, endedAt), ...figures(ended, tally, resources, seconds), ledger };
    } finally {
      await fleet.close();
    }
  }

  /** Ends early; what was sent is still settled and compared. Before anything is sent there is no result. */
  stop(): void {
    this.#stoppedAt ??= Date.now();
    if (this.#fleet === null) this.#ending.abort(new Error('It was ended before the first user came.'));
    this.#fleet?.stop();
  }

  #secondsFrom(startAt: number): number {
    const planned = secondsOf(this.#options.scenario.profile);
    const had = ((this.#stoppedAt ?? Number.POSITIVE_INFINITY) - startAt) / 1000;
    return Math.min(planned, Math.max(SECONDS_MIN, had));
  }

  async #send(fleet: Fleet, tally: Tally, { seed, startAt }: { seed: number; startAt: number }): Promise<Ended[]> {
    const { scenario, addresses, apiKey, queue, processes, timeoutMs = TIMEOUT_MS } = this.#options;
    const { outstandingMax = OUTSTANDING_MAX } = this.#options;
    const of = Math.ceil(secondsOf(scenario.profile));
    let shown = 0;
    const showUpTo = (end: number) => {
      for (; shown < Math.min(of, end); shown++) this.#events.onSecond?.(tally.second(shown), of);
    };
    const piece = (generator: number, one: Piece) => {
      tally.add(generator, one);
      showUpTo(Math.ceil(one.at) - SHOWN_AFTER_S);
    };
    const phase = (name: 'draining' | 'settling', left: number) => this.#events.onPhase?.(name, left);
    const ended = await fleet.run(
      {
        ...{ run: this.id, scenario, seed, addresses, apiKey, queue, timeoutMs, startAt },
        ...{ drainMs: DRAIN_MS, settleMs: SETTLE_MS, outstandingMax: Math.ceil(outstandingMax / processes) },
      },
      { piece, phase },
    );
    showUpTo(tally.end);
    return ended;
  }

  /** Instances that show no metrics are left out. */
  async #samplers(): Promise<Sampler[]> {
    const { addresses, instances = addresses, apiKey, samplers = [] } = this.#options;
    const services = instances.map((address) => new MetricsSampler(address, apiKey));
    const readable = await Promise.all(
      services.map((sampler) =>
        sampler.read().then(
          () => true,
          () => false,
        ),
      ),
    );
    return [new MachineSampler(), ...services.filter((_, index) => readable[index]), ...samplers];
  }

  #describe(seed: number, startAt: number, endedAt: number) {
    const { scenario, addresses, queue, processes, label = null, outstandingMax = OUTSTANDING_MAX } = this.#options;
    return {
      object: 'load_test',
      version: 1,
      id: this.id,
      label,
      startedAt: new Date(startAt).toISOString(),
      endedAt: new Date(endedAt).toISOString(),
      scenario,
      seed,
      target: { addresses, queue: queue?.url ?? null },
      machine: machine(),
      generators: { processes, outstandingMax },
    } as const;
  }
}

function figures(ended: readonly Ended[], tally: Tally, resources: readonly ResourceSeries[], seconds: number) {
  const { operations, counts, latencyMs, journeys } = addUp(ended);
  const timeline = tally.timeline();
  const lagMs = tally.lagMs();
  return {
    seconds,
    journeys,
    counts,
    perSecond: (counts.ok + counts.declined) / seconds,
    errorShare: errorShareOf(counts),
    latencyMs,
    lagMs,
    operations,
    timeline,
    resources,
    validity: validityOf({ lagMs, latencyMs, timeline, series: tally.generatorSeries() }),
    examples: ended.flatMap(({ examples }) => examples),
  };
}

/** Of all calls, those that did not get an answer by the ledger; 0 when there were none. */
function errorShareOf(counts: Counts): number {
  const all = OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
  return all === 0 ? 0 : (all - counts.ok - counts.declined) / all;
}

export function machine(): RunResult['machine'] {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    kvitt: VERSION,
  };
}

/** Short, as it is part of every name, and later than all before it. */
function newRunId(): string {
  const random = Array.from({ length: RUN_ID_LETTERS }, () => randomInt(36).toString(36)).join('');
  return `${Date.now().toString(36)}${random}`;
}
