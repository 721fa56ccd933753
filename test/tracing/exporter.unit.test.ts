import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTracing, type Tracing } from '../../src/tracing/tracing.ts';
import { quietLog } from '../support/log.ts';
import { Collector } from './support/collector.ts';

/** As the exporter has it: what is queued, and what is on its way. */
const QUEUED_MAX = 8_192;
const BATCH_MAX = 512;
const CLOSE_MS = 500;

let collector: Collector;
let tracing: Tracing;
beforeEach(async () => {
  collector = await Collector.start();
  tracing = start();
  return () => collector.stop();
});
afterEach(() => tracing.close(0));

function start(): Tracing {
  return startTracing({ endpoint: collector.endpoint, version: '1.2.3', log: quietLog });
}

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
  const sent: number[] = [];
  await expect.poll(endsMeanwhile).toBe(true);
  expect(Math.max(...sent)).toBeLessThanOrEqual((QUEUED_MAX + BATCH_MAX) / BATCH_MAX);

  /** Exports outlive the end by a while: it did not wait for them to be given up, which takes longer. */
  async function endsMeanwhile(): Promise<boolean> {
    const before = collector.requests;
    tracing = start();
    traceRequests(2 * QUEUED_MAX);
    await tracing.close(CLOSE_MS);
    const left = new Set(collector.open);
    await sleep(CLOSE_MS);
    sent.push(collector.requests - before);
    return [...collector.open].some((request) => left.has(request));
  }
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
