import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { verify } from '../../src/verification/verify.ts';
import { followEvent, paymentEvent } from '../queue/support/events.ts';
import { startTestSqs, TestQueues, type TestSqs } from '../queue/support/sqs.ts';
import type { List, Payment, Transaction } from './support/api.ts';
import { listsCaughtUp, useService } from './support/service.ts';

const EVENTS = 40;
let sqs: TestSqs;
let queues: TestQueues;
beforeAll(async () => {
  vi.stubEnv('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED', 'true');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  sqs = await startTestSqs();
  queues = await TestQueues.create(sqs.client);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await sqs.stop();
});

const settings = () => ({
  SQS_QUEUE_URL: queues.queueUrl,
  SQS_DEAD_LETTER_QUEUE_URL: queues.deadLetterQueueUrl,
  SQS_ENDPOINT: sqs.endpoint,
  SQS_WAIT_SECONDS: '1',
});
const service = useService(settings);
/** A second instance over the same database and queue. */
useService(() => ({ ...settings(), MONGODB_DATABASE: service.environment.MONGODB_DATABASE! }));

const posted = (account: string) => service.api.posted(account);

beforeAll(async () => {
  await service.api.createAccounts('world:EUR', 'alice', 'bob', { id: 'tokyo', currency: 'JPY' });
  await service.api.pay('world:EUR', 'alice', EVENTS);
});

describe('two services that consume one queue', () => {
  it('post each event once, however often it was sent', async () => {
    const events = Array.from({ length: EVENTS }, (_, n) => paymentEvent(`event-${n}`, { reference: `ref-${n}` }));
    await queues.send(...events, ...events.slice(0, 20), ...[...events].reverse());
    await queues.drained();
    expect([await posted('alice'), await posted('bob')]).toEqual(['0', String(EVENTS)]);
    await listsCaughtUp(service.db);
    const { data } = await service.api.read<List<Payment>>('/v1/payments?limit=100&account=bob');
    expect(data.map(({ reference }) => reference).sort()).toEqual(
      Array.from({ length: EVENTS }, (_, n) => `ref-${n}`).sort(),
    );
    expect(await queues.deadLetters()).toEqual(new Map());
  });

  it('dead-letter what can never be posted, each with its reason, and post its neighbours', async () => {
    await service.api.pay('world:EUR', 'alice', 2);
    const broken = '{"id": "broken", ';
    const stranger = paymentEvent('stranger', { source: 'nobody' });
    const yen = paymentEvent('yen', { destination: 'tokyo' });
    const reused = paymentEvent('event-1', { amount: '2' });
    await queues.send(paymentEvent('first'), broken, stranger, yen, reused, paymentEvent('last'));
    await queues.drained();
    expect(await posted('bob')).toBe(String(EVENTS + 2));
    const letters = await queues.deadLetters();
    expect(new Map([...letters].map(([body, { reason }]) => [body, reason]))).toEqual(
      new Map([
        [broken, 'malformed_json'],
        [stranger, 'account_not_found'],
        [yen, 'currency_mismatch'],
        [reused, 'idempotency_key_reused'],
      ]),
    );
    expect(letters.get(stranger)?.detail).toContain('nobody');
  });

  it('keep what the ledger rejected as rejected, and try it no more', async () => {
    const greedy = paymentEvent('greedy', { amount: '1000000', reference: 'greedy' });
    await queues.send(greedy, greedy);
    await queues.drained();
    await listsCaughtUp(service.db);
    const { data } = await service.api.read<List<Payment>>('/v1/payments?reference=greedy');
    expect(data).toMatchObject([{ status: 'rejected', rejection_reason: 'insufficient_funds' }]);
    expect(await queues.deadLetters()).toEqual(new Map());
  });

  it('capture, cancel and refund once, and keep what the ledger decided against as rejected', async () => {
    await service.api.createAccounts('carol', 'shop');
    await service.api.pay('world:EUR', 'carol', 300);
    const hold = (amount: number) => service.api.pay('carol', 'shop', amount, { capture: 'manual' });
    const [captured, canceled, paid] = [
      await hold(100),
      await hold(50),
      await service.api.pay('carol', 'shop', 30),
    ] as const;
    const events = [
      followEvent('capture', 'capture', captured.id, { amount: 60, final: true }),
      followEvent('cancel', 'cancel', canceled.id),
      followEvent('refund', 'refund', paid.id, { amount: '10', reference: 'back' }),
    ];
    await queues.send(...events, ...events, ...[...events].reverse());
    await queues.drained();
    await queues.send(
      followEvent('capture-again', 'capture', captured.id),
      followEvent('cancel-paid', 'cancel', paid.id),
    );
    await queues.drained();

    const statuses = await Promise.all(
      [captured, canceled, paid].map(({ id }) => service.api.read<Payment>(`/v1/payments/${id}`)),
    );
    expect(statuses).toMatchObject([
      { status: 'captured', amount_captured: '60', amount_held: '0' },
      { status: 'canceled', amount_captured: '0' },
      { status: 'posted', amount_refunded: '10' },
    ]);
    expect([await posted('carol'), await posted('shop')]).toEqual(['220', '80']);
    expect(await queues.deadLetters()).toEqual(new Map());
    const rejected = await service.api.read<List<Transaction>>('/v1/transactions?kind=capture');
    expect(rejected.data.map(({ status, rejection_reason }) => [status, rejection_reason])).toEqual([
      ['rejected', 'nothing_held'],
      ['posted', null],
    ]);
  });

  it('leave a ledger behind that holds', async () => {
    expect(await verify(new MongoAudit(service.db))).toMatchObject({ ok: true, breaks: [] });
  });
});
