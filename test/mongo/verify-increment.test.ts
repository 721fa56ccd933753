/** Verification of what was added since, on a real database. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/ledger/engine.ts';
import type { Command } from '../../src/ledger/types.ts';
import { claimsSince, MongoAudit } from '../../src/mongo/audit.ts';
import { MongoBalanceSnapshots } from '../../src/mongo/balance-snapshots.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { MongoVerifications } from '../../src/mongo/verifications.ts';
import { type VerifyReport, verify, verifyIncrement } from '../../src/verification/verify.ts';
import { aChange, aHold, anAccount, aPayment, following } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, startEngine } from '../support/engine.ts';

const BOOKS = 2;
const database = useDatabase();
let engine: Engine;

beforeAll(async () => {
  await migrateUp(database.db);
  await addAccounts(database.db, [
    ...Array.from({ length: BOOKS }, (_, book) => anAccount(`bank${book}`, { book, minBalance: null })),
    ...Array.from({ length: 10 }, (_, n) => anAccount(`a${n}`, { book: n % BOOKS, minBalance: null })),
  ]);
  engine = startEngine(database.db);
});
afterAll(() => engine.stop());

const memory = () => new MongoVerifications(database.db);
const increment = () => verifyIncrement(new MongoAudit(database.db), memory());
const heights = async () => (await memory().load())?.books.map(({ height }) => height);
const journal = () => database.db.collection<{ _id: { book: number; height: bigint }; at: Date }>('journal');

let paid = 0;
/** Within each book and between them. */
async function payAround(count: number): Promise<void> {
  const payments = Array.from({ length: count }, () => {
    const n = paid++;
    return engine.submit(
      aPayment(n % 4 === 0 ? `bank${n % BOOKS}` : `a${n % 10}`, `a${(n * 7 + 3) % 10}`, BigInt(1 + n)),
    );
  });
  await Promise.all(payments);
}

async function inOrder(...commands: Command[]): Promise<void> {
  for (const command of commands) await engine.submit(command);
}

async function keepBalances(): Promise<void> {
  const snapshots = new MongoBalanceSnapshots(database.db);
  for (let book = 0; book < BOOKS; book++) while (!(await snapshots.advance(book)).isAtTip);
}

/** Nothing is being finished any more. */
async function settled(): Promise<void> {
  const claims = database.db.collection('idempotency');
  await expect.poll(() => claims.countDocuments({ state: 'pending' })).toBe(0);
}

const mismatch = (book: number, height: number) => expect.objectContaining({ kind: 'hash_mismatch', book, height });

/** What an increment finds while a block has another time than it was written with. */
async function whileChanged(book: number, height: number): Promise<VerifyReport> {
  const block = { _id: { book, height: BigInt(height) } };
  const { at } = (await journal().findOne(block))!;
  await journal().updateOne(block, { $set: { at: new Date(at.getTime() + 1) } });
  try {
    return await increment();
  } finally {
    await journal().updateOne(block, { $set: { at } });
  }
}

describe('an increment', () => {
  const hold = aHold('bank0', 'a2', 500n);
  const other = aHold('bank1', 'a3', 70n);
  const wholly = aPayment('bank0', 'a4', 900n);

  it('is everything where nothing was verified before, and is remembered', async () => {
    await payAround(40);
    await inOrder(hold, other, wholly, aChange({ account: 'a6', maxBalance: 1_000_000n }));
    await settled();
    const report = await increment();
    expect(report).toMatchObject({ mode: 'full', since: null, ok: true, breaks: [] });
    expect(await heights()).toEqual(report.books.map(({ height }) => height));
  });

  it('is only what was added, and goes on from how accounts and payments stood', async () => {
    const before = await heights();
    await keepBalances();
    await inOrder(
      following('capture', hold, 200n),
      following('cancel', other, 0n, { book: 1 }),
      following('refund', wholly, 300n),
      aChange({ account: 'a6', status: 'frozen' }),
      aChange({ account: 'a8', status: 'frozen' }),
    );
    await payAround(20);
    await settled();
    const report = await increment();
    expect(report).toMatchObject({ mode: 'incremental', ok: true, breaks: [], trialBalance: null });
    expect(report.books.map(({ above }) => above)).toEqual(before);
    const full = await verify(new MongoAudit(database.db));
    expect(full).toMatchObject({ mode: 'full', ok: true });
    expect(report.books.map(({ height, hash }) => ({ height, hash }))).toEqual(
      full.books.map(({ height, hash }) => ({ height, hash })),
    );
  });

  it('is nothing where nothing was added', async () => {
    await keepBalances();
    const report = await increment();
    expect(report).toMatchObject({ mode: 'incremental', ok: true });
    expect(report.books.every(({ blocks }) => blocks === 0)).toBe(true);
  });

  it('is not remembered when something is broken in it, and is named', async () => {
    const before = await memory().load();
    await payAround(10);
    await settled();
    const [, height] = (await heights())!;
    const report = await whileChanged(1, height! + 1);
    expect(report.breaks).toContainEqual(mismatch(1, height! + 1));
    expect(await memory().load()).toEqual(before);
    expect(await increment()).toMatchObject({ ok: true });
  });

  it('finds that the block was changed, or is another one, that it goes on from', async () => {
    const [height] = (await heights())!;
    expect((await whileChanged(0, height!)).breaks).toContainEqual(mismatch(0, height!));

    const known = (await memory().load())!;
    const books = known.books.map((book) => ({ ...book, hash: '00'.repeat(32) }));
    await memory().save({ ...known, books });
    const replaced = { kind: 'replaced_block', book: 0, height };
    expect((await increment()).breaks).toContainEqual(expect.objectContaining(replaced));
    expect((await verify(new MongoAudit(database.db), { memory: memory() })).breaks).toContainEqual(
      expect.objectContaining(replaced),
    );
    await memory().save(known);
    expect(await increment()).toMatchObject({ ok: true });
  });

  it('finds that a journal ends before where it was verified', async () => {
    const [height] = (await heights())!;
    const block = (await journal().findOne({ _id: { book: 0, height: BigInt(height!) } }))!;
    await journal().deleteOne({ _id: block._id });
    const cut = { kind: 'height_gap', book: 0, height };
    expect((await increment()).breaks).toContainEqual(expect.objectContaining(cut));
    await journal().insertOne(block);
    expect(await increment()).toMatchObject({ ok: true });
  });

  it('names a claim that has been pending for too long, however old it is', async () => {
    const claims = database.db.collection<{ _id: string; state: string; at: Date }>('idempotency');
    const claim = (await claims.findOne({}, { sort: { at: 1 } }))!;
    await claims.updateOne({ _id: claim._id }, { $set: { state: 'pending', at: new Date(0) } });
    expect((await increment()).breaks).toMatchObject([{ kind: 'claim_too_old' }]);
    await claims.updateOne({ _id: claim._id }, { $set: { state: claim.state, at: claim.at } });
  });

  it('looks for claims by an index', async () => {
    const claims = database.db.collection('idempotency');
    const plan = inspect(await claims.find(claimsSince(new Date())).explain('queryPlanner'), { depth: null });
    expect(plan).toContain("indexName: 'made'");
    expect(plan).not.toContain('COLLSCAN');
  });
});
