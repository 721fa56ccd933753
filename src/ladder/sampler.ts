/** Reads figures of all sources while something runs, and makes series of them. */
import { performance } from 'node:perf_hooks';
import type { ResourceSeries } from '../loadtest/result.ts';

export interface Reading {
  readonly of: string;
  readonly name: string;
  readonly unit: ResourceSeries['unit'];
  readonly value: number;
}

/** Reads what it knows; `elapsedMs` since it was read before, 0 the first time. What it cannot read it leaves out. */
export type Source = (elapsedMs: number) => Promise<readonly Reading[]> | readonly Reading[];

const EVERY_MS = 500;

export class Sampler {
  readonly #series = new Map<string, ResourceSeries & { readonly points: [number, number][] }>();
  readonly #from = performance.now();
  readonly #lastReads = new Map<Source, number>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void>;

  /** Begins at once. */
  constructor(private readonly sources: readonly Source[]) {
    this.#round = this.#readAll();
    this.#timer = setInterval(() => {
      this.#round = this.#round.then(() => this.#readAll());
    }, EVERY_MS);
  }

  async end(): Promise<ResourceSeries[]> {
    clearInterval(this.#timer);
    await this.#round;
    return [...this.#series.values()];
  }

  async #readAll(): Promise<void> {
    await Promise.all(this.sources.map((source) => this.#read(source)));
  }

  async #read(source: Source): Promise<void> {
    const now = performance.now();
    const elapsedMs = now - (this.#lastReads.get(source) ?? now);
    this.#lastReads.set(source, now);
    const readings = await read(source, elapsedMs);
    // What has grown since is known from the second time on.
    if (elapsedMs === 0) return;
    for (const reading of readings) this.#add(reading, (now - this.#from) / 1000);
  }

  #add({ of, name, unit, value }: Reading, at: number): void {
    if (!Number.isFinite(value)) return;
    const key = `${of}/${name}`;
    const series = this.#series.get(key) ?? { of, name, unit, points: [] };
    series.points.push([at, value]);
    this.#series.set(key, series);
  }
}

/** What does not answer while it is overloaded is missing at that moment. */
async function read(source: Source, elapsedMs: number): Promise<readonly Reading[]> {
  try {
    return await source(elapsedMs);
  } catch {
    return [];
  }
}
