/** The log of notices on a real replica set. */
import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStreams } from '../../src/events/streams.ts';
import { type EventView, NOTICES } from '../../src/events/types.ts';
import { MongoJournalQueries } from '../../src/mongo/journal-queries.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoNotices } from '../../src/mongo/notices.ts';
import { anAdjustedBreak, aReconciliation, opened } from '../events/support/notices.ts';
import { connectClient, useDatabase } from '../support/database.ts';

const APPENDERS = 20;
const EACH = 5;

const database = useDatabase();
let log: MongoNotices;

beforeAll(() => migrateUp(database.db).then(() => undefined));
beforeEach(async () => {
  await database.db.collection('notices').deleteMany({});
  log = new MongoNotices(database.db);
});

const streams = () => new EventStreams(new MongoJournalQueries(database.db), log);
const numbers = (count: number, name = '') => Array.from({ length: count }, (_, i) => `${name}${i}`);

const breakOf = ({ subject }: EventView) => subject.kind === 'break' && subject.break.id;

async function readAll(): Promise<EventView[]> {
  const read: EventView[] = [];
  for (let height = 0; ; ) {
    const { events, upTo, isAtTip } = await streams().after(NOTICES, height);
    read.push(...events);
    height = upTo;
    if (isAtTip) return read;
  }
}

describe('the log of notices', () => {
  it('gives back what was appended, in order, as it was', async () => {
    const object = aReconciliation('1', { by_line: { 'a.b': 1, $c: [1.5, 2 ** 40, -1, null, true], '': '' } });
    await log.append('a', [{ type: 'reconciliation.completed', object }, ...opened('1')]);
    const askedBy = { requestId: 'req_1', idempotencyKey: null };
    const adjusted = anAdjustedBreak('1', 'txn_1');
    await log.append('b', [{ type: 'reconciliation.break_resolved', object: adjusted, askedBy }]);
    await log.append('nothing', []);
    const [first, second, third, ...more] = await readAll();
    expect(more).toEqual([]);
    expect(first).toMatchObject({ type: 'reconciliation.completed', height: 1, index: 0, transactionId: null });
    expect(first!.subject).toEqual({ kind: 'reconciliation', reconciliation: object });
    expect(second).toMatchObject({ type: 'reconciliation.break_opened', height: 1, index: 1 });
    expect(third).toMatchObject({ height: 2, index: 0, transactionId: 'txn_1', askedBy });
    expect(third!.subject).toEqual({ kind: 'break', break: adjusted });
  });

  it('holds a batch of any size once, in its order, however often it is appended', async () => {
    const batch = opened(...numbers(1_201));
    await log.append('a', batch);
    const read = await readAll();
    expect(read.map(breakOf)).toEqual(batch.map(({ object }) => object.id));
    expect(await log.heightAt(Number.POSITIVE_INFINITY)).toBe(3);
    await log.append('a', batch);
    await new MongoNotices(database.db).append('a', batch);
    expect(await readAll()).toEqual(read);
  });

  it('gets what is missing of a batch whose append was cut off', async () => {
    const batch = opened(...numbers(1_201));
    await log.append('a', batch);
    const before = await readAll();
    await database.db.collection<{ _id: number }>('notices').deleteMany({ _id: { $gt: 1 } });
    await log.append('other', opened('between'));
    await log.append('a', batch);
    const read = await readAll();
    expect(read.slice(0, 500)).toEqual(before.slice(0, 500));
    expect(read.map(breakOf)).toEqual(
      [...numbers(500), 'between', ...numbers(1_201).slice(500)].map((id) => `brk_${id}`),
    );
  });

  it('has no gap and everything once when many append at once, some of them the same, over several connections', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => connectClient()));
    try {
      const logs = clients.map((client) => new MongoNotices(client.db(database.name)));
      const append = async (n: number) => {
        for (let i = 0; i < EACH; i++) {
          const name = `${n >> 1}-${i}`;
          // Two append each batch.
          await logs[n % logs.length]!.append(name, opened(...numbers(3, name)));
        }
      };
      await Promise.all(numbers(APPENDERS).map((n) => append(Number(n))));
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
    const blocks = await log.read(1, 1_000);
    const batches = (APPENDERS / 2) * EACH;
    expect(blocks.map(({ height }) => height)).toEqual(Array.from({ length: batches }, (_, i) => i + 1));
    const times = blocks.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(blocks.flatMap(({ entries }) => entries.map(({ object }) => object.id))).size).toBe(3 * batches);
  });

  it('has times that never go back, though a clock does, and finds where a time begins', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      for (const [i, now] of [5_000, 7_000, 6_000, 7_000, 9_000].entries()) {
        vi.setSystemTime(now);
        await log.append(String(i), opened(String(i)));
      }
    } finally {
      vi.useRealTimers();
    }
    expect((await readAll()).map(({ createdAt }) => createdAt.getTime())).toEqual([5_000, 7_000, 7_000, 7_000, 9_000]);
    const heights = [0, 4_999, 5_000, 6_999, 7_000, 8_999, 9_000, Number.POSITIVE_INFINITY].map((at) =>
      log.heightAt(at),
    );
    expect(await Promise.all(heights)).toEqual([0, 0, 1, 1, 4, 4, 5, 5]);
  });

  it('finds notices by their ids', async () => {
    await log.append('a', opened(...numbers(700)));
    const read = await readAll();
    const wanted = [read[3]!, read[699]!];
    const found = await streams().find([...wanted.map(({ id }) => id), `evt_${randomUUID()}`]);
    expect(found.size).toBe(wanted.length);
    // Where in its block each stands is not told.
    for (const event of wanted) expect(found.get(event.id)).toEqual({ ...event, index: 0 });
  });

  it('is not written to when one of a batch cannot be sent', async () => {
    const [bad] = opened('x');
    const refused = { ...bad!, object: { ...bad!.object, source: 'the bank' } } as typeof bad;
    await expect(log.append('a', [...opened('1'), refused!])).rejects.toThrow(RangeError);
    expect(await readAll()).toEqual([]);
  });
});
