/** What reconciliation keeps, on a real replica set. */
import { createHash, randomBytes } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { MongoBreaks } from '../../src/mongo/breaks-store.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoReconciliations } from '../../src/mongo/reconciliations-store.ts';
import { MongoStatementFiles } from '../../src/mongo/statement-files.ts';
import { DAY } from '../reconciliation/support/sides.ts';
import { describeStores } from '../reconciliation/support/store-contract.ts';
import { useDatabase } from '../support/database.ts';
import { withPlans } from '../support/plans.ts';

const LARGE = 20 * 1_048_576;
const COLLECTIONS = [
  'reconciliations',
  'reconciliation_matches',
  'breaks',
  'statement_files.files',
  'statement_files.chunks',
];
const database = useDatabase();

beforeAll(() => migrateUp(database.db).then(() => undefined));

describeStores(async () => {
  const { db } = database;
  for (const name of COLLECTIONS) await db.collection(name).deleteMany({});
  return {
    reconciliations: new MongoReconciliations(db),
    breaks: new MongoBreaks(db),
    files: new MongoStatementFiles(db),
  };
});

describe('a large file that cannot be compressed', () => {
  it('comes back byte for byte, and leaves nothing when it is removed', async () => {
    const files = new MongoStatementFiles(database.db);
    const id = `rec_${uuidv7()}`;
    const writer = files.open(id);
    const [written, read] = [createHash('sha256'), createHash('sha256')];
    for (let at = 0; at < LARGE; at += 65_000) {
      const piece = randomBytes(Math.min(65_000, LARGE - at));
      written.update(piece);
      await writer.write(piece);
    }
    await writer.finish();
    for await (const piece of files.read(id)) read.update(piece);
    expect(read.digest('hex')).toBe(written.digest('hex'));
    await files.remove(id);
    const left = COLLECTIONS.slice(3).map((name) =>
      database.db.collection(name).countDocuments({ files_id: id as never }),
    );
    expect(await Promise.all(left)).toEqual([0, 0]);
  });

  it('leaves nothing when it is given up in the middle', async () => {
    const files = new MongoStatementFiles(database.db);
    const writer = files.open(`rec_${uuidv7()}`);
    for (let i = 0; i < 80; i++) await writer.write(randomBytes(65_000));
    await writer.abort();
    expect(await files.removeOrphans(new Date(Date.now() + 1_000), async () => false)).toBe(0);
  });
});

it('reads what was before a reconciliation, and what is settled, by indexes', async () => {
  const { value, plans } = await withPlans(database.name, async (db) => {
    let seen = 0;
    for await (const _ of new MongoBreaks(db).openBefore('bank', 'rec_x', new Date())) seen++;
    const days = { from: DAY, to: DAY + 1 };
    for await (const _ of new MongoReconciliations(db).settledItems('bank', days, 'rec_x')) seen++;
    await new MongoReconciliations(db).running();
    return seen;
  });
  expect(value).toBeGreaterThanOrEqual(0);
  expect(plans.length).toBeGreaterThan(3);
  for (const { command, scans, indexes } of plans)
    expect([command.find, scans, indexes.length > 0]).toEqual([command.find, 0, true]);
});
