/** One fault each, planted in what was added since the ledger was verified. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Break } from '../../src/verification/breaks.ts';
import { verify, verifyIncrement } from '../../src/verification/verify.ts';
import { Model, NOW } from './model.ts';
import { earlierOf, MemoryVerifications } from './model-earlier.ts';
import { StoredModel } from './stored-model.ts';

const HOUR_MS = 3_600_000;
let model: Model;
let memory: MemoryVerifications;

/** Book 0: world, a, b; book 1: c. Two holds of a are open. Verified, then grown by a payment, a capture and one to book 1. */
beforeEach(async () => {
  model = new Model();
  memory = new MemoryVerifications();
  model.account('world', 'EUR', 0, null);
  for (const id of ['a', 'b']) model.account(id, 'EUR');
  model.account('c', 'EUR', 1);
  model.run([model.payment('world', 'a', 1_000n)]);
  const held = model.hold('a', 'b', 300n);
  model.run([held, model.hold('a', 'b', 50n), model.payment('world', 'c', 20n)]);
  const { ok } = await verify(portOf(), { clock: { now: () => NOW }, memory });
  expect(ok).toBe(true);
  const at = NOW + HOUR_MS - 1_000;
  model.run([model.payment('a', 'b', 100n)], { at });
  model.run([model.following('capture', held, 200n)], { at });
  model.run([model.payment('a', 'c', 30n)], { at });
  model.snapshot(0, model.blocks(0).length);
});

const portOf = () => ({ ...new StoredModel(model).port(true), ...earlierOf(model) });

async function found(): Promise<readonly Break[]> {
  const { breaks, mode } = await verifyIncrement(portOf(), memory, { clock: { now: () => NOW + HOUR_MS } });
  expect(mode).toBe('incremental');
  return breaks;
}

const last = (book: number) => model.blocks(book).at(-1)!;
const capture = () => model.blocks(0).at(-2)!.entries[0]!;

describe('an increment', () => {
  test('is sound as it is', async () => {
    expect(await found()).toEqual([]);
  });

  test('names a balance that does not follow from the one that was verified', async () => {
    const block = model.blocks(0).at(-3)!;
    block.entries[0]!.postings[0]!.posted += 1n;
    model.forge();
    expect(await found()).toContainEqual(
      expect.objectContaining({ kind: 'wrong_running_balance', height: block.height, account: 'a' }),
    );
  });

  test('names an account that holds what no payment does, of which some were held before', async () => {
    delete capture().settlement;
    model.forge();
    expect(await found()).toContainEqual(
      expect.objectContaining({ kind: 'unexplained_hold', account: 'a', expected: '350', actual: expect.anything() }),
    );
  });

  test('names transit accounts that do not mirror each other', async () => {
    last(1).entries[0]!.postings[0]!.amount -= 1n;
    last(1).entries[0]!.postings[1]!.amount += 1n;
    model.forge(1);
    expect((await found()).map(({ kind }) => kind)).toContain('transit_mismatch');
  });

  test('names a balance kept with an account that is not that of the journal', async () => {
    const account = model.accounts.find(({ id }) => id === 'b')!;
    account.snapshot = { ...account.snapshot!, posted: account.snapshot!.posted + 1n };
    expect(await found()).toMatchObject([{ kind: 'wrong_account_snapshot', account: 'b' }]);
  });

  test('names a payment of before that is settled otherwise in the list than in the journal', async () => {
    const row = model.rows.find(({ transactionId }) => transactionId === capture().settlement!.id)!;
    row.amountCaptured += 1n;
    expect(await found()).toMatchObject([{ kind: 'wrong_read_model', entry: row.transactionId, height: row.height }]);
  });

  test('names a command that was claimed and is not there', async () => {
    model.claims.at(-3)!.commands.push({ ...model.payment('a', 'b', 1n) } as never);
    expect(await found()).toMatchObject([{ kind: 'missing_entry' }]);
  });

  test('names an entry of before that stands once more', async () => {
    model.append(0, 'entries', [model.blocks(0)[0]!.entries[0]! as never]);
    expect((await found()).map(({ kind }) => kind)).toContain('doubled_entry');
  });

  test('names a claim of long before that is still pending', async () => {
    model.claims[0]!.state = 'pending';
    expect(await found()).toMatchObject([{ kind: 'claim_too_old' }]);
  });

  test('names the block that it goes on from when its bytes were changed', async () => {
    const height = memory.latest!.books[0]!.height;
    const tamper = (blocks: Buffer[], book: number) => {
      if (book === 0) blocks[height - 1]![200]! ^= 1;
      return blocks;
    };
    const port = { ...new StoredModel(model).port(true, tamper), ...earlierOf(model) };
    const { breaks } = await verifyIncrement(port, memory, { clock: { now: () => NOW + HOUR_MS } });
    expect(breaks.filter((one) => one.book === 0 && one.height === height)).not.toEqual([]);
  });
});
