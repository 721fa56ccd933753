import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startTracing, type Tracing } from '../../src/tracing/tracing.ts';
import { quietLog } from '../support/log.ts';
import { Collector } from './support/collector.ts';

/** As the exporter has it: what is queued, and what is on its way. */
const QUEUED_MAX = 8_192;
const BATCH_MAX = 512;
const CLOSE_MS = 2_000;

let collector: Collector;
let tracing: Tracing;
beforeEach(async () => {
  collector = await Collector.start();
  tracing = startTracing({ endpoint: collector.endpoint, version: '1.2.3', log: quietLog });
  return () => collector.stop();
});
afterEach(() => tracing.close(0));

function traceRequests(count: number): void {
  for (let i = 0; i < count; i++) {
    tracing.requests
      .begin({ id: `req_${i}`, method: 'GET', route: '/v1/accounts', httpVersion: '1.1', headers: {} })
      .end(200, null);
  }
}

it('sends what is left at the end', async () => {
  traceRequests(1_300);
  await tracing.close(5_000);
  expect(collector.named('GET /v1/accounts')).toHaveLength(1_300);
});

it('keeps so many spans and no more while the collector hangs, and ends in time', async () => {
  collector.hangs = true;
  traceRequests(2 * QUEUED_MAX);
  const began = performance.now();
  const ended = tracing.close(CLOSE_MS);
  await vi.waitFor(() => expect(collector.requests).toBeGreaterThan(0), CLOSE_MS);
  expect(collector.requests).toBeLessThanOrEqual((QUEUED_MAX + BATCH_MAX) / BATCH_MAX);
  await ended;
  // Not for as long as a collector may hang.
  expect(performance.now() - began).toBeLessThan(CLOSE_MS + 5_000);
});

it('says when the sender hung up, and what went wrong', async () => {
  const request = { id: 'req_1', method: 'POST', route: null, httpVersion: '1.1', headers: {} };
  tracing.requests.begin(request).end(null, null);
  tracing.requests.begin(request).end(503, 'overloaded');
  await tracing.close(5_000);
  const [hungUp, refused] = collector.named('POST');
  expect(hungUp!.attributes).toMatchObject({ 'error.type': 'hung_up' });
  expect(hungUp!.attributes).not.toHaveProperty('http.response.status_code');
  expect(refused!.attributes).toMatchObject({ 'error.type': 'overloaded', 'http.response.status_code': 503 });
  for (const { status } of [hungUp!, refused!]) expect(status).toMatchObject({ code: 2 });
});
