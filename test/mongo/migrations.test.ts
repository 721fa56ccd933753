import { describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../migrations/index.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
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
    expect(await indexNames()).toEqual(['_id_', 'entry', 'era_account_height']);
  });
});
