import { describe, expect, it } from 'vitest';
import { assembled } from '../../src/ledger/assemble.ts';
import { DryRun } from '../../src/ledger/dry-run.ts';
import { Engine } from '../../src/ledger/engine.ts';
import type { Command, Entry, Placed, RejectionReason } from '../../src/ledger/types.ts';
import { paymentId } from '../../src/payments/ids.ts';
import { transactionView } from '../../src/payments/views.ts';
import { aChange, anAccount, aPayment, following } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

type Kind = 'refund' | 'reversal';
const KINDS = [
  ['refund', 'refund_exceeds_captured'],
  ['reversal', 'already_reversed'],
] as const;
const HOMES = [
  ['lower', 'a', 'b', 0],
  ['higher', 'b', 'a', 1],
] as const;

const portsOf = (store: MemoryStore) => ({
  journal: store.journal(),
  claims: store.claimsPort(),
  accounts: store.accountsPort(),
});
const engineOver = (store: MemoryStore) => new Engine({ ...portsOf(store), log: quietLog });
const reasonOf = ({ entry }: { entry: Entry }) => entry.rejection?.reason ?? entry.kind;
const partsOf = (store: MemoryStore, { id }: Command) => store.placed().filter(({ entry }) => entry.id === id);

/** `a` in book 0 has paid `b` in book 1, or the other way round; that was taken back, and the payee has nothing left. */
async function aWorld(kind: Kind, payer: string, payee: string, book: number) {
  const store = new MemoryStore();
  const accounts = [anAccount('world', { minBalance: null }), anAccount('a'), anAccount('b', { book: 1 })];
  for (const account of accounts) store.accounts.set(account.id, account);
  const engine = engineOver(store);
  await engine.submit(aPayment('world', payer, 10n));
  const made = aPayment(payer, payee, 10n, { kind: kind === 'refund' ? 'payment' : 'transaction' });
  await engine.submit(made);
  const follow = () => following(kind, made, kind === 'refund' ? 10n : 0n, { book });
  expect(reasonOf(await engine.submit(follow()))).toBe(kind);
  return { store, engine, made, follow };
}

/** What stands but for the blocks of one book from a command on, of whose claim nobody knows that it is done. */
function lost(store: MemoryStore, command: Command, book: number): MemoryStore {
  const rest = new MemoryStore();
  for (const account of store.accounts.values()) rest.accounts.set(account.id, account);
  for (const [key, id] of store.keys) rest.keys.set(key, id);
  for (const [id, claim] of store.claims) rest.claims.set(id, { ...claim, state: 'pending' });
  const from = partsOf(store, command).find((placed) => placed.book === book)!.height;
  for (const [id, block] of store.blocks) if (block.book !== book || block.height < from) rest.blocks.set(id, block);
  return rest;
}

describe.each(HOMES)('a payment at home in the %s of two books', (_, payer, payee, book) => {
  it.each(KINDS)('is why its %s is refused, whatever the other book has against it', async (kind, reason) => {
    const { store, engine, made, follow } = await aWorld(kind, payer, payee, book);
    const command = follow();
    const dryRun = new DryRun(portsOf(store));
    expect(reasonOf(await dryRun.submit(command))).toBe(reason);
    expect(reasonOf(await engine.submit(command))).toBe(reason);
    const parts = partsOf(store, command);
    expect(new Set(parts.map(reasonOf))).toEqual(new Set([reason, 'insufficient_funds']));
    const about = kind === 'refund' ? paymentId(made.id) : made.id;
    for (const found of [parts, parts.toReversed()]) {
      expect(transactionView(found)).toMatchObject({ status: 'rejected', rejectionReason: reason, about });
    }
    await engine.stop();
    expect(reasonOf(await dryRun.submit(command))).toBe(reason);
    expect(reasonOf(await engineOver(store).submit({ ...command, id: 'txn_x' }))).toBe(reason);
  });

  it.each(KINDS)('is so of a %s that only one book had refused when its process was gone', async (kind, reason) => {
    const { store, engine, follow } = await aWorld(kind, payer, payee, book);
    const command = follow();
    await engine.submit(command);
    await engine.stop();
    for (const missing of [0, 1]) {
      const half = lost(store, command, missing);
      const [standing] = partsOf(half, command);
      // Nothing is known for good yet.
      expect(transactionView([standing!])).toMatchObject({ status: 'pending', rejectionReason: null });
      expect(reasonOf(await engineOver(half).submit(command))).toBe(reason);
      expect(reasonOf(assembled(partsOf(half, command))!)).toBe(reason);
    }
  });

  it('says nothing against a refund that only the other book refuses', async () => {
    const { engine, made, store } = await aWorld('refund', payer, payee, book);
    await engine.submit(aPayment('world', payer, 10n));
    const other = aPayment(payer, payee, 10n);
    await engine.submit(other);
    await engine.submit(aChange({ account: payee, status: 'frozen' }));
    expect(reasonOf(await engine.submit(following('refund', other, 10n, { book })))).toBe('account_frozen');
    expect(reasonOf(await engine.submit(following('refund', made, 1n, { book })))).toBe('refund_exceeds_captured');
    expect(store.settlements([other.id]).get(other.id)).toMatchObject({ refunded: 0n });
  });
});

describe('what stands of before a book said that it was the one to decide', () => {
  it('is answered as it was: with the reason of the first book', () => {
    const rejected = (book: number, reason: RejectionReason): Placed => {
      const span = { part: 'debit' as const, debits: [0, 1], credits: [1], ...(book === 0 ? { legs: [] } : {}) };
      const rejection = { reason, kind: 'refund' as const, legs: [], follows: 'txn_1' };
      const entry: Entry = { id: 'txn_2', key: 'k', kind: 'rejected', span, postings: [], rejection, details: {} };
      return { entry, book, height: 1, at: 0 };
    };
    const parts = [rejected(0, 'insufficient_funds'), rejected(1, 'refund_exceeds_captured')];
    expect(reasonOf(assembled(parts)!)).toBe('insufficient_funds');
  });
});
