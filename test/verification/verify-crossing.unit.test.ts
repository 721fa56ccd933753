/** Money between books: a sound ledger is verified, and each planted fault is reported as what it is. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Entry, EntryPart, Leg } from '../../src/ledger/types.ts';
import type { Break } from '../../src/verification/breaks.ts';
import { type VerifyOptions, verify } from '../../src/verification/verify.ts';
import { Model, type Mutable, NOW } from './model.ts';

const OPTIONS: VerifyOptions = { clock: { now: () => NOW }, claimAgeMsMax: 60_000 };
const ID = (n: number) => `txn_01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;
/** Commands of the model by what becomes of them. */
const [FUND, PAID, REFUSED, COLLECTED, TAKEN_BACK] = [ID(1), ID(2), ID(3), ID(4), ID(5)];

type Place = Pick<Break, 'kind'> & Partial<Pick<Break, 'book' | 'height' | 'entry' | 'account'>>;

async function expectBreaks(model: Model, expected: readonly Place[]): Promise<readonly Break[]> {
  const { breaks } = await verify(model.port(), OPTIONS);
  expect(breaks.map(({ kind, message }) => `${kind}: ${message}`)).toHaveLength(expected.length);
  const byPlace = (a: Place, b: Place) =>
    `${a.kind} ${a.book} ${a.entry}` < `${b.kind} ${b.book} ${b.entry}` ? -1 : 1;
  expect([...breaks].sort(byPlace)).toMatchObject([...expected].sort(byPlace));
  return breaks;
}

/** In three books: world funds a; a pays b; a pays too much; a and b to c; a could give to c, but b could not. */
function crossingModel(): Model {
  const model = new Model();
  model.account('world', 'EUR', 0, null);
  model.account('a', 'EUR', 0);
  model.account('b', 'EUR', 1);
  model.account('c', 'EUR', 2, 0n, 1_000n);
  for (const book of [0, 1, 2]) model.append(book, 'term');
  model.run([model.payment('world', 'a', 1_000n)]);
  model.run([model.payment('a', 'b', 300n, { reference: 'INV-2' })]);
  model.run([model.payment('a', 'b', 5_000n)]);
  for (const given of [100n, 400n]) {
    model.run([
      model.transaction([
        ['a', -given],
        ['b', -given],
        ['c', 2n * given],
      ]),
    ]);
  }
  return model;
}

interface Found {
  readonly entry: Mutable<Entry>;
  readonly height: number;
  readonly entries: Mutable<Entry>[];
}

function find(model: Model, id: string, book: number, part: EntryPart): Found {
  for (const { height, entries } of model.blocks(book)) {
    const entry = entries.find((one) => one.id === id && one.span?.part === part);
    if (entry) return { entry, height, entries };
  }
  throw new Error(`there is no ${part} of ${id} in book ${book}`);
}

/** Takes an entry out of its block and makes the book fit: balances and hashes, as one would who hides it. */
function drop(model: Model, id: string, book: number, part: EntryPart): void {
  const { entry, entries } = find(model, id, book, part);
  entries.splice(entries.indexOf(entry), 1);
  rebalance(model, book);
}

/** Puts another part of a command at the end of a book. */
function add(model: Model, book: number, part: EntryPart, like: Entry, legs: readonly Leg[]): void {
  const { legs: _, ...span } = like.span!;
  const postings = legs.map((leg) => ({ ...leg, posted: 0n, held: 0n }));
  const { rejection: __, ...entry } = like;
  model.append(book, 'entries', [
    { ...entry, kind: like.rejection?.kind ?? like.kind, span: { ...span, part }, postings },
  ]);
  rebalance(model, book);
}

function rebalance(model: Model, book: number): void {
  const balances = new Map<string, bigint>();
  for (const posting of model.blocks(book).flatMap(({ entries }) => entries.flatMap(({ postings }) => postings))) {
    posting.posted = (balances.get(posting.account) ?? 0n) + posting.amount;
    balances.set(posting.account, posting.posted);
  }
  model.forge(book);
}

function negated(postings: readonly Leg[]): Leg[] {
  return postings.map(({ account, amount, currency }) => ({ account, amount: -amount, currency }));
}

describe('money between books', () => {
  let model: Model;
  beforeEach(() => {
    model = crossingModel();
  });

  test('is what the tests take it for', () => {
    expect(find(model, PAID, 0, 'debit').entry.span).toMatchObject({ debits: [0], credits: [1] });
    expect(find(model, REFUSED, 0, 'debit').entry.rejection).toMatchObject({ reason: 'insufficient_funds' });
    expect(find(model, COLLECTED, 2, 'credit').entry.postings).toMatchObject([
      { account: 'c', amount: 200n },
      { account: 'transit:2:0:EUR', amount: -100n },
      { account: 'transit:2:1:EUR', amount: -100n },
    ]);
    expect(find(model, TAKEN_BACK, 1, 'debit').entry.kind).toBe('rejected');
    expect(find(model, TAKEN_BACK, 0, 'reversal').entry.postings).toMatchObject([
      { account: 'a', amount: 400n },
      { account: 'transit:0:2:EUR', amount: -400n },
    ]);
    expect(model.rows.map(({ transactionId, status, book }) => [transactionId, status, book])).toEqual([
      [FUND, 'posted', 0],
      [PAID, 'posted', 0],
      [REFUSED, 'rejected', 0],
    ]);
  });

  test('is verified', async () => {
    await expectBreaks(model, []);
  });

  test.each(['pending', 'done'] as const)('that is only on its way, of a claim that is %s', async (state) => {
    model.run([model.payment('a', 'b', 7n)], { state, entries: 'debits' });
    const missing: Place = { kind: 'missing_entry', book: 1, entry: ID(6) };
    await expectBreaks(model, state === 'pending' ? [] : [missing]);
  });

  test('that is on its way for too long', async () => {
    model.run([model.payment('a', 'b', 7n)], { state: 'pending', entries: 'debits', at: NOW - 60_001 });
    const [found] = await expectBreaks(model, [{ kind: 'claim_too_old', entry: ID(6) }]);
    expect(found!.message).toContain('1 of its 1 commands lack entries');
  });

  test('that is credited while verification runs', async () => {
    const tips = await model.port().tips();
    model.run([model.payment('a', 'b', 7n)]);
    model.checkpoints.clear();
    const { breaks } = await verify({ ...model.port(), tips: async () => tips }, OPTIONS);
    expect(breaks).toEqual([]);
    const half = tips.map((tip) => (tip.book === 0 ? { ...tip, height: tip.height + 1 } : tip));
    expect(await verify({ ...model.port(), tips: async () => half }, OPTIONS)).toMatchObject({ breaks: [] });
  });

  test('that its account cannot take is in suspense', async () => {
    model.run([
      model.transaction([
        ['world', -900n],
        ['c', 900n],
      ]),
    ]);
    const account = 'suspense:2:EUR';
    const at = { book: 2, height: model.blocks(2).at(-1)!.height, entry: ID(6), account };
    const [found] = await expectBreaks(model, [{ kind: 'in_suspense', ...at }]);
    expect(found).toMatchObject({ expected: '0 EUR', actual: '900 EUR' });
  });

  test('of which two accounts of a book cannot take their share', async () => {
    model.account('d', 'EUR', 2, 0n, 0n);
    model.run([
      model.transaction([
        ['world', -1_800n],
        ['c', 900n],
        ['d', 900n],
      ]),
    ]);
    const [found] = await expectBreaks(model, [{ kind: 'in_suspense', book: 2, entry: ID(6) }]);
    expect(found!.actual).toBe('1800 EUR');
  });
});

/** `forge` and the like make the books fit again, so that only the rules of crossing are broken. */
const FAULTS: readonly (readonly [name: string, plant: (model: Model) => void, expected: readonly Place[]])[] = [
  [
    'a dropped credit',
    (model) => drop(model, COLLECTED, 2, 'credit'),
    [{ kind: 'missing_entry', book: 2, entry: COLLECTED }],
  ],
  [
    'a dropped debit',
    (model) => drop(model, COLLECTED, 1, 'debit'),
    [{ kind: 'missing_entry', book: 1, entry: COLLECTED }],
  ],
  [
    'a missing reversal',
    (model) => drop(model, TAKEN_BACK, 0, 'reversal'),
    [{ kind: 'missing_entry', book: 0, entry: TAKEN_BACK }],
  ],
  [
    'a doubled credit',
    (model) => {
      const { entry } = find(model, PAID, 1, 'credit');
      add(model, 1, 'credit', entry as Entry, entry.postings);
    },
    [{ kind: 'doubled_entry', book: 1, height: 5, entry: PAID }],
  ],
  [
    'a credit though the debit was rejected',
    (model) => {
      const { entry } = find(model, REFUSED, 0, 'debit');
      add(model, 1, 'credit', entry as Entry, [
        { account: 'b', amount: 5_000n, currency: 'EUR' },
        { account: 'transit:1:0:EUR', amount: -5_000n, currency: 'EUR' },
      ]);
    },
    [{ kind: 'wrong_part', book: 1, height: 5, entry: REFUSED }],
  ],
  [
    'a reversal though nothing was rejected',
    (model) => {
      const { entry } = find(model, PAID, 0, 'debit');
      add(model, 0, 'reversal', entry as Entry, negated(entry.postings));
    },
    [{ kind: 'wrong_part', book: 0, entry: PAID }],
  ],
  [
    'a reversal of what was rejected',
    (model) => {
      const { entry } = find(model, TAKEN_BACK, 1, 'debit');
      const legs = [
        { account: 'b', amount: 400n, currency: 'EUR' },
        { account: 'transit:1:2:EUR', amount: -400n, currency: 'EUR' },
      ];
      add(model, 1, 'reversal', entry as Entry, legs);
    },
    [{ kind: 'wrong_part', book: 1, height: 5, entry: TAKEN_BACK }],
  ],
  [
    'a part in a book that the command does not touch',
    (model) => {
      const { entry } = find(model, PAID, 1, 'credit');
      add(model, 2, 'credit', entry as Entry, [
        { account: 'c', amount: 1n, currency: 'EUR' },
        { account: 'transit:2:0:EUR', amount: -1n, currency: 'EUR' },
      ]);
    },
    [
      { kind: 'wrong_part', book: 2, entry: PAID },
      // Nothing that was asked for explains it.
      { kind: 'transit_mismatch' },
    ],
  ],
  [
    'a part of a command that stays in its book',
    (model) => {
      const [entry] = model.blocks(0)[1]!.entries;
      entry!.span = { part: 'debit', debits: [0], credits: [1], legs: entry!.postings };
      model.forge(0);
    },
    [
      { kind: 'wrong_part', book: 0, height: 2, entry: FUND },
      { kind: 'missing_entry', book: 0, entry: FUND },
    ],
  ],
  [
    'a changed amount in transit',
    (model) => {
      const { entry } = find(model, PAID, 1, 'credit');
      entry.postings[0]!.amount += 5n;
      entry.postings[1]!.amount -= 5n;
      rebalance(model, 1);
    },
    [
      { kind: 'entry_differs_from_claim', book: 1, height: 2, entry: PAID },
      { kind: 'transit_mismatch', book: 0, account: 'transit:0:1:EUR' },
    ],
  ],
  [
    'a credit to another account',
    (model) => {
      model.account('other', 'EUR', 1);
      find(model, PAID, 1, 'credit').entry.postings[0]!.account = 'other';
      // What b gave on, it did not get.
      model.accounts.find(({ id }) => id === 'b')!.minBalance = null;
      rebalance(model, 1);
    },
    [{ kind: 'entry_differs_from_claim', book: 1, height: 2, entry: PAID }],
  ],
  [
    'a debit from the suspense account',
    (model) => {
      model.account('suspense:0:EUR', 'EUR', 0, null);
      find(model, PAID, 0, 'debit').entry.postings[0]!.account = 'suspense:0:EUR';
      rebalance(model, 0);
    },
    [
      { kind: 'entry_differs_from_claim', book: 0, entry: PAID },
      { kind: 'in_suspense', book: 0, entry: PAID, account: 'suspense:0:EUR' },
    ],
  ],
  [
    'a credit that is rejected',
    (model) => {
      const { entry } = find(model, COLLECTED, 2, 'credit');
      const { legs } = model.claims[3]!.commands[0]!;
      Object.assign(entry, {
        kind: 'rejected',
        postings: [],
        rejection: { reason: 'balance_limit_exceeded', kind: 'transaction', legs },
      });
      rebalance(model, 2);
    },
    [{ kind: 'malformed_entry', book: 2, entry: COLLECTED }],
  ],
  [
    'a part that names other books',
    (model) => {
      find(model, COLLECTED, 1, 'debit').entry.span!.credits = [2, 3];
      model.forge(1);
    },
    [{ kind: 'entry_differs_from_claim', book: 1, entry: COLLECTED }],
  ],
  [
    'a first debit that does not describe the whole',
    (model) => {
      delete find(model, COLLECTED, 0, 'debit').entry.span!.legs;
      model.forge(0);
    },
    [{ kind: 'entry_differs_from_claim', book: 0, entry: COLLECTED }],
  ],
  [
    'another debit that does describe the whole',
    (model) => {
      find(model, COLLECTED, 1, 'debit').entry.span!.legs = find(model, COLLECTED, 0, 'debit').entry.span!.legs!;
      model.forge(1);
    },
    [{ kind: 'entry_differs_from_claim', book: 1, entry: COLLECTED }],
  ],
  [
    'a rejection of the whole in one book',
    (model) => {
      delete find(model, REFUSED, 0, 'debit').entry.span;
      model.forge(0);
    },
    [
      { kind: 'wrong_part', book: 0, entry: REFUSED },
      { kind: 'missing_entry', book: 0, entry: REFUSED },
    ],
  ],
  [
    'money in transit that nobody asked for',
    (model) => {
      const { entry } = find(model, PAID, 0, 'debit');
      add(model, 0, 'debit', { ...(entry as Entry), id: ID(99), key: 'shop/99' }, [
        { account: 'a', amount: -9n, currency: 'EUR' },
        { account: 'transit:0:1:EUR', amount: 9n, currency: 'EUR' },
      ]);
    },
    [
      { kind: 'entry_without_claim', book: 0, entry: ID(99) },
      { kind: 'transit_mismatch', book: 0, account: 'transit:0:1:EUR' },
    ],
  ],
  [
    'a dropped claim',
    (model) => void model.claims.splice(1, 1),
    [
      { kind: 'entry_without_claim', book: 0, entry: PAID },
      { kind: 'entry_without_claim', book: 1, entry: PAID },
    ],
  ],
  [
    'a key that was claimed twice',
    (model) => {
      const again = model.payment('a', 'b', 5n);
      model.run([{ ...again, key: model.claims[1]!.commands[0]!.key }], { state: 'pending', entries: false });
    },
    [{ kind: 'doubled_key', book: 0, entry: PAID }],
  ],
  [
    'a payment that the list has where it was credited',
    (model) => {
      Object.assign(model.rows.find(({ transactionId }) => transactionId === PAID)!, { book: 1, height: 2 });
    },
    [
      { kind: 'wrong_read_model', book: 0, entry: PAID },
      { kind: 'wrong_read_model', book: 1, entry: PAID },
    ],
  ],
  [
    'a payment that the list has with another destination',
    (model) => {
      model.rows.find(({ transactionId }) => transactionId === PAID)!.destination = 'transit:0:1:EUR';
    },
    [{ kind: 'wrong_read_model', book: 0, entry: PAID }],
  ],
];

test.each(FAULTS)('%s', async (_name, plant, expected) => {
  const model = crossingModel();
  plant(model);
  await expectBreaks(model, expected);
});

test('a missing entry is told with its part', async () => {
  const model = crossingModel();
  drop(model, COLLECTED, 2, 'credit');
  const [found] = await expectBreaks(model, [{ kind: 'missing_entry', book: 2, entry: COLLECTED }]);
  const message = `command ${COLLECTED} was claimed and done, but its credit of book 2 is not in the journal`;
  expect(found).toMatchObject({ expected: 'a credit of key shop/000000000004', message });
});
