/** Events as those who are told get them: from the API and from a queue, against what each call was answered. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EventResource } from '../../src/events/schemas.ts';
import type { EventType } from '../../src/events/types.ts';
import { MongoNotices } from '../../src/mongo/notices.ts';
import { aBreak, anAdjustedBreak, aReconciliation } from '../events/support/notices.ts';
import { startTestSqs, type TestSqs } from '../queue/support/sqs.ts';
import { type Account, createAccountsInBook, type Payment } from './support/api.ts';
import { useService } from './support/service.ts';

interface EventPage {
  readonly data: EventResource[];
  readonly has_more: boolean;
  readonly next_cursor: string;
}

const BOOKS = 4;
const ROUNDS = 12;
const PAGES_MAX = 500;

let sqs: TestSqs;
let queueUrl: string;
let wallets: string[];
/** What each call that decided something was answered, by its transaction: the event that it must have become. */
const expected = new Map<string, EventType | null>();
const requests = new Map<string, EventResource['request']>();

beforeAll(async () => {
  sqs = await startTestSqs();
  const attributes = { FifoQueue: 'true', ContentBasedDeduplication: 'false' };
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName: 'out.fifo', Attributes: attributes }));
  queueUrl = QueueUrl!;
});
const service = useService(() => ({
  BOOKS: String(BOOKS),
  SQS_OUT_QUEUE_URL: queueUrl,
  SQS_ENDPOINT: sqs.endpoint,
  AWS_REGION: 'us-east-1',
}));
// The SDK takes these from the environment, as in production.
process.env.AWS_ACCESS_KEY_ID ??= 'test';
process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
afterAll(() => sqs.stop());

/** A payment, a transaction or a problem. */
type Decided = Readonly<Record<'id' | 'transaction_id' | 'last_transaction_id', string>>;

async function decide(path: string, body: object, done: EventType, rejected: EventType | null = null) {
  const key = randomUUID();
  const answer = await service.api.post<Decided>(path, body, key);
  const { id, transaction_id: own, last_transaction_id: last } = answer.body;
  const transaction = answer.status >= 400 ? own : (last ?? id);
  expected.set(transaction, answer.status >= 400 ? rejected : done);
  requests.set(transaction, { id: answer.headers.get('x-request-id'), idempotency_key: key });
  return answer.body;
}

const pay = (body: object, done: EventType) =>
  decide('/v1/payments', { currency: 'EUR', ...body }, done, 'payment.rejected');

async function lifeOf(source: string, destination: string, round: number): Promise<void> {
  await pay({ source: 'world:EUR', destination: source, amount: 1_000 }, 'payment.posted');
  const paid = await pay({ source, destination, amount: 100, reference: `r${round}` }, 'payment.posted');
  await decide(`/v1/payments/${paid.id}/refund`, { amount: 40 }, 'payment.refunded', 'payment.refund_rejected');
  await pay({ source, destination, amount: 1_000_000 }, 'payment.posted');
  const splits = [
    { destination, amount: 10 },
    { destination: wallets[round % wallets.length]!, rest: true },
  ];
  if (splits[1]!.destination !== destination && splits[1]!.destination !== source) {
    await pay({ source, splits, amount: 30 }, 'payment.posted');
  }
  const held = await pay({ source, destination, amount: 200, capture: 'manual' }, 'payment.authorized');
  const follow = (what: string, body: object, done: EventType, rejected: EventType) =>
    decide(`/v1/payments/${held.id}/${what}`, body, done, rejected);
  await follow('capture', { amount: 50 }, 'payment.captured', 'payment.capture_rejected');
  await follow('capture', { amount: 500 }, 'payment.captured', 'payment.capture_rejected');
  await follow('cancel', {}, 'payment.canceled', 'payment.cancel_rejected');
  await follow('refund', { amount: 50 }, 'payment.refunded', 'payment.refund_rejected');
  await follow('refund', { amount: 50 }, 'payment.refunded', 'payment.refund_rejected');
  const postings = [
    { account: source, amount: '-5', currency: 'EUR' },
    { account: destination, amount: '-5', currency: 'EUR' },
    { account: 'world:EUR', amount: '10', currency: 'EUR' },
  ];
  const moved = await decide('/v1/transactions', { postings }, 'transaction.posted', 'transaction.rejected');
  await decide(`/v1/transactions/${moved.id}/reverse`, {}, 'transaction.reversed', 'transaction.reversal_rejected');
}

async function readAll(query: string, limit: number): Promise<EventResource[]> {
  const events: EventResource[] = [];
  let path = `/v1/events?limit=${limit}${query}`;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const { headers, body } = await service.api.get<EventPage>(path);
    events.push(...body.data);
    path = /^<(.*)>; rel="next"$/.exec(headers.get('link')!)![1]!;
    expect(path).toContain(`cursor=${body.next_cursor}`);
    if (!body.has_more) return events;
  }
  throw new Error(`events did not end after ${PAGES_MAX} pages`);
}

/** All that the queue holds, in the order in which it gives it out. */
async function receiveAll(): Promise<Message[]> {
  const received: Message[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        AttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    if (Messages.length === 0) return received;
    received.push(...Messages);
    const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle: ReceiptHandle! }));
    await sqs.client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
  }
}

function byGroup(events: readonly EventResource[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group, id } of events) groups.set(group, [...(groups.get(group) ?? []), id]);
  return groups;
}

/** Of a run that found a break, and of the break, which a transaction resolved. */
async function notice(source: string): Promise<void> {
  const log = new MongoNotices(service.db);
  const [object, settled] = [aBreak(source, { source }), anAdjustedBreak(source, `txn_${source}`)];
  await log.append(`${source} found`, [
    { type: 'reconciliation.break_opened', object },
    { type: 'reconciliation.completed', object: aReconciliation(source, { source }) },
  ]);
  const askedBy = { requestId: `req_${source}`, idempotencyKey: 'adjust' };
  const resolved = { type: 'reconciliation.break_resolved', object: { ...settled, source }, askedBy } as const;
  await log.append(`${source} resolved`, [resolved]);
  await log.append(`${source} resolved`, [resolved]);
}

function isNotice({ type }: EventResource): boolean {
  return type.startsWith('reconciliation.');
}

describe('events', () => {
  let all: EventResource[];

  beforeAll(async () => {
    const { api } = service;
    await api.post('/v1/accounts', { id: 'world:EUR', currency: 'EUR' });
    const perBook = await Promise.all(
      Array.from({ length: BOOKS }, (_, book) => createAccountsInBook(api, book, `wallet${book}`, 1)),
    );
    wallets = perBook.flat();
    const lives = Array.from({ length: ROUNDS }, (_, round) =>
      lifeOf(wallets[round % BOOKS]!, wallets[(round + 1 + Math.floor(round / BOOKS)) % BOOKS]!, round),
    );
    await Promise.all(lives);
    const [own] = await createAccountsInBook(api, 1, 'frozen', 1);
    const account = `/v1/accounts/${own}`;
    for (const change of ['freeze', 'unfreeze', 'close']) {
      expect((await api.post<Account>(`${account}/${change}`, {})).status).toBe(200);
    }
    await notice('bank');
    await notice('acquirer');
    all = await readAll('', 7);
  });

  it('tell of each decision exactly once, and of nothing else', () => {
    const changes = all.filter(({ type }) => type === 'account.changed');
    const told = all.filter((event) => event.type !== 'account.changed' && !isNotice(event));
    expect(changes.map(({ data }) => (data.object as { status: string }).status)).toEqual(['frozen', 'open', 'closed']);
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
    expect(new Map(told.map(({ transaction_id, type }) => [transaction_id, type]))).toEqual(expected);
    expect(new Map(told.map(({ transaction_id, request }) => [transaction_id, request]))).toEqual(requests);
    expect(told.length).toBeGreaterThan(ROUNDS * 11);
  });

  it('tell of what was noticed besides, each once and in its order', () => {
    const noticed = all.filter(isNotice);
    const of = (source: string) => noticed.filter(({ group }) => group === `reconciliation:${source}`);
    expect(noticed).toHaveLength(6);
    for (const source of ['bank', 'acquirer']) {
      const events = of(source);
      expect(events.map(({ type }) => type)).toEqual([
        'reconciliation.break_opened',
        'reconciliation.completed',
        'reconciliation.break_resolved',
      ]);
      expect(events.map(({ transaction_id }) => transaction_id)).toEqual([null, null, `txn_${source}`]);
      expect(events.map(({ request }) => request.id)).toEqual([null, null, `req_${source}`]);
      expect(events[0]!.data.object).toEqual(aBreak(source, { source }));
    }
    expect(noticed.map(({ book, height }) => [book, height])).toEqual(
      [1, 1, 2, 3, 3, 4].map((height) => [null, height]),
    );
  });

  it('of one payment come in the order in which they happened, and show how it stood after each', () => {
    const ofPayments = all.filter(({ data }) => data.object.object === 'payment');
    const kinds = new Map<string, string[]>();
    for (const { type, data } of ofPayments) {
      const { id, amount_captured, amount_refunded } = data.object as Payment;
      kinds.set(id, [...(kinds.get(id) ?? []), `${type} ${amount_captured}/${amount_refunded}`]);
    }
    const held = [...kinds.values()].filter(([first]) => first?.startsWith('payment.authorized'));
    expect(held).toHaveLength(ROUNDS);
    for (const kind of held) {
      expect(kind.slice(0, 4)).toEqual([
        'payment.authorized 0/0',
        'payment.captured 50/0',
        'payment.canceled 50/0',
        'payment.refunded 50/50',
      ]);
    }
  });

  it('are the same one by one, by any page size, and by each filter', async () => {
    expect(await readAll('', 1000)).toEqual(all);
    const one = all[17]!;
    expect(await service.api.read(`/v1/events/${one.id}`)).toEqual(one);
    const refunds = await readAll('&types=payment.refunded,payment.refund_rejected', 3);
    expect(refunds).toEqual(all.filter(({ type }) => /refund/.test(type)));
    const of = (account: string) => (event: EventResource) => JSON.stringify(event.data).includes(`"${account}"`);
    expect(
      await readAll('&types=reconciliation.completed,reconciliation.break_opened,reconciliation.break_resolved', 2),
    ).toEqual(all.filter(isNotice));
    const noticed = all.find(isNotice)!;
    expect(await service.api.read(`/v1/events/${noticed.id}`)).toEqual(noticed);
    expect(await readAll(`&account=${wallets[2]}`, 5)).toEqual(all.filter(of(wallets[2]!)));
    const since = all[all.length >> 1]!.created_at;
    const later = await readAll(`&created[gte]=${since}`, 50);
    expect(later.map(({ id }) => id).sort()).toEqual(
      all
        .filter(({ created_at }) => created_at >= since)
        .map(({ id }) => id)
        .sort(),
    );
  });

  it('go on from a cursor: what is decided later comes after it, and nothing twice', async () => {
    let cursor = '';
    const before = new Set<string>();
    for (;;) {
      const page = await service.api.read<EventPage>(`/v1/events?${cursor}`);
      for (const { id } of page.data) before.add(id);
      cursor = `cursor=${page.next_cursor}`;
      if (!page.has_more) break;
    }
    const payment = await service.api.pay('world:EUR', wallets[0]!, 5);
    const { data } = await service.api.read<EventPage>(`/v1/events?${cursor}`);
    expect(data.map(({ transaction_id }) => transaction_id)).toEqual([payment.transaction_id]);
    expect(before.has(data[0]!.id)).toBe(false);
    const late = await service.api.get<{ code: string }>('/v1/events?cursor=djF4');
    expect([late.status, late.body.code]).toEqual([400, 'invalid_cursor']);
  });

  it('are as their published schemas say', async () => {
    const ajv = new Ajv2020({ strict: true, allErrors: true });
    addFormats.default(ajv);
    const types = new Set(all.map(({ type }) => type));
    // Holds are released by a job, which another test waits for.
    expect([...types].sort()).toEqual(
      [
        'account.changed',
        ...[
          'authorized',
          'canceled',
          'capture_rejected',
          'captured',
          'posted',
          'refund_rejected',
          'refunded',
          'rejected',
        ].map((what) => `payment.${what}`),
        ...['posted', 'reversed'].map((what) => `transaction.${what}`),
        ...['break_opened', 'break_resolved', 'completed'].map((what) => `reconciliation.${what}`),
      ].sort(),
    );
    for (const type of types) {
      const file = new URL(`../../schemas/events/${type}.json`, import.meta.url);
      const validate = ajv.compile(JSON.parse(await readFile(file, 'utf8')));
      for (const event of all.filter((each) => each.type === type)) {
        expect(validate(event), JSON.stringify(validate.errors)).toBe(true);
      }
      expect(validate({ ...all[0], type: 'other' })).toBe(false);
    }
  });

  it('are sent to the queue, each once, in the order of their groups', async () => {
    const messages: Message[] = [];
    const now = await readAll('', 1000);
    await vi.waitFor(
      async () => {
        messages.push(...(await receiveAll()));
        expect(messages.length).toBeGreaterThanOrEqual(now.length);
      },
      { timeout: 40_000, interval: 200 },
    );
    const sent = messages.map(({ Body }) => JSON.parse(Body!) as EventResource);
    expect(sent).toHaveLength(now.length);
    expect(new Map(sent.map((event) => [event.id, event]))).toEqual(new Map(now.map((event) => [event.id, event])));
    expect(byGroup(sent)).toEqual(byGroup(now));
    for (const { Body, Attributes, MessageAttributes } of messages) {
      const { id, type, group } = JSON.parse(Body!) as EventResource;
      expect(Attributes).toMatchObject({ MessageGroupId: group, MessageDeduplicationId: id });
      expect(MessageAttributes?.type?.StringValue).toBe(type);
    }
  });

  it('are sent on after a restart from where it stopped', async () => {
    await service.restart({});
    const payment = await service.api.pay('world:EUR', wallets[1]!, 7);
    const adjusted = { ...anAdjustedBreak('late', 'txn_late'), source: 'late' };
    const log = new MongoNotices(service.db);
    await log.append('late', [{ type: 'reconciliation.break_resolved', object: adjusted }]);
    const messages: Message[] = [];
    await vi.waitFor(async () => {
      messages.push(...(await receiveAll()));
      expect(messages.length).toBeGreaterThanOrEqual(2);
    }, 40_000);
    const sent = messages.map(({ Body }) => (JSON.parse(Body!) as EventResource).transaction_id);
    expect(sent.sort()).toEqual([payment.transaction_id, 'txn_late'].sort());
  });
});
