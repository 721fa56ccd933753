/** The whole ladder: each layer in turn within each round, all of it watched while it is saturated, then latencies. */
import { cpus, totalmem } from 'node:os';
import type { Percentiles, ResourceSeries } from '../loadtest/result.ts';
import { median } from '../loadtest/statistics.ts';
import type { BalancerKind } from './balancer.ts';
import { factsOf, foreignCpu } from './facts.ts';
import type { Measured } from './messages.ts';
import { nameBottleneck } from './naming.ts';
import type { LadderParts } from './parts.ts';
import type { LadderResult, Layer, LayerResult } from './result.ts';
import { Sampler, type Source } from './sampler.ts';
import { type Lane, openScene, type Scene } from './scene.ts';
import { stackOf } from './stack.ts';

/** Of what all of it does at most: a rate at which nothing queues for long. */
const RATE_SHARE = 0.5;
const WARM_UP_SECONDS_MAX = 2;
/** At a rate, for moments in which nothing is answered: lanes for each that a closed loop has. */
const RATE_LANES = 4;
/** Of the calls that are due: whoever has not answered so many at the end cannot keep up with the rate. */
const KEPT_UP_SHARE = 0.9;
const MIB = 2 ** 20;

export interface LadderOptions {
  readonly layers: readonly Layer[];
  /** Of each measurement. */
  readonly seconds: number;
  readonly rounds: number;
  /** Calls at once. */
  readonly concurrency: number;
  /** Calls a second at which latencies are measured; null: half of what all of it does. */
  readonly rate: number | null;
  readonly balancer: BalancerKind | 'none';
  readonly balancerConnectionsMax: number;
  /** Where logs and configurations go; the caller removes it. */
  readonly folder: string;
  /** What is done now, for a person who waits. */
  readonly onProgress: (text: string) => void;
}

/** Throws an Error that says what could not be started or measured. Nothing is left running. */
export async function runLadder(parts: LadderParts, options: LadderOptions): Promise<LadderResult> {
  const startedAt = new Date().toISOString();
  options.onProgress('starting what is measured');
  const scene = await openScene(parts, options);
  try {
    const run = new Run(scene, options);
    await run.warmUp();
    for (let round = 1; round <= options.rounds; round++) await run.saturate(round);
    const fixedRate = options.rate ?? run.halfOfAll();
    const layers = await run.layersAt(fixedRate);
    const { resources, findings } = run.conclude(parts.inFlightMax);
    return {
      ...{ object: 'ladder', version: 1, startedAt, machine: machine(), concurrency: options.concurrency },
      ...{ fixedRate, layers, stack: stackOf(layers, options.balancer === 'none' ? null : options.balancer) },
      ...{ resources, findings },
    };
  } finally {
    await scene.close();
  }
}

class Run {
  readonly #rounds = new Map<Lane, Measured[]>();
  /** One series after the other, of the rounds of all of it. */
  readonly #resources: ResourceSeries[] = [];
  #sources: Source[] | null = null;

  constructor(
    private readonly scene: Scene,
    private readonly options: LadderOptions,
  ) {}

  get #lanes(): Lane[] {
    return this.scene.direct === null ? [...this.scene.lanes] : [...this.scene.lanes, this.scene.direct];
  }

  async warmUp(): Promise<void> {
    const { concurrency, onProgress } = this.options;
    const seconds = Math.min(WARM_UP_SECONDS_MAX, this.options.seconds / 2);
    onProgress('warming up');
    for (const lane of this.#lanes) await lane.measure({ lanes: concurrency, seconds, perSecond: null });
  }

  async saturate(round: number): Promise<void> {
    const { concurrency, seconds, rounds, onProgress } = this.options;
    for (const lane of this.#lanes) {
      const isWatched = lane.layer === 'all' && lane !== this.scene.direct;
      const sampler = isWatched ? await this.#watch() : null;
      const measured = await lane.measure({ lanes: concurrency, seconds, perSecond: null });
      if (sampler !== null) this.#resources.push(...shifted(await sampler.end(), (round - 1) * seconds));
      this.#rounds.set(lane, [...(this.#rounds.get(lane) ?? []), measured]);
      onProgress(`${round}/${rounds} ${lane.name}: ${Math.round(perSecond(measured)).toLocaleString('en')} a second`);
    }
  }

  halfOfAll(): number {
    const all = this.scene.lanes.find(({ layer }) => layer === 'all');
    return all === undefined ? 0 : Math.round(RATE_SHARE * this.#median(all));
  }

  async layersAt(rate: number): Promise<LayerResult[]> {
    const layers: LayerResult[] = [];
    for (const lane of this.#lanes) {
      const rounds = this.#rounds.get(lane)!.map(perSecond);
      const { layer, name } = lane;
      layers.push({ layer, name, perSecond: median(rounds), rounds, latencyMs: await this.#latencyAt(lane, rate) });
    }
    return layers;
  }

  conclude(inFlightMax: number): Pick<LadderResult, 'resources' | 'findings'> {
    const all = this.scene.lanes.find(({ layer }) => layer === 'all');
    if (all === undefined) throw new Error('what is slowest is found out from all of it: measure the layer `all`, too');
    const resources = joined(this.#resources);
    const series = [...resources, foreignCpu(resources)];
    const facts = factsOf({
      ...{ series, inFlightMax, cpus: cpus().length, concurrency: this.options.concurrency },
      measured: this.#rounds.get(all)!,
      perSecond: this.#median(all),
      directPerSecond: this.scene.direct === null ? null : this.#median(this.scene.direct),
    });
    return { resources: series, findings: nameBottleneck(facts) };
  }

  async #watch(): Promise<Sampler> {
    this.#sources ??= await this.scene.sources();
    return new Sampler(this.#sources);
  }

  async #latencyAt(lane: Lane, rate: number): Promise<Percentiles | null> {
    if (rate <= 0) return null;
    const { concurrency, seconds, onProgress } = this.options;
    const lanes = RATE_LANES * concurrency;
    onProgress(`latency at ${Math.round(rate).toLocaleString('en')} a second: ${lane.name}`);
    const measured = await lane.measure({ lanes, seconds, perSecond: rate });
    return measured.ok >= KEPT_UP_SHARE * rate * seconds ? measured.latencyMs : null;
  }

  #median(lane: Lane): number {
    return median(this.#rounds.get(lane)!.map(perSecond));
  }
}

function perSecond({ ok, seconds }: Measured): number {
  return ok / seconds;
}

function shifted(series: readonly ResourceSeries[], seconds: number): ResourceSeries[] {
  return series.map((one) => ({ ...one, points: one.points.map(([at, value]) => [at + seconds, value] as const) }));
}

/** Series of the same figure become one. */
function joined(parts: readonly ResourceSeries[]): ResourceSeries[] {
  const series = new Map<string, ResourceSeries>();
  for (const part of parts) {
    const key = `${part.of}/${part.name}`;
    series.set(key, { ...part, points: [...(series.get(key)?.points ?? []), ...part.points] });
  }
  return [...series.values()];
}

function machine(): LadderResult['machine'] {
  const all = cpus();
  const memoryMiB = Math.round(totalmem() / MIB);
  return { cpus: all.length, model: all[0]?.model ?? 'unknown', memoryMiB, node: process.version };
}
