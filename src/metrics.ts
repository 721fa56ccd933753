import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Cluster } from './cluster/cluster.ts';
import type { Publisher } from './events/publisher.ts';
import type { HttpMetrics } from './http/ports.ts';
import type { Engine } from './ledger/engine.ts';
import type { AppendResult, ClaimResult, EngineObserver } from './ledger/ports.ts';
import type { Block, Command } from './ledger/types.ts';
import { METRICS, type MetricDeclaration, type MetricName } from './metric-table.ts';
import type { PoolFigures } from './mongo/pool-watch.ts';
import type { Expiry } from './payments/expiry.ts';
import type { Follower } from './payments/follower.ts';
import type { Consumer } from './queue/consumer.ts';
import type { OnCount } from './queue/counters.ts';
import { VERSION } from './version.ts';
import type { Deliverer } from './webhooks/deliverer.ts';

/** A value, or one for each of some labels. */
type Reading = number | readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

/** What Prometheus gets to see: what {@link METRICS} declares, and what the client library knows of the process. */
export class Metrics implements HttpMetrics, EngineObserver {
  readonly registry = new Registry();
  readonly contentType = this.registry.contentType;
  readonly #requests = this.#histogram('kvitt_http_request_duration_seconds');
  readonly #problems = this.#counter('kvitt_http_problems_total');
  readonly #claims = this.#histogram('kvitt_engine_claim_duration_seconds');
  readonly #appends = this.#histogram('kvitt_engine_append_duration_seconds');
  readonly #entries = this.#histogram('kvitt_engine_block_entries');

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#read('kvitt_build_info', () => [[{ version: VERSION }, 1]]);
  }

  requestEnded(method: string, route: string, status: number, durationSeconds: number, problem: string | null): void {
    this.#requests.labels(method, route, String(status)).observe(durationSeconds);
    if (problem !== null) this.#problems.labels(problem).inc();
  }

  claimed(_commands: readonly Command[], result: ClaimResult, durationMs: number): void {
    this.#claims.labels(result).observe(durationMs / 1000);
  }

  appended(blocks: readonly Block[], { landed, ended }: AppendResult, durationMs: number): void {
    this.#appends.labels(ended).observe(durationMs / 1000);
    for (const { entries } of blocks.slice(0, landed)) this.#entries.observe(entries.length);
  }

  /** Reads the engine's own figures whenever Prometheus asks. */
  watchEngine(engine: Pick<Engine, 'stats'>): void {
    const read = (name: MetricName, reading: (stats: ReturnType<Engine['stats']>) => Reading) =>
      this.#read(name, () => reading(engine.stats()));
    read('kvitt_engine_in_flight_commands', ({ inFlight }) => inFlight);
    read('kvitt_engine_in_flight_bytes', ({ inFlightBytes }) => inFlightBytes);
    read('kvitt_engine_queued_commands', ({ waitingForClaim, waitingForBlock }) =>
      by('queue', { claim: waitingForClaim, block: waitingForBlock }),
    );
    read('kvitt_engine_seals_total', ({ seals }) => seals);
    read('kvitt_engine_terms_total', ({ terms }) => terms);
    read('kvitt_engine_failed_rounds_total', ({ failed }) => failed);
    read('kvitt_engine_finished_claims_total', ({ claimsFinished }) => claimsFinished);
    read('kvitt_recovery_pending_claims', ({ claimsPending }) => claimsPending);
    read('kvitt_recovery_claims_total', ({ recovered: { finished, failed } }) => by('outcome', { finished, failed }));
    read('kvitt_recovery_commands_total', ({ recovered: { standing, drivenOn, expired } }) =>
      by('outcome', { standing, driven_on: drivenOn - expired, expired }),
    );
    read('kvitt_account_cache_accounts', ({ accountsInMemory }) => accountsInMemory);
    read('kvitt_account_cache_max_accounts', ({ accountsInMemoryMax }) => accountsInMemoryMax);
    read('kvitt_account_cache_lookups_total', ({ accountsFound, accountsRead }) =>
      by('result', { hit: accountsFound, miss: accountsRead }),
    );
    read('kvitt_account_cache_evictions_total', ({ accountsEvicted }) => accountsEvicted);
  }

  /** How far something that is written behind the journal is behind it. */
  watchLag(name: Extract<MetricName, `${string}_lag_seconds`>, follower: Pick<Follower, 'lagMs'>): void {
    this.#read(name, () => follower.lagMs() / 1000);
  }

  /** Events that are sent outside. */
  watchEvents(publisher: Pick<Publisher, 'sent'>): void {
    this.#read('kvitt_sent_events_total', () => publisher.sent);
  }

  watchExpiry(expiry: Pick<Expiry, 'released' | 'failed'>): void {
    this.#read('kvitt_expiry_released_holds_total', () => expiry.released);
    this.#read('kvitt_expiry_failures_total', () => expiry.failed);
  }

  watchPool(pool: PoolFigures): void {
    this.#read('kvitt_mongodb_pool_connections', () =>
      by('state', { in_use: pool.inUse, idle: pool.open - pool.inUse }),
    );
    this.#read('kvitt_mongodb_pool_waiting_operations', () => pool.waiting);
    this.#read('kvitt_mongodb_pool_wait_seconds_total', () => pool.waitedMs / 1000);
    this.#read('kvitt_mongodb_pool_failed_checkouts_total', () => pool.failed);
  }

  /** Answers what is to be told of each message. */
  countMessages(): OnCount {
    const received = this.#counter('kvitt_sqs_received_messages_total');
    const settled = this.#counter('kvitt_sqs_messages_total');
    const deleted = this.#counter('kvitt_sqs_deleted_messages_total');
    return (counter, reason) => {
      if (counter === 'received') received.inc();
      else if (counter === 'deleted') deleted.labels('deleted').inc();
      else if (counter === 'deleteFailed') deleted.labels('failed').inc();
      else if (counter === 'deadLettered') settled.labels('dead_lettered', reason ?? '').inc();
      else settled.labels(counter, '').inc();
    };
  }

  watchConsumer(consumer: Pick<Consumer, 'stats'>): void {
    this.#read('kvitt_sqs_in_flight_messages', () => consumer.stats().inFlight);
    this.#read('kvitt_sqs_receivers', () => consumer.stats().receivers);
  }

  /** What is delivered by webhooks from here. */
  watchWebhooks(deliverer: Pick<Deliverer, 'counts'>): void {
    this.#read('kvitt_webhook_attempts_total', () => {
      const { delivered, refused, failed } = deliverer.counts;
      return by('outcome', { delivered, refused, failed });
    });
    this.#read('kvitt_webhook_disabled_endpoints_total', () => deliverer.counts.disabled);
  }

  /** What this instance shares with others. */
  watchCluster(cluster: Pick<Cluster, 'stats'>): void {
    this.#read('kvitt_cluster_led_books', () => cluster.stats().ledNow);
    this.#read('kvitt_cluster_healthy_instances', () => (cluster.stats().isWell ? 1 : 0));
    this.#read('kvitt_cluster_leaderships_total', () => cluster.stats().moves);
    this.#read('kvitt_cluster_commands_total', () => {
      const { handedOver, alone } = cluster.stats();
      return by('carried', { handed_over: handedOver, alone });
    });
  }

  render(): Promise<string> {
    return this.registry.metrics();
  }

  #declared(name: MetricName) {
    const { help, labels } = METRICS[name];
    return { name, help, labelNames: [...labels], registers: [this.registry] };
  }

  #counter(name: MetricName): Counter {
    return new Counter(this.#declared(name));
  }

  #histogram(name: MetricName): Histogram {
    const { buckets = [] }: MetricDeclaration = METRICS[name];
    return new Histogram({ ...this.#declared(name), buckets: [...buckets] });
  }

  /** A metric that is read from its source whenever Prometheus asks. */
  #read(name: MetricName, read: () => Reading): void {
    if (METRICS[name].type === 'counter') {
      const counter: Counter = new Counter({
        ...this.#declared(name),
        collect: () => {
          counter.reset();
          for (const [labels, value] of readings(read())) counter.inc(labels, value);
        },
      });
      return;
    }
    const gauge: Gauge = new Gauge({
      ...this.#declared(name),
      collect: () => {
        for (const [labels, value] of readings(read())) gauge.set(labels, value);
      },
    });
  }
}

function readings(reading: Reading): Exclude<Reading, number> {
  return typeof reading === 'number' ? [[{}, reading]] : reading;
}

/** A value for each value of one label. */
function by(label: string, values: Readonly<Record<string, number>>): Reading {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value] as const);
}
