import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { HttpMetrics } from './http/ports.ts';
import type { Engine } from './ledger/engine.ts';

const DURATION_BUCKETS_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What Prometheus gets to see. Names carry their units. */
export class Metrics implements HttpMetrics {
  readonly registry = new Registry();
  readonly contentType = this.registry.contentType;
  readonly #requests = new Histogram({
    name: 'kvitt_http_request_duration_seconds',
    help: 'Duration of HTTP requests',
    labelNames: ['method', 'route', 'status'],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [this.registry],
  });
  readonly #messages = new Counter({
    name: 'kvitt_sqs_messages_total',
    help: 'What became of SQS messages',
    labelNames: ['what', 'reason'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  requestEnded(method: string, route: string, status: number, durationSeconds: number): void {
    this.#requests.labels(method, route, String(status)).observe(durationSeconds);
  }

  messageCounted(what: string, reason = ''): void {
    this.#messages.labels(what, reason).inc();
  }

  /** Reads the engine's own figures whenever Prometheus asks. */
  watchEngine(engine: Engine): void {
    const names = Object.keys(engine.stats()) as (keyof ReturnType<Engine['stats']>)[];
    const gauge = new Gauge({
      name: 'kvitt_engine',
      help: 'Figures of the ledger engine, by name',
      labelNames: ['figure'],
      registers: [this.registry],
      collect: () => {
        const stats = engine.stats();
        for (const name of names) gauge.labels(name).set(stats[name]);
      },
    });
  }

  /** `lagMs`: how far `what`, which is written behind the journal, is behind it. */
  watchLag(name: string, what: string, lagMs: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help: `How far ${what} is behind the journal`,
      registers: [this.registry],
      collect: () => gauge.set(lagMs() / 1000),
    });
  }

  render(): Promise<string> {
    return this.registry.metrics();
  }
}
