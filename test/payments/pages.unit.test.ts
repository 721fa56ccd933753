import { describe, expect, it } from 'vitest';
import type { Entry, EntryPart, Leg } from '../../src/ledger/types.ts';
import { transactionsPage } from '../../src/payments/pages.ts';
import type { AccountsStore, JournalQueries, PlacedAt } from '../../src/payments/ports.ts';

const ACCOUNT = 'a';
const BOOK = 1;

const legs: Leg[] = [
  { account: 'x', amount: -4n, currency: 'EUR' },
  { account: ACCOUNT, amount: -6n, currency: 'EUR' },
  { account: 'y', amount: 10n, currency: 'EUR' },
];

/** What books 0 and 1 give to book 2, of which only the entry of book 1 stands: the one of book 0 describes the whole. */
function begun(height: number): PlacedAt {
  const span = { part: 'debit' as EntryPart, debits: [0, BOOK], credits: [2] };
  const postings = [
    { ...legs[1]!, posted: 94n, held: 0n },
    { account: 'transit:1:2:EUR', amount: 6n, currency: 'EUR', posted: 6n, held: 0n },
  ];
  const id = `txn_${height}`;
  const entry: Entry = { id, key: id, kind: 'transaction', span, postings, details: {} };
  return { entry, book: BOOK, height, at: height, index: 0 };
}

function done(height: number): PlacedAt {
  const id = `txn_${height}`;
  const postings = [{ account: ACCOUNT, amount: 1n, currency: 'EUR', posted: 100n, held: 0n }];
  return {
    entry: { id, key: id, kind: 'transaction', postings, details: {} },
    book: BOOK,
    height,
    at: height,
    index: 0,
  };
}

/** A journal of one account; entries oldest first. */
function depsOver(entries: readonly PlacedAt[]) {
  const journal: Pick<JournalQueries, 'entriesOf' | 'findEntries' | 'positionAmong' | 'heightAt'> = {
    entriesOf: async (_account, from, direction, limit) => {
      const isOlder = direction === 'older';
      const ordered = isOlder ? entries.toReversed() : entries;
      const isBeyond = ({ height }: PlacedAt) => !from || (isOlder ? height < from.height : height > from.height);
      return ordered.filter(isBeyond).slice(0, limit);
    },
    findEntries: async (ids) => entries.filter(({ entry }) => ids.includes(entry.id)),
    positionAmong: async (_account, id) => entries.find(({ entry }) => entry.id === id) ?? null,
    heightAt: async () => 0,
  };
  const accounts = { get: async () => ({ id: ACCOUNT, book: BOOK }) };
  return { journal: journal as JournalQueries, accounts: accounts as unknown as AccountsStore };
}

describe('transactions of an account, some of them on their way between books', () => {
  const entries = [done(1), begun(2), begun(3), done(4), begun(5), begun(6), done(7)];
  const deps = depsOver(entries);
  const page = (more: object) => transactionsPage(deps, { account: ACCOUNT }, { limit: 2, ...more });

  it('fill each page, so that a walk comes to its end in either direction', async () => {
    const newestFirst = ['txn_7', 'txn_6', 'txn_5', 'txn_4', 'txn_3', 'txn_2', 'txn_1'];
    const walked: string[] = [];
    for (let hasMore = true; hasMore; ) {
      const last = walked.at(-1);
      const read = await page(last === undefined ? {} : { startingAfter: last });
      expect(read.data.length).toBe(read.hasMore ? 2 : 1);
      walked.push(...read.data.map(({ id }) => id));
      hasMore = read.hasMore;
    }
    expect(walked).toEqual(newestFirst);
    const up = ['txn_1'];
    for (let hasMore = true; hasMore; ) {
      const read = await page({ endingBefore: up[0] });
      up.unshift(...read.data.map(({ id }) => id));
      hasMore = read.hasMore;
    }
    expect(up).toEqual(newestFirst);
  });

  it('are pending, with what is known of them, and without accounts of the ledger itself', async () => {
    const { data } = await page({ startingAfter: 'txn_4' });
    const postings = [{ ...legs[1]!, posted: 94n, held: 0n }];
    expect(data[0]).toMatchObject({ id: 'txn_3', status: 'pending', postings, rejectionReason: null });
  });

  it('are whole once the entry stands that describes them', async () => {
    const first = begun(3);
    const whole: PlacedAt = {
      ...first,
      book: 0,
      entry: { ...first.entry, postings: [], span: { ...first.entry.span!, legs } },
    };
    const { data } = await transactionsPage(
      { ...deps, journal: { ...deps.journal, findEntries: async () => [first, whole] } as JournalQueries },
      { account: ACCOUNT },
      { limit: 1, startingAfter: 'txn_4' },
    );
    expect(data).toMatchObject([{ id: 'txn_3', status: 'pending', book: 0, postings: legs }]);
  });
});
