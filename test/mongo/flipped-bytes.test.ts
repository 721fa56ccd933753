/** Bytes of stored blocks are flipped in the database: verification names the block. */
import { BSON } from 'mongodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../src/ledger/engine.ts';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoVerifications } from '../../src/mongo/verifications.ts';
import { verify, verifyIncrement } from '../../src/verification/verify.ts';
import { aChange, aHold, anAccount, aPayment, following } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, startEngine } from '../support/engine.ts';
import { randomFrom } from '../verification/random-model.ts';

/** Of each block so many bytes are flipped, each alone. */
const FLIPS_PER_BLOCK = 40;
/** Those of `_id`: MongoDB refuses to change it, and a document with another one is another document. */
const ID_END = 39;
const database = useDatabase();
let engine: Engine;

beforeAll(async () => {
  await migrateUp(database.db);
  const accounts = ['bank', 'a', 'b'].map((id) => anAccount(id, { minBalance: id === 'bank' ? null : 0n }));
  await addAccounts(database.db, [...accounts, anAccount('c', { book: 1 })]);
  engine = startEngine(database.db);
  const hold = aHold('bank', 'a', 500n);
  const details = { reference: 'INV-1', description: 'Käse', metadata: { order: '9' } };
  await engine.submit(aPayment('bank', 'b', 100n, { details }));
  await engine.submit(aPayment('b', 'a', 1_000n));
  await engine.submit(hold);
  await engine.submit(following('capture', hold, 200n));
  await engine.submit(aPayment('bank', 'c', 7n));
  await engine.submit(aChange({ account: 'a', status: 'frozen' }));
  await engine.stop();
});
afterAll(() => engine.stop());

it('every flip that can be stored is named with its book and height', async () => {
  const journal = database.db.collection<{ _id: { book: number; height: bigint } }>('journal');
  const sound = await journal.find({}, { raw: true }).toArray();
  const random = randomFrom(7);
  let stored = 0;
  for (const raw of sound as unknown as Buffer[]) {
    const { _id } = BSON.deserialize(raw, { useBigInt64: true }) as { _id: { book: number; height: bigint } };
    const { book } = _id;
    const height = Number(_id.height);
    for (let i = 0; i < FLIPS_PER_BLOCK; i++) {
      const bytes = Buffer.from(raw);
      const at = ID_END + random(bytes.length - ID_END);
      bytes[at]! ^= 1 + random(255);
      const replacement = readable(bytes);
      if (replacement === null) continue;
      try {
        await journal.replaceOne({ _id }, replacement);
      } catch {
        // The server refuses a document that its indexes cannot take.
        continue;
      }
      stored++;
      const { breaks } = await verify(new MongoAudit(database.db));
      const here = breaks.filter((one) => one.book === book && one.height === height).map(({ kind }) => kind);
      expect({ at, here, found: here.some((kind) => NAMED.includes(kind)) }).toMatchObject({ found: true });
    }
    await journal.replaceOne({ _id }, BSON.deserialize(raw, EXACT));
  }
  expect(stored).toBeGreaterThan(100);
  const memory = new MongoVerifications(database.db);
  expect(await verify(new MongoAudit(database.db), { memory })).toMatchObject({ ok: true });
  expect(await verifyIncrement(new MongoAudit(database.db), memory)).toMatchObject({ ok: true, mode: 'incremental' });
});

/** So that what is written again has the same types. */
const EXACT = { promoteValues: false, promoteLongs: false } as const;
const NAMED: readonly string[] = ['hash_mismatch', 'unreadable_block'];

/** The document that the bytes are, type by type; null: they are none, so that no server stores them. */
function readable(bytes: Buffer): object | null {
  try {
    const document = BSON.deserialize(bytes, EXACT);
    return bytes.equals(BSON.serialize(document)) ? document : null;
  } catch {
    return null;
  }
}
