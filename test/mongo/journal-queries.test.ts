import { beforeAll, describe, expect, it } from 'vitest';
import { accountHash } from '../../src/ledger/account-hash.ts';
import type { Entry, Posting, StoredBlock } from '../../src/ledger/types.ts';
import { MongoAccountsStore } from '../../src/mongo/accounts-store.ts';
import { byHeight, MongoJournal } from '../../src/mongo/journal.ts';
import { MongoJournalQueries } from '../../src/mongo/journal-queries.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import type { PlacedAt, Position } from '../../src/payments/ports.ts';
import { anAccount } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts } from '../support/engine.ts';

const database = useDatabase();
const BOOKS = [0, 1, 3];
const HEIGHTS = 8;
const EPOCH = 1_700_000_000_000;
let queries: MongoJournalQueries;
/** All entries, oldest first: the model that the answers are compared with. */
let all: PlacedAt[];
let blocks: StoredBlock[];

/** Of each book two accounts, the first of which pays the second 1, 2, 3, … */
const payer = (book: number) => `payer${book}`;
const payee = (book: number) => `payee${book}`;

function entryOf(book: number, height: number, index: number, paid: bigint): Entry {
  const postings: Posting[] = [
    { account: payer(book), amount: -1n, currency: 'EUR', posted: -paid - 1n, held: 0n },
    { account: payee(book), amount: 1n, currency: 'EUR', posted: paid + 1n, held: 0n },
  ];
  const id = `txn_${book}-${height}-${index}`;
  if ((height + index) % 4 === 3) {
    const legs = postings.map(({ account, amount, currency }) => ({ account, amount, currency }));
    const kind = index % 2 === 0 ? 'transaction' : 'payment';
    const rejection = { reason: 'expired', kind, legs } as const;
    return { id, key: id, kind: 'rejected', postings: [], rejection, details: {} };
  }
  return { id, key: id, kind: isTransaction(index, height) ? 'transaction' : 'payment', postings, details: {} };
}

const isTransaction = (index: number, height: number) => (height * index) % 5 === 3;

/** Blocks of 0 to 5 entries; times repeat within a book and among books. */
async function writeBook(book: number): Promise<void> {
  let prev: Uint8Array = new Uint8Array(32);
  let paid = 0n;
  // Far apart, so that the blocks are spread over several eras.
  let postingsBelow = 0;
  for (let height = 1; height <= HEIGHTS; height++) {
    const entries: Entry[] = [];
    for (let index = 0; index < (height * (book + 2)) % 6; index++) {
      const entry = entryOf(book, height, index, paid);
      if (entry.kind !== 'rejected') paid++;
      entries.push(entry);
    }
    const kind = entries.length === 0 ? 'term' : 'entries';
    const at = EPOCH + Math.floor(height / 2) * 10;
    const block = { book, height, prev, term: 1, at, kind, postingsBelow, entries } as const;
    const encoded = queries.encode(block);
    expect(await queries.append([encoded])).toMatchObject({ ended: 'done' });
    prev = encoded.hash;
    postingsBelow += 100_000;
  }
}

beforeAll(async () => {
  await migrateUp(database.db);
  await addAccounts(
    database.db,
    BOOKS.flatMap((book) => [anAccount(payer(book), { book, minBalance: null }), anAccount(payee(book), { book })]),
  );
  queries = new MongoJournalQueries(database.db);
  for (const book of BOOKS) await writeBook(book);
  blocks = (await Promise.all(BOOKS.map((book) => queries.read(book, 1, 100)))).flat();
  all = blocks
    .flatMap(({ book, height, at, entries }) => entries.map((entry, index) => ({ entry, book, height, at, index })))
    .sort((a, b) => a.at - b.at || a.book - b.book || a.height - b.height || a.index - b.index);
});

const idsOf = (found: readonly PlacedAt[]) => found.map(({ entry }) => entry.id);

describe('entries of all books', () => {
  it('come nearest first, on from every position, in both directions', async () => {
    expect(all.length).toBeGreaterThan(40);
    for (const limit of [1, 4]) {
      expect(idsOf(await queries.entries(null, 'older', limit))).toEqual(idsOf([...all].reverse().slice(0, limit)));
      for (const [i, position] of all.entries()) {
        const older = all.slice(Math.max(0, i - limit), i).reverse();
        expect(idsOf(await queries.entries(position, 'older', limit))).toEqual(idsOf(older));
        expect(idsOf(await queries.entries(position, 'newer', limit))).toEqual(idsOf(all.slice(i + 1, i + 1 + limit)));
      }
    }
  });

  it('stand where they are said to stand', async () => {
    const place = ({ at, book, height, index }: Position) => ({ at, book, height, index });
    for (const one of all) expect(await queries.positionOf(one.entry.id)).toEqual(place(one));
    expect(await queries.positionOf('txn_none')).toBeNull();
    expect(await queries.entries(all[7]!, 'older', 1)).toEqual([all[6]]);
  });
});

const kindOf = ({ entry }: PlacedAt) => entry.rejection?.kind ?? entry.kind;
const TIMES = [0, 9, 10, 20, 25, 40].map((ms) => new Date(EPOCH + ms));
const RANGES = [
  {},
  ...TIMES.flatMap((createdFrom) => [
    { createdFrom },
    { createdTo: createdFrom },
    ...TIMES.map((createdTo) => ({ createdFrom, createdTo })),
  ]),
];
const isWithin = ({ at }: PlacedAt, { createdFrom, createdTo }: { createdFrom?: Date; createdTo?: Date }) =>
  (!createdFrom || at >= createdFrom.getTime()) && (!createdTo || at <= createdTo.getTime());

describe('entries of all books by kind and time', () => {
  it.each([undefined, 'payment', 'transaction'] as const)('are those of kind %s, from any position', async (kind) => {
    const middle = all[Math.floor(all.length / 2)]!;
    for (const range of RANGES) {
      const fitting = all.filter((one) => (kind ?? kindOf(one)) === kindOf(one) && isWithin(one, range));
      for (const limit of [3, 100]) {
        const which = { kind, ...range };
        expect(idsOf(await queries.entries(null, 'older', limit, which))).toEqual(
          idsOf([...fitting].reverse().slice(0, limit)),
        );
        const [older, newer] = [
          fitting.filter((one) => isBefore(one, middle)),
          fitting.filter((one) => isBefore(middle, one)),
        ];
        expect(idsOf(await queries.entries(middle, 'older', limit, which))).toEqual(
          idsOf(older.reverse().slice(0, limit)),
        );
        expect(idsOf(await queries.entries(middle, 'newer', limit, which))).toEqual(idsOf(newer.slice(0, limit)));
      }
    }
  });

  const isBefore = (one: PlacedAt, other: PlacedAt) => all.indexOf(one) < all.indexOf(other);
});

describe('entries of an account', () => {
  it('are found by kind, direction and height, from any position', async () => {
    const book = BOOKS[2]!;
    const its = all.filter((one) => one.book === book && one.entry.kind !== 'rejected');
    const middle = its[Math.floor(its.length / 2)]!;
    for (const kind of [undefined, 'payment', 'transaction'] as const) {
      for (const direction of [undefined, 'debit', 'credit'] as const) {
        for (const [from, to] of [[], [3], [undefined, 6], [4, 5], [6, 4]] as (number | undefined)[][]) {
          const fitting = its.filter(
            (one) =>
              direction !== 'debit' &&
              (kind ?? one.entry.kind) === one.entry.kind &&
              one.height >= (from ?? 0) &&
              one.height <= (to ?? HEIGHTS),
          );
          const which = { kind, direction, from, to };
          const [older, newer] = [
            fitting.filter((one) => isBelow(one, middle)),
            fitting.filter((one) => isBelow(middle, one)),
          ];
          const read = async (position: PlacedAt | null, way: 'older' | 'newer') =>
            idsOf(await queries.entriesOf(payee(book), position, way, 4, which));
          expect(await read(null, 'older')).toEqual(idsOf([...fitting].reverse().slice(0, 4)));
          expect(await read(middle, 'older')).toEqual(idsOf(older.reverse().slice(0, 4)));
          expect(await read(middle, 'newer')).toEqual(idsOf(newer.slice(0, 4)));
        }
      }
    }
  });

  it('go on from any command, also of another book', async () => {
    const book = BOOKS[1]!;
    const account = { id: payee(book), book };
    const its = all.filter((one) => one.book === book && one.entry.kind !== 'rejected');
    for (const [i, command] of all.entries()) {
      for (const [way, rest] of [
        ['older', its.filter((one) => all.indexOf(one) < i).reverse()],
        ['newer', its.filter((one) => all.indexOf(one) > i)],
      ] as const) {
        const position = await queries.positionAmong(account, command.entry.id, way);
        expect(idsOf(await queries.entriesOf(account.id, position, way, 3))).toEqual(idsOf(rest.slice(0, 3)));
      }
    }
    expect(await queries.positionAmong(account, 'txn_none', 'older')).toBeNull();
  });

  it('come nearest first, on from every position, in both directions, without those that were rejected', async () => {
    const book = BOOKS[1]!;
    const its = all.filter((one) => one.book === book && one.entry.kind !== 'rejected');
    expect(its.length).toBeGreaterThan(5);
    for (const limit of [1, 3]) {
      expect(await queries.entriesOf(payee(book), null, 'older', limit)).toEqual([...its].reverse().slice(0, limit));
      for (const position of all.filter((one) => one.book === book)) {
        const before = its.filter((one) => isBelow(one, position));
        const after = its.filter((one) => isBelow(position, one));
        const older = await queries.entriesOf(payee(book), position, 'older', limit);
        expect(idsOf(older)).toEqual(idsOf(before.reverse().slice(0, limit)));
        const newer = await queries.entriesOf(payee(book), position, 'newer', limit);
        expect(idsOf(newer)).toEqual(idsOf(after.slice(0, limit)));
      }
    }
  });

  const isBelow = (a: PlacedAt, b: PlacedAt) => a.height < b.height || (a.height === b.height && a.index < b.index);
});

describe('balances', () => {
  it('of an account at each height are those of its last posting by then', async () => {
    for (const book of BOOKS) {
      for (let height = 0; height <= HEIGHTS + 1; height++) {
        const last = all.findLast((one) => one.book === book && one.height <= height && one.entry.kind !== 'rejected');
        const expected = last && { posted: last.entry.postings[1]!.posted, held: 0n, height: last.height, at: last.at };
        expect(await queries.balanceAt(payee(book), height)).toEqual(expected ?? null);
      }
    }
  });

  it('sum to zero, as many accounts as there are', async () => {
    const posted = BigInt(all.filter(({ entry }) => entry.kind !== 'rejected').length);
    expect(await queries.trialBalance()).toEqual([
      { currency: 'EUR', debit: -posted, credit: posted, sum: 0n, accounts: 2 * BOOKS.length },
    ]);
  });
});

it('the height at each time is that of the last block by then', async () => {
  for (const book of BOOKS) {
    for (let at = EPOCH - 5; at < EPOCH + 60; at += 5) {
      const last = blocks.findLast((block) => block.book === book && block.at <= at);
      expect(await queries.heightAt(book, at)).toBe(last?.height ?? 0);
    }
  }
});

describe('the accounts of a block', () => {
  const own = useDatabase();
  const [book, other] = [0, 1];
  let journal: MongoJournalQueries;
  beforeAll(async () => {
    await migrateUp(own.db);
    journal = new MongoJournalQueries(own.db);
  });

  const posting = (account: string, posted: bigint) => ({ account, amount: 1n, currency: 'EUR', posted, held: 0n });
  const entry = (id: string, accounts: readonly string[], posted: bigint): Entry => {
    return { id, key: id, kind: 'payment', postings: accounts.map((one) => posting(one, posted)), details: {} };
  };
  const append = async (height: number, entries: readonly Entry[], inBook = book, postingsBelow = height * 2 ** 18) => {
    const base = { book: inBook, height, prev: new Uint8Array(32), term: 1, at: height, kind: 'entries' } as const;
    const encoded = journal.encode({ ...base, postingsBelow, entries });
    expect(await journal.append([encoded])).toMatchObject({ ended: 'done' });
  };

  it('are told apart when two have the same hash', async () => {
    await append(1, [entry('txn_one', ['twin'], 7n)]);
    await append(2, [entry('txn_two', ['lonely'], 9n)]);
    // As if the account of the second block had the hash of the one of the first.
    const touched = [BigInt(accountHash('twin')), BigInt(accountHash('lonely'))];
    const second = { _id: { book, height: 2n } } as object;
    await own.db.collection('journal').updateOne(second, { $set: { touched, lastEntry: [0, 0] } });
    expect(await journal.balances(['twin', 'lonely', 'nobody'])).toEqual(
      new Map([
        ['twin', { posted: 7n, held: 0n, height: 1, at: 1 }],
        ['lonely', { posted: 9n, held: 0n, height: 2, at: 2 }],
      ]),
    );
    expect(idsOf(await journal.entriesOf('twin', null, 'older', 5))).toEqual(['txn_one']);
  });

  it('are looked for from the era on in which they were opened', async () => {
    for (let height = 1; height <= 40; height++) await append(height, [entry(`txn_old${height}`, ['old'], 1n)], other);
    const accounts = new MongoAccountsStore(own.db);
    const young = {
      ...anAccount('young', { book: other }),
      status: 'open' as const,
      metadata: {},
      createdAt: new Date(),
    };
    await accounts.insert(young);
    const keysExamined = async (account: string) => {
      const explained = await own.db.command({
        explain: {
          aggregate: 'journal',
          pipeline: [{ $match: await conditionFor(account) }, { $sort: byHeight(-1) }, { $limit: 1 }],
          cursor: {},
        },
        verbosity: 'executionStats',
      });
      return Number(explained.executionStats.totalKeysExamined);
    };
    expect(await keysExamined('nobody')).toBeGreaterThan(30);
    expect(await keysExamined('young')).toBeLessThan(5);
    await append(41, [entry('txn_young', ['young'], 3n)], other);
    expect((await journal.balances(['young'])).get('young')).toMatchObject({ posted: 3n, height: 41 });
    expect(idsOf(await journal.entriesOf('young', null, 'newer', 5))).toEqual(['txn_young']);
  });

  class Conditions extends MongoJournal {
    for(account: string): Promise<object> {
      return this.touching(account);
    }
  }
  const conditionFor = (account: string) => new Conditions(own.db).for(account);
});
