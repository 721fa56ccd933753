import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { logOptions } from '../../src/log.ts';
import { type Parts, type Service, startService } from '../../src/main.ts';
import { freePort } from '../../src/mongo/free-ports.ts';
import { paymentEvent } from '../queue/support/events.ts';
import { startTestSqs, TestQueues, type TestSqs } from '../queue/support/sqs.ts';
import { Api } from '../service/support/api.ts';
import { useDatabase } from '../support/database.ts';
import { Collector } from './support/collector.ts';

const SERVER = 2;
const CONSUMER = 5;
const ERROR = 2;
/** An export is given up after 3 s: what takes longer than that cannot be seen within one. */
const SEEN_MS_MAX = 45_000;
/** The collector hears that an export was given up a little after whoever waited for it. */
const GIVEN_UP_HEARD_MS = 500;

const database = useDatabase();
const key = generateApiKey();
let sqs: TestSqs;
let queues: TestQueues;
let collector: Collector;
const started: Service[] = [];

beforeAll(async () => {
  vi.stubEnv('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED', 'true');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  sqs = await startTestSqs();
  queues = await TestQueues.create(sqs.client);
  const { service, api } = await serve({});
  await api.createAccounts('world:EUR', 'secret-shop', 'alice', 'bob');
  await service.stop();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await sqs.stop();
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

/** A service with its log, and a way to ask it; a test that wants to see its end stops it. */
async function serve(
  settings: Record<string, string>,
  parts: Parts = { http: true, consumer: true },
): Promise<{ service: Service; api: Api; logged: string[] }> {
  const config = readConfig({
    MONGODB_URI: database.uri,
    MONGODB_DATABASE: database.name,
    HTTP_PORT: '0',
    BOOTSTRAP_API_KEY: key,
    SQS_QUEUE_URL: queues.queueUrl,
    SQS_DEAD_LETTER_QUEUE_URL: queues.deadLetterQueueUrl,
    SQS_ENDPOINT: sqs.endpoint,
    SQS_WAIT_SECONDS: '1',
    ...settings,
  });
  const logged: string[] = [];
  const log = pino(logOptions('info'), { write: (line: string) => logged.push(line) });
  const service = await startService(config, log, parts);
  started.push(service);
  return { service, api: new Api(service.address!, key), logged };
}

function newTrace(flags = '01') {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

const PAYMENT = { source: 'world:EUR', destination: 'secret-shop', amount: 7_654_321, currency: 'EUR' };

function pay(api: Api, traceparent: string, idempotencyKey: string, payment: object = PAYMENT) {
  return api.send('POST', '/v1/payments', {
    headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey, traceparent },
    body: JSON.stringify(payment),
  });
}

const isLoaded = () =>
  Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('@opentelemetry/sdk-trace'));

it('without the setting nothing of it is loaded', async () => {
  const { service, api } = await serve({});
  const { traceparent } = newTrace();
  expect((await pay(api, traceparent, 'untraced')).status).toBe(201);
  await service.stop();
  expect(isLoaded()).toBe(false);
});

describe('with a collector', () => {
  beforeEach(async () => {
    collector = await Collector.start();
    return () => collector.stop();
  });

  it('a payment is traced from its request to the journal, in the trace of its caller, and flushed at the end', async () => {
    const { service, api } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    expect(isLoaded()).toBe(true);
    const caller = newTrace();
    const answer = await pay(api, caller.traceparent, 'traced');
    expect(answer.status).toBe(201);
    const { book, height, transaction_id } = answer.body as { book: number; height: number; transaction_id: string };
    await service.stop();

    expect([...collector.services]).toEqual(['kvitt']);
    const [request] = collector.named('POST /v1/payments');
    expect(request).toMatchObject({ kind: SERVER, traceId: caller.traceId, parentSpanId: caller.spanId });
    expect(request!.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/v1/payments',
      'http.response.status_code': 201,
      'kvitt.request_id': answer.headers.get('x-request-id'),
    });
    const [command] = collector.named('ledger payment');
    expect(command).toMatchObject({ traceId: caller.traceId, parentSpanId: request!.spanId });
    expect(command!.attributes).toMatchObject({
      'kvitt.command.id': transaction_id,
      'kvitt.book': book,
      'kvitt.height': height,
      'kvitt.replayed': false,
      'kvitt.queue_ms': expect.any(Number),
    });
    expect(command!.events.claim).toMatchObject({ 'kvitt.outcome': 'inserted', 'kvitt.commands': 1 });
    expect(command!.events.append).toMatchObject({
      'kvitt.book': book,
      'kvitt.height': height,
      'kvitt.entries': 1,
      'kvitt.duration_ms': expect.any(Number),
    });
    const [append] = collector.named('journal append');
    expect(append!.attributes).toMatchObject({ 'kvitt.book': book, 'kvitt.height': height, 'kvitt.outcome': 'done' });
    expect(append!.links).toEqual([command!.spanId]);
    expect(append!.traceId).not.toBe(caller.traceId);
    expect(JSON.stringify(collector.spans)).not.toMatch(/secret|7654321|world/);
  });

  it('what fails is said to, whoever asks for no recording has none, and health is not traced', async () => {
    const { service, api } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.endpoint}/` });
    const [refused, unsampled, broken] = [newTrace(), newTrace('00'), '00-not-a-trace-01'];
    expect(
      (
        await pay(api, refused.traceparent, 'poor', {
          ...PAYMENT,
          source: 'secret-shop',
          destination: 'alice',
          amount: 10 ** 12,
        })
      ).status,
    ).toBe(422);
    expect((await pay(api, unsampled.traceparent, 'unsampled')).status).toBe(201);
    expect((await pay(api, broken, 'broken')).status).toBe(201);
    expect((await api.get('/livez')).status).toBe(200);
    expect((await api.get('/nothing/here')).status).toBe(404);
    await service.stop();

    const ofRefused = collector.spans.filter(({ traceId }) => traceId === refused.traceId);
    expect(ofRefused.map(({ name }) => name).sort()).toEqual(['POST /v1/payments', 'ledger payment']);
    const [request, command] = ['POST /v1/payments', 'ledger payment'].map(
      (name) => ofRefused.find((span) => span.name === name)!.attributes,
    );
    expect(request).toMatchObject({ 'http.response.status_code': 422, 'error.type': 'insufficient_funds' });
    expect(command).toMatchObject({ 'kvitt.rejection_reason': 'insufficient_funds' });
    expect(collector.spans.filter(({ traceId }) => traceId === unsampled.traceId)).toEqual([]);
    expect(collector.named('POST /v1/payments')).toHaveLength(2);
    expect(collector.named('GET')).toHaveLength(1);
    expect(collector.spans.some(({ name }) => name.includes('livez'))).toBe(false);
  });

  it('each line of a bulk belongs to its request', async () => {
    const { service, api } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    const caller = newTrace();
    const lines = Array.from({ length: 300 }, (_, n) =>
      JSON.stringify({ ...PAYMENT, amount: 1, idempotency_key: `line-${n}` }),
    );
    const answer = await fetch(`${api.address}/v1/payments/bulk`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/x-ndjson',
        traceparent: caller.traceparent,
      },
      body: lines.join('\n'),
    });
    expect((await answer.text()).trim().split('\n')).toHaveLength(300);
    await service.stop();
    const [request] = collector.named('POST /v1/payments/bulk');
    const commands = collector.named('ledger payment');
    expect(commands).toHaveLength(300);
    expect(new Set(commands.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([request!.spanId]));
  });

  it('a message is worked on in the trace of whoever sent it', async () => {
    const { service } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    const caller = newTrace();
    await sqs.client.send(
      new SendMessageCommand({
        QueueUrl: queues.queueUrl,
        MessageBody: paymentEvent('traced-event', { source: 'world:EUR' }),
        MessageAttributes: { traceparent: { DataType: 'String', StringValue: caller.traceparent } },
      }),
    );
    await queues.drained();
    await service.stop();
    const ofCaller = collector.spans.filter(({ traceId }) => traceId === caller.traceId);
    const message = ofCaller.find(({ kind }) => kind === CONSUMER);
    expect(message).toMatchObject({ parentSpanId: caller.spanId, name: expect.stringMatching(/^process /) });
    expect(message!.attributes).toMatchObject({ 'messaging.system': 'aws_sqs', 'kvitt.outcome': 'posted' });
    expect(ofCaller.find(({ name }) => name === 'ledger payment')).toMatchObject({ parentSpanId: message!.spanId });
  });

  it('a line about a traced request names its trace', async () => {
    const { service, api, logged } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
    const caller = newTrace();
    const find = vi.spyOn(Object.getPrototypeOf(database.db.collection('journal')), 'find').mockImplementation(() => {
      throw new TypeError('planted');
    });
    const { status } = await api.send('GET', '/v1/transactions', { headers: { traceparent: caller.traceparent } });
    find.mockRestore();
    await service.stop();
    expect(status).toBe(503);
    const lines = logged.filter((line) => line.includes('request was slow or failed'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ trace_id: caller.traceId, request_id: expect.any(String) });
    const [span] = collector.named('GET /v1/transactions');
    expect(span).toMatchObject({ status: { code: ERROR } });
  });
});

describe('a collector that is of no use', () => {
  async function payAll(api: Api, count: number): Promise<void> {
    const { traceparent } = newTrace();
    const payments = Array.from({ length: count }, async (_, n) => {
      expect((await pay(api, traceparent, `${traceparent}/${n}`)).status).toBe(201);
    });
    await Promise.all(payments);
  }

  it('because it is down fails nothing, and is reported once', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const { service, api, logged } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    for (let round = 0; round < 5; round++) await payAll(api, 100);
    await service.stop();
    const warnings = logged.filter((line) => line.includes('the collector takes no traces'));
    expect(warnings).toHaveLength(1);
  });

  describe('because it hangs', () => {
    beforeEach(async () => {
      collector = await Collector.start();
      collector.hangs = true;
      return () => collector.stop();
    });

    it('fails and delays nothing', async () => {
      const { api } = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint });
      for (let round = 0; round < 5; round++) await payAll(api, 200);
      await expect.poll(areAnsweredMeanwhile, { timeout: SEEN_MS_MAX }).toBe(true);

      /** Payments that begin while an export hangs are answered while that one still does: they waited for none. */
      async function areAnsweredMeanwhile(): Promise<boolean> {
        const before = new Set(collector.open);
        await payAll(api, 20);
        await sleep(GIVEN_UP_HEARD_MS);
        return [...collector.open].some((request) => before.has(request));
      }
    });

    it('holds the end up for the grace time at most', async () => {
      const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, SHUTDOWN_GRACE_MS: '500' };
      await expect.poll(endsMeanwhile, { timeout: SEEN_MS_MAX }).toBe(true);

      /** An export outlives the service by a while: the end did not wait for it to be given up. */
      async function endsMeanwhile(): Promise<boolean> {
        // A consumer would wait for its queue at the end.
        const { service, api } = await serve(settings, { http: true, consumer: false });
        await payAll(api, 200);
        await expect.poll(() => collector.open.size).toBeGreaterThan(0);
        await service.stop();
        const left = new Set(collector.open);
        await sleep(GIVEN_UP_HEARD_MS);
        return [...collector.open].some((request) => left.has(request));
      }
    });
  });
});
