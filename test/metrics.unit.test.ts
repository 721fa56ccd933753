import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../src/ledger/engine.ts';
import { systemRuntime } from '../src/ledger/runtime.ts';
import { METRICS, type MetricDeclaration } from '../src/metric-table.ts';
import { Metrics } from '../src/metrics.ts';
import { anAccount, aPayment } from './support/commands.ts';
import { quietLog } from './support/log.ts';
import { MemoryStore } from './support/memory-store.ts';

interface Row {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly meaning: string;
}

/** Rows of the tables of metrics in docs/metrics.md. */
const DOCUMENTED: readonly Row[] = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => /^\| `(\w+)` \| (counter|gauge|histogram) \| (\w+) \| (.*?) ?\| (.+) \|$/.exec(line))
  .filter((row) => row !== null)
  .map(([, name, type, unit, labels, meaning]) => ({
    name: name!,
    type: type!,
    unit: unit!,
    labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!),
    meaning: meaning!,
  }));
const DECLARED = Object.entries(METRICS) as [string, MetricDeclaration][];
const FIGURES = { handedOver: 1, alone: 2, moves: 3, ledNow: 4, isWell: true };

let metrics: Metrics;
beforeAll(async () => {
  metrics = new Metrics();
  const store = new MemoryStore(systemRuntime);
  for (const id of ['world', 'a']) store.accounts.set(id, anAccount(id, { minBalance: null }));
  const [journal, claims, accounts] = [store.journal(), store.claimsPort(), store.accountsPort()];
  const engine = new Engine({ journal, claims, accounts, log: quietLog, observers: [metrics] });
  await engine.submit(aPayment('world', 'a', 5n));
  await engine.stop();
  metrics.watchEngine(engine);
  metrics.watchLag('kvitt_payments_view_lag_seconds', { lagMs: () => 1_500 });
  metrics.watchLag('kvitt_account_balances_lag_seconds', { lagMs: () => 0 });
  metrics.watchLag('kvitt_events_lag_seconds', { lagMs: () => 20 });
  metrics.watchEvents({ sent: 11 });
  metrics.watchLag('kvitt_webhooks_lag_seconds', { lagMs: () => 30 });
  metrics.watchWebhooks({ counts: { delivered: 4, refused: 3, failed: 2, disabled: 1 } });
  metrics.watchExpiry({ released: 7, failed: 1 });
  metrics.watchPool({ open: 5, inUse: 2, waiting: 1, failed: 3, waitedMs: 1500 });
  metrics.watchCluster({ stats: () => FIGURES });
  const onCount = metrics.countMessages();
  for (const counter of ['received', 'posted', 'deleted', 'received', 'deleteFailed'] as const) onCount(counter);
  onCount('deadLettered', 'malformed_json');
  metrics.watchConsumer({ stats: () => ({ inFlight: 9, receivers: 2 }) as never });
  metrics.requestEnded('POST', '/v1/payments', 201, 0.02, null);
  metrics.requestEnded('POST', '/v1/payments', 503, 0.001, 'overloaded');
});

describe('docs/metrics.md', () => {
  it('names every metric that is served, as it is, and no other', async () => {
    const served = (await metrics.registry.getMetricsAsJSON()).map(({ name, type }) => ({ name, type: String(type) }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    const documented = DOCUMENTED.map(({ name, type }) => ({ name, type }));
    expect(documented.sort(byName)).toEqual(served.sort(byName));
  });

  it.each(DECLARED)('says of %s what is declared', (name, { type, unit, labels, help }) => {
    expect(DOCUMENTED.find((row) => row.name === name)).toEqual({ name, type, unit, labels, meaning: help });
  });
});

describe('names', () => {
  it.each(DECLARED)('%s ends with its unit, and with _total if it only grows', (name, { type, unit }) => {
    expect(name).toMatch(/^kvitt_[a-z]+(_[a-z]+)+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(name.replace(/_total$/, '')).toMatch(new RegExp(`_${unit}$`));
  });
});

describe('a scrape', () => {
  it('holds what happened', async () => {
    const text = await metrics.render();
    for (const line of [
      'kvitt_http_request_duration_seconds_count{method="POST",route="/v1/payments",status="201"} 1',
      'kvitt_http_problems_total{code="overloaded"} 1',
      'kvitt_engine_in_flight_commands 0',
      'kvitt_engine_queued_commands{queue="claim"} 0',
      'kvitt_engine_claim_duration_seconds_count{outcome="inserted"} 1',
      'kvitt_engine_append_duration_seconds_count{outcome="done"} 1',
      'kvitt_engine_block_entries_sum 1',
      'kvitt_engine_terms_total 1',
      'kvitt_engine_finished_claims_total 1',
      'kvitt_account_cache_accounts 2',
      'kvitt_account_cache_lookups_total{result="miss"} 2',
      'kvitt_recovery_claims_total{outcome="failed"} 0',
      'kvitt_payments_view_lag_seconds 1.5',
      'kvitt_sent_events_total 11',
      'kvitt_webhook_attempts_total{outcome="refused"} 3',
      'kvitt_webhook_disabled_endpoints_total 1',
      'kvitt_expiry_released_holds_total 7',
      'kvitt_mongodb_pool_connections{state="idle"} 3',
      'kvitt_mongodb_pool_wait_seconds_total 1.5',
      'kvitt_mongodb_pool_failed_checkouts_total 3',
      'kvitt_sqs_received_messages_total 2',
      'kvitt_sqs_messages_total{outcome="posted",reason=""} 1',
      'kvitt_sqs_messages_total{outcome="dead_lettered",reason="malformed_json"} 1',
      'kvitt_sqs_deleted_messages_total{outcome="failed"} 1',
      'kvitt_sqs_in_flight_messages 9',
      'kvitt_cluster_led_books 4',
      'kvitt_cluster_commands_total{carried="handed_over"} 1',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
  });

  it('counts from the same source once, however often it is made', async () => {
    await metrics.render();
    expect(await metrics.render()).toContain('kvitt_expiry_released_holds_total 7\n');
  });

  it('has the declared labels only', async () => {
    for (const { name, type, values } of await metrics.registry.getMetricsAsJSON()) {
      const declared = (METRICS as Record<string, MetricDeclaration>)[name];
      if (declared === undefined) continue;
      const own = String(type) === 'histogram' ? ['le'] : [];
      for (const { labels } of values)
        expect([...declared.labels, ...own]).toEqual(expect.arrayContaining(Object.keys(labels)));
    }
  });
});
