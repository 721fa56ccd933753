/** What a service and this machine use, read while a run goes on. */
import { cpus, freemem, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { ResourceSeries } from './result.ts';

const SAMPLE_MS = 1_000;
const SCRAPE_MS_MAX = 2_000;
/** Of a sampler; what takes longer has no value for that time. */
const READ_MS_MAX = 5_000;
const MIB = 2 ** 20;

export interface Reading {
  readonly of: string;
  readonly name: string;
  readonly unit: ResourceSeries['unit'];
  readonly value: number;
}

/** Something that can be read again and again. */
export interface Sampler {
  read(): Promise<readonly Reading[]>;
}

/** Reads all samplers about once a second until it is stopped; one that fails has no value for that time. */
export class Sampling {
  readonly #series = new Map<
    string,
    { of: string; name: string; unit: ResourceSeries['unit']; points: [number, number][] }
  >();
  readonly #startAt: number;
  readonly #samplers: readonly Sampler[];
  readonly #timer: NodeJS.Timeout;
  #underWay: Promise<void> | null = null;

  /** `startAt`: ms since the epoch from which the seconds count. */
  constructor(samplers: readonly Sampler[], startAt: number) {
    this.#samplers = samplers;
    this.#startAt = startAt;
    this.#timer = setInterval(() => {
      this.#underWay ??= this.#readAll().finally(() => {
        this.#underWay = null;
      });
    }, SAMPLE_MS);
  }

  async stop(): Promise<ResourceSeries[]> {
    clearInterval(this.#timer);
    await this.#underWay;
    return [...this.#series.values()];
  }

  async #readAll(): Promise<void> {
    const readings = await Promise.all(this.#samplers.map(readingsOf));
    const at = (Date.now() - this.#startAt) / 1000;
    for (const { of, name, unit, value } of readings.flat()) {
      if (!Number.isFinite(value)) continue;
      const key = `${of} ${name}`;
      const series = this.#series.get(key) ?? { of, name, unit, points: [] };
      series.points.push([at, value]);
      this.#series.set(key, series);
    }
  }
}

async function readingsOf(sampler: Sampler): Promise<readonly Reading[]> {
  try {
    return await Promise.race([sampler.read(), sleep(READ_MS_MAX, [], { ref: false })]);
  } catch {
    return [];
  }
}

/** CPU and memory of the machine that this runs on. */
export class MachineSampler implements Sampler {
  #before = busyOf();

  async read(): Promise<Reading[]> {
    const before = this.#before;
    this.#before = busyOf();
    const total = this.#before.total - before.total;
    const cores = (cpus().length * (this.#before.busy - before.busy)) / Math.max(1, total);
    return [
      { of: 'this machine', name: 'cpu', unit: 'cores', value: cores },
      { of: 'this machine', name: 'memory', unit: 'MiB', value: (totalmem() - freemem()) / MIB },
    ];
  }
}

function busyOf(): { busy: number; total: number } {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const sum = times.user + times.nice + times.sys + times.irq + times.idle;
    total += sum;
    busy += sum - times.idle;
  }
  return { busy, total };
}

/** What of `/metrics` is shown: by its name there, with what it is summed over when it has several lines. */
const SHOWN: readonly (Omit<Reading, 'of' | 'value'> & { metric: string; factor?: number; isRate?: boolean })[] = [
  { metric: 'process_cpu_seconds_total', name: 'cpu', unit: 'cores', isRate: true },
  { metric: 'process_resident_memory_bytes', name: 'memory', unit: 'MiB', factor: 1 / MIB },
  { metric: 'nodejs_eventloop_lag_p99_seconds', name: 'event loop lag p99', unit: 'ms', factor: 1000 },
  { metric: 'kvitt_engine_in_flight_commands', name: 'commands in flight', unit: 'count' },
  { metric: 'kvitt_engine_queued_commands', name: 'commands queued', unit: 'count' },
  { metric: 'kvitt_mongodb_pool_connections{state="in_use"}', name: 'pool in use', unit: 'count' },
  { metric: 'kvitt_mongodb_pool_waiting_operations', name: 'pool waiting', unit: 'count' },
  { metric: 'kvitt_sqs_in_flight_messages', name: 'messages in flight', unit: 'count' },
  {
    metric: 'kvitt_engine_append_duration_seconds_count',
    name: 'appends to the journal',
    unit: 'per second',
    isRate: true,
  },
];

/** The metrics of an instance, by HTTP: needs a key with the scope `operations`, or METRICS_OPEN. */
export class MetricsSampler implements Sampler {
  readonly #address: string;
  readonly #apiKey: string;
  #before: { at: number; values: Map<string, number> } | null = null;

  constructor(address: string, apiKey: string) {
    this.#address = address;
    this.#apiKey = apiKey;
  }

  /** Throws an Error that says why when they cannot be read. */
  async read(): Promise<Reading[]> {
    const headers = { authorization: `Bearer ${this.#apiKey}` };
    const signal = AbortSignal.timeout(SCRAPE_MS_MAX);
    const { statusCode, body } = await request(`${this.#address}/metrics`, { headers, signal });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${this.#address}/metrics answered ${statusCode}`);
    const before = this.#before;
    const now = { at: performance.now(), values: valuesOf(text) };
    this.#before = now;
    const of = `service ${new URL(this.#address).host}`;
    return SHOWN.flatMap(({ metric, name, unit, factor = 1, isRate }) => {
      const value = now.values.get(metric);
      const earlier = before?.values.get(metric);
      // A counter that went back is that of another process.
      if (value === undefined || (isRate && !(earlier !== undefined && earlier <= value))) return [];
      const seconds = (now.at - (before?.at ?? 0)) / 1000;
      return [{ of, name, unit, value: isRate ? (value - earlier!) / seconds : value * factor }];
    });
  }
}

/** Of the Prometheus text format: each line by its name with labels, and the sum of its lines by its name alone. */
export function valuesOf(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const end = line.lastIndexOf(' ');
    const [key, value] = [line.slice(0, end), Number(line.slice(end + 1))];
    values.set(key, value);
    const brace = key.indexOf('{');
    if (brace > 0) values.set(key.slice(0, brace), (values.get(key.slice(0, brace)) ?? 0) + value);
  }
  return values;
}
