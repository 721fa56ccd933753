/** FIFO queues: on the embedded server, which hands out one message of a group at a time, and on one that hands out several. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LedgerError } from '../../src/ledger/errors.ts';
import { paymentEvent } from './support/events.ts';
import { MemoryPayments } from './support/memory-payments.ts';
import { startTestSqs, TestQueues, type TestSqs, WAIT_MS } from './support/sqs.ts';

const GROUPS = ['a', 'b', 'c', 'd', 'e'];
const NOT_JSON = 'no event';

describe.each(['embedded', 'elasticmq'] as const)('a FIFO queue of the server %s', (server) => {
  let sqs: TestSqs;
  let queues: TestQueues;
  let payments: MemoryPayments;
  /** Ids of events in the order in which their work ended, by group: what stands before the dash. */
  let done: Map<string, string[]>;

  beforeAll(async () => {
    sqs = await startTestSqs(server);
  });
  afterAll(() => sqs.stop());
  beforeEach(async () => {
    queues = await TestQueues.create(sqs.client, { fifo: true });
    payments = new MemoryPayments({ alice: 1_000n, bob: 0n });
    done = new Map();
    const create = payments.createPayment.bind(payments);
    payments.createPayment = async (request, caller) => {
      const answer = await create(request, caller);
      const [group] = caller.key.split('-') as [string];
      done.set(group, [...(done.get(group) ?? []), caller.key]);
      return answer;
    };
  });
  afterEach(() => queues.stop());

  const idsOf = (group: string, count: number) => Array.from({ length: count }, (_, n) => `${group}-${n}`);

  it('is worked off in the order of each group, by two consumers, whatever some of its messages meet', async () => {
    const troubles = new Map([
      ['a-3', 1],
      ['b-0', 2],
      ['e-9', 1],
    ]);
    payments.before = async (_, { key }) => {
      await sleep(Math.random() * 10);
      const left = troubles.get(key) ?? 0;
      if (left > 0) troubles.set(key, left - 1);
      if (left > 0) throw new LedgerError('unavailable', 'not now');
    };
    for (let n = 0; n < 12; n++) {
      await queues.sendInGroups(GROUPS.map((group) => [group, paymentEvent(`${group}-${n}`)]));
    }
    const consumers = [queues.consume(payments), queues.consume(payments)];
    await queues.drained();

    for (const group of GROUPS) expect(done.get(group)).toEqual(idsOf(group, 12));
    const [failed, posted] = (['failed', 'posted'] as const).map((name) =>
      consumers.reduce((sum, consumer) => sum + consumer.stats()[name], 0),
    );
    expect({ failed, posted }).toEqual({ failed: 4, posted: 60 });
  });

  it('lets groups go on beside one that waits', async () => {
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    payments.before = (_, { key }) => (key === 'a-0' ? held : undefined);
    await queues.sendInGroups(['a', 'a', 'b', 'b'].map((group, n) => [group, paymentEvent(`${group}-${n % 2}`)]));
    const consumer = queues.consume(payments, { visibilityTimeoutSeconds: 6 });
    await expect.poll(() => done.get('b'), { timeout: WAIT_MS }).toEqual(['b-0', 'b-1']);
    await sleep(6_500);
    expect(done.get('a')).toBeUndefined();

    finish();
    await queues.drained();
    expect(done.get('a')).toEqual(['a-0', 'a-1']);
    expect(consumer.stats()).toMatchObject({ posted: 4, replayed: 0 });
  });

  it('dead-letters a message that can never be done, and its group goes on', async () => {
    await queues.sendInGroups([
      ['a', paymentEvent('a-0')],
      ['a', NOT_JSON],
      ['a', paymentEvent('a-1')],
    ]);
    const consumer = queues.consume(payments);
    await queues.drained();

    expect(done.get('a')).toEqual(['a-0', 'a-1']);
    expect(consumer.stats()).toMatchObject({ posted: 2, deadLettered: { malformed_json: 1 } });
    expect([...(await queues.deadLetters()).keys()]).toEqual([NOT_JSON]);
  });

  it('stops the group of such a message, and no other, when it is told to', async () => {
    await queues.sendInGroups([
      ['a', paymentEvent('a-0')],
      ['a', NOT_JSON],
      ['a', paymentEvent('a-1')],
      ['b', paymentEvent('b-0')],
    ]);
    const consumer = queues.consume(payments, { poisonInGroup: 'stop_group', retryDelayMaxSeconds: 1 });
    await expect.poll(() => consumer.stats().stopped, { timeout: WAIT_MS }).toBeGreaterThan(1);

    expect(done).toEqual(
      new Map([
        ['a', ['a-0']],
        ['b', ['b-0']],
      ]),
    );
    expect(await queues.size()).toBe(2);
    expect(await queues.deadLetters()).toEqual(new Map());
    expect(queues.warnings).toContain('SQS message stops its group: remove it from the queue, or mend what it needs');
  });

  it('goes on with a group that was stopped once what it needs is there, however often it was received meanwhile', async () => {
    await queues.sendInGroups([
      ['a', paymentEvent('a-0', { destination: 'nobody' })],
      ['a', paymentEvent('a-1')],
      ['a', paymentEvent('a-2')],
    ]);
    const settings = { poisonInGroup: 'stop_group', retryDelayMaxSeconds: 1, maxReceiveCount: 1 } as const;
    const consumer = queues.consume(payments, settings);
    await expect.poll(() => consumer.stats().stopped, { timeout: WAIT_MS }).toBeGreaterThan(2);
    payments.balances.set('nobody', 0n);
    await queues.drained();
    expect(done.get('a')).toEqual(['a-0', 'a-1', 'a-2']);
    expect(consumer.stats().deadLettered).toEqual({});
  });

  it('gives those behind a message that fails for long as many tries as it had', async () => {
    const left = new Map([
      ['a-0', 99],
      ['a-1', 2],
      ['a-2', 2],
    ]);
    payments.before = (_, { key }) => {
      left.set(key, (left.get(key) ?? 0) - 1);
      if (left.get(key)! >= 0) throw new LedgerError('idempotency_key_in_progress', 'not now');
    };
    await queues.sendInGroups(idsOf('a', 4).map((id) => ['a', paymentEvent(id)]));
    const consumer = queues.consume(payments, { retryDelayMaxSeconds: 1, maxReceiveCount: 3 });
    await queues.drained();
    expect(done.get('a')).toEqual(['a-1', 'a-2', 'a-3']);
    expect(consumer.stats()).toMatchObject({ deadLettered: { too_many_receives: 1 }, failed: 6 });
  });

  it('has one effect for an event that was sent in two groups', async () => {
    const id = randomUUID();
    await queues.sendInGroups([
      ['a', paymentEvent(id)],
      ['b', paymentEvent(id)],
    ]);
    const consumer = queues.consume(payments);
    await queues.drained();
    expect(payments.balances.get('bob')).toBe(1n);
    expect(consumer.stats()).toMatchObject({ posted: 1, replayed: 1 });
  });
});
