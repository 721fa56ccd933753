import { describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../migrations/index.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { labelOf } from '../../src/payments/labels.ts';
import { useDatabase } from '../support/database.ts';

const FIRST = MIGRATIONS.slice(0, 2);

describe('a journal from before its blocks had eras', () => {
  const database = useDatabase();
  const indexNames = async () => (await database.db.collection('journal').indexes()).map(({ name }) => name).sort();

  it('is refused while it has blocks, and nothing is changed', async () => {
    for (const { up } of FIRST) await up(database.db);
    const before = await indexNames();
    await database.db.collection('journal').insertOne({ entries: [] });
    await expect(migrateUp(database.db)).rejects.toThrow(/before the first release.*keep the version that wrote them/);
    expect(await indexNames()).toEqual(before);
  });

  it('is brought up when it is empty, as often as one likes', async () => {
    await database.db.collection('journal').deleteMany({});
    await migrateUp(database.db);
    for (const { up } of MIGRATIONS) await up(database.db);
    await MIGRATIONS[2]!.up(database.db);
    expect(await indexNames()).toEqual(['_id_', 'entry', 'era_account_height', 'kind', 'subject_height']);
  });
});

describe('payments from before their lists were ordered by time', () => {
  const database = useDatabase();
  const payments = () => database.db.collection<{ _id: string; metadata: object; labels?: bigint[] }>('payments');

  it('are labelled by their metadata, and their indexes replaced, also when it is cut off and done again', async () => {
    for (const { up } of MIGRATIONS.slice(0, 3)) await up(database.db);
    const count = 2_500;
    await payments().insertMany(
      Array.from({ length: count }, (_, i) => ({
        _id: `pay_${i}`,
        metadata: i % 2 === 0 ? {} : { order: String(i), shop: 'north' },
        createdAt: new Date(i),
      })),
    );
    await MIGRATIONS[3]!.up(database.db);
    await payments().updateOne({ _id: 'pay_7' }, { $unset: { labels: 1 } });
    await migrateUp(database.db);
    expect(await payments().countDocuments({ labels: { $exists: true } })).toBe(count / 2);
    expect((await payments().findOne({ _id: 'pay_7' }))?.labels).toEqual([
      labelOf('order', '7'),
      labelOf('shop', 'north'),
    ]);
    const names = (await payments().indexes()).map(({ name }) => name).sort();
    expect(names).toEqual([
      '_id_',
      'account_newest',
      'amount_newest',
      'created',
      'currency_newest',
      'held_until',
      'label_newest',
      'place',
      'reference_newest',
      'status_newest',
    ]);
  });
});
