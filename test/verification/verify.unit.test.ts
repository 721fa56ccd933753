import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { StoredBlock } from '../../src/ledger/types.ts';
import type { Break } from '../../src/verification/breaks.ts';
import { type VerifyOptions, verify } from '../../src/verification/verify.ts';
import { hashOf, Model, NOW } from './model.ts';
import { randomModel } from './random-model.ts';

const OPTIONS: VerifyOptions = { clock: { now: () => NOW }, claimAgeMsMax: 60_000 };

/** Where a break is, without how it is told. */
type Place = Pick<Break, 'kind'> & Partial<Pick<Break, 'book' | 'height' | 'entry' | 'account'>>;

async function breaksOf(model: Model): Promise<readonly Break[]> {
  const report = await verify(model.port(), OPTIONS);
  expect(report.ok).toBe(report.breakCount === 0);
  return report.breaks;
}

/** Exactly these breaks, at these places. */
async function expectBreaks(model: Model, expected: readonly Place[]): Promise<void> {
  const found = await breaksOf(model);
  expect(found.map(({ kind, message }) => `${kind}: ${message}`)).toHaveLength(expected.length);
  const byKind = (a: Place, b: Place) => (`${a.kind} ${a.entry}` < `${b.kind} ${b.entry}` ? -1 : 1);
  expect([...found].sort(byKind)).toMatchObject([...expected].sort(byKind));
}

/** Book 0: height 1 term, 2 funds a and b with 1000 each, 3 a pays b 300, 4 b pays a 5000 (rejected), 5 in two currencies. */
function smallModel(): Model {
  const model = new Model();
  model.account('world:EUR', 'EUR', 0, null);
  model.account('world:JPY', 'JPY', 0, null);
  model.account('a', 'EUR');
  model.account('b', 'EUR', 0, 0n, 10_000n);
  model.account('j', 'JPY');
  model.append(0, 'term');
  model.run([model.payment('world:EUR', 'a', 1_000n), model.payment('world:EUR', 'b', 1_000n, { reference: 'INV-2' })]);
  model.run([model.payment('a', 'b', 300n, { reference: 'INV-3', metadata: { order: '9' } })]);
  model.run([model.payment('b', 'a', 5_000n)]);
  model.run([
    model.transaction([
      ['a', -100n],
      ['world:EUR', 100n],
      ['world:JPY', -160n],
      ['j', 160n],
    ]),
  ]);
  return model;
}

const ID = (n: number) => `txn_01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;

describe('a sound ledger', () => {
  test('is verified, and summed up', async () => {
    const model = smallModel();
    const report = await verify(model.port(), OPTIONS);
    expect(report).toMatchObject({ ok: true, accounts: 5, claims: 4, pending: 0, breakCount: 0, breaks: [] });
    const hash = Buffer.from(model.blocks().at(-1)!.hash).toString('hex');
    expect(report.books).toEqual([{ book: 0, above: 0, blocks: 5, entries: 5, postings: 10, height: 5, hash }]);
    expect(report.trialBalance).toEqual([
      { currency: 'EUR', debit: -1_900n, credit: 1_900n, sum: 0n, accounts: 3 },
      { currency: 'JPY', debit: -160n, credit: 160n, sum: 0n, accounts: 2 },
    ]);
  });

  test('may be empty', async () => {
    expect(await verify(new Model().port(), OPTIONS)).toMatchObject({ ok: true, books: [], trialBalance: [] });
  });

  test('may have young open claims, with and without entries', async () => {
    const model = smallModel();
    model.run([model.payment('a', 'b', 1n)], { state: 'pending' });
    model.run([model.payment('a', 'b', 1n)], { state: 'pending', entries: false });
    expect(await verify(model.port(), OPTIONS)).toMatchObject({ ok: true, claims: 6, pending: 2 });
  });

  test('may have a read model that is behind', async () => {
    const model = smallModel();
    model.checkpoints.set(0, 2);
    model.rows = model.rows.filter(({ height }) => height <= 2);
    await expectBreaks(model, []);
  });

  test('may have account snapshots of any height', async () => {
    const model = smallModel();
    model.accounts[2]!.snapshot = { posted: 1_000n, held: 0n, height: 2 };
    model.accounts[3]!.snapshot = { posted: 1_300n, held: 0n, height: 4 };
    model.accounts[4]!.snapshot = { posted: 0n, held: 0n, height: 4 };
    await expectBreaks(model, []);
  });

  test('of any shape is verified', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 40 }), async (seed, groups) => {
        const model = randomModel(seed, groups);
        const found = await breaksOf(model);
        expect(found.map(({ kind, account }) => `${kind} ${account}`).sort()).toEqual(
          model
            .suspended()
            .map((account) => `in_suspense ${account}`)
            .sort(),
        );
      }),
      { numRuns: 150 },
    );
  });

  test('is verified in batches, whatever their borders', async () => {
    const model = smallModel();
    for (let i = 0; i < 5; i++) model.run(Array.from({ length: 450 }, () => model.payment('world:EUR', 'a', 1n)));
    const report = await verify(model.port(), OPTIONS);
    expect(report).toMatchObject({ ok: true, breakCount: 0 });
    expect(report.books[0]!.entries).toBe(5 + 5 * 450);
  });
});

/** One fault each: its name, how it is planted, and exactly what must be reported. `forge` makes the hashes fit again. */
type Fault = readonly [name: string, plant: (model: Model) => void, expected: readonly Place[]];
const FAULTS: readonly Fault[] = [
  [
    'a flipped bit in a stored hash',
    (model) => {
      model.blocks()[2]!.hash[7]! ^= 1;
    },
    [{ kind: 'hash_mismatch', book: 0, height: 3 }],
  ],
  [
    'a changed byte of a block',
    (model) => {
      model.blocks()[2]!.at += 1;
    },
    [
      { kind: 'hash_mismatch', book: 0, height: 3 },
      { kind: 'wrong_read_model', book: 0, height: 3, entry: ID(3) },
    ],
  ],
  [
    'a block that was replaced together with its hash',
    (model) => {
      model.blocks()[3]!.entries[0]!.rejection!.reason = 'expired';
      model.rows.find(({ transactionId }) => transactionId === ID(4))!.rejectionReason = 'expired';
      const [, , , fourth, fifth] = model.blocks();
      const prev = fifth!.prev;
      model.forge();
      fifth!.prev = prev;
      fifth!.hash = hashAfter(model);
      expect(fourth!.hash).not.toEqual(prev);
    },
    [{ kind: 'broken_chain', book: 0, height: 5 }],
  ],
  [
    'a first block that does not begin the chain',
    (model) => {
      model.blocks()[0]!.prev = new Uint8Array(32).fill(1);
      model.blocks()[0]!.hash = hashAfter(model, 0);
      model.blocks()[1]!.prev = model.blocks()[0]!.hash;
      restampFrom(model, 1);
    },
    [{ kind: 'broken_chain', book: 0, height: 1 }],
  ],
  [
    'a dropped block',
    (model) => {
      model.blocks().splice(3, 1);
    },
    [
      { kind: 'height_gap', book: 0, height: 4 },
      { kind: 'missing_entry', book: 0, entry: ID(4) },
      { kind: 'wrong_read_model', book: 0, height: 4, entry: ID(4) },
    ],
  ],
  [
    'a dropped first block',
    (model) => {
      model.blocks().shift();
    },
    [{ kind: 'height_gap', book: 0, height: 1 }],
  ],
  [
    'a dropped last block',
    (model) => {
      model.blocks().pop();
    },
    [
      { kind: 'missing_entry', book: 0, entry: ID(5) },
      { kind: 'wrong_read_model', book: 0, height: 5, entry: null },
    ],
  ],
  [
    'a time that goes backwards',
    (model) => {
      model.blocks()[4]!.at = model.blocks()[3]!.at - 1;
      model.forge();
    },
    [{ kind: 'time_backwards', book: 0, height: 5 }],
  ],
  [
    'a term that goes backwards',
    (model) => {
      model.blocks()[4]!.term = 0;
      model.forge();
    },
    [{ kind: 'term_backwards', book: 0, height: 5 }],
  ],
  [
    'a term block with entries',
    (model) => {
      model.blocks()[2]!.kind = 'term';
      model.forge();
    },
    [{ kind: 'malformed_block', book: 0, height: 3 }],
  ],
  [
    'a wrong count of the postings below',
    (model) => {
      model.forge();
      const block = model.blocks()[4]!;
      block.postingsBelow += 2;
      block.hash = hashOf(block as StoredBlock);
    },
    [{ kind: 'malformed_block', book: 0, height: 5 }],
  ],
  [
    'a block that the index does not find by its accounts',
    (model) => {
      model.indexFaults.set(model.blocks()[2] as StoredBlock, 'it is under another era');
    },
    [{ kind: 'malformed_block', book: 0, height: 3 }],
  ],
  [
    'a changed amount',
    (model) => {
      model.blocks()[2]!.entries[0]!.postings[1]!.amount = 301n;
      model.forge();
    },
    [
      { kind: 'unbalanced_entry', book: 0, height: 3, entry: ID(3) },
      { kind: 'wrong_running_balance', book: 0, height: 3, entry: ID(3), account: 'b' },
      { kind: 'entry_differs_from_claim', book: 0, height: 3, entry: ID(3) },
      { kind: 'wrong_read_model', book: 0, height: 3, entry: ID(3) },
      { kind: 'unbalanced_book', book: 0 },
    ],
  ],
  [
    'a changed running balance',
    (model) => {
      model.blocks()[2]!.entries[0]!.postings[0]!.posted += 5n;
      model.forge();
    },
    [{ kind: 'wrong_running_balance', book: 0, height: 3, entry: ID(3), account: 'a' }],
  ],
  [
    'a changed held balance',
    (model) => {
      model.blocks()[2]!.entries[0]!.postings[0]!.held = 5n;
      model.forge();
    },
    [{ kind: 'wrong_running_balance', book: 0, height: 3, entry: ID(3), account: 'a' }],
  ],
  [
    'a balance that was changed from there on',
    (model) => {
      model.blocks()[2]!.entries[0]!.postings[0]!.posted += 5n;
      model.blocks()[4]!.entries[0]!.postings[0]!.posted += 5n;
      model.forge();
    },
    [
      { kind: 'wrong_running_balance', book: 0, height: 3, entry: ID(3), account: 'a' },
      { kind: 'unbalanced_book', book: 0 },
    ],
  ],
  [
    'a balance below its limit',
    (model) => {
      model.accounts[2]!.minBalance = 601n;
    },
    [{ kind: 'limit_exceeded', book: 0, height: 5, entry: ID(5), account: 'a' }],
  ],
  [
    'a balance above its limit',
    (model) => {
      model.accounts[3]!.maxBalance = 1_299n;
    },
    [{ kind: 'limit_exceeded', book: 0, height: 3, entry: ID(3), account: 'b' }],
  ],
  [
    'an account that is gone',
    (model) => {
      model.accounts.splice(4, 1);
    },
    [
      { kind: 'unknown_account', book: 0, height: 5, entry: ID(5), account: 'j' },
      { kind: 'unbalanced_book', book: 0 },
    ],
  ],
  [
    'an account of another currency',
    (model) => {
      model.accounts[4]!.currency = 'KRW';
    },
    [
      { kind: 'wrong_currency', book: 0, height: 5, entry: ID(5), account: 'j' },
      { kind: 'unbalanced_book', book: 0 },
      { kind: 'unbalanced_book', book: 0 },
    ],
  ],
  [
    'an account of another book',
    (model) => {
      model.accounts[4]!.book = 1;
    },
    [
      { kind: 'wrong_book', book: 0, height: 5, entry: ID(5), account: 'j' },
      { kind: 'unbalanced_book', book: 0 },
    ],
  ],
  [
    'an unknown reason',
    (model) => {
      const reason = 'because' as never;
      model.blocks()[3]!.entries[0]!.rejection!.reason = reason;
      model.rows.find(({ transactionId }) => transactionId === ID(4))!.rejectionReason = reason;
      model.forge();
    },
    [{ kind: 'unknown_rejection_reason', book: 0, height: 4, entry: ID(4) }],
  ],
  [
    'a rejection that posts',
    (model) => {
      const { postings } = model.blocks()[2]!.entries[0]!;
      model.blocks()[3]!.entries[0]!.postings = postings.map((posting) => ({
        ...posting,
        amount: -posting.amount,
        posted: 1_000n,
      }));
      model.blocks()[4]!.entries[0]!.postings[0]!.posted = 900n;
      model.forge();
    },
    [{ kind: 'malformed_entry', book: 0, height: 4, entry: ID(4) }],
  ],
  [
    'a missing entry',
    (model) => {
      model.blocks()[3]!.entries = [];
      model.rows = model.rows.filter(({ height }) => height !== 4);
      model.forge();
    },
    [{ kind: 'missing_entry', book: 0, entry: ID(4) }],
  ],
  [
    'a doubled entry',
    (model) => {
      const [rejected] = model.blocks()[3]!.entries;
      model.append(0, 'entries', [rejected as never]);
    },
    [{ kind: 'doubled_entry', book: 0, height: 6, entry: ID(4) }],
  ],
  [
    'an entry that stands twice in its block',
    (model) => {
      const { entries } = model.blocks()[3]!;
      entries.push(entries[0]!);
      model.forge();
    },
    [
      { kind: 'doubled_entry', book: 0, height: 4, entry: ID(4) },
      { kind: 'wrong_read_model', book: 0, height: 4, entry: ID(4) },
    ],
  ],
  [
    'a missing claim',
    (model) => {
      model.claims.splice(1, 1);
    },
    [{ kind: 'entry_without_claim', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'a claim that is open for too long, though all stands',
    (model) => {
      Object.assign(model.claims[1]!, { state: 'pending', at: NOW - 60_001 });
    },
    [{ kind: 'claim_too_old', entry: ID(3) }],
  ],
  [
    'a claim that was never carried out',
    (model) => model.run([model.payment('a', 'b', 1n)], { state: 'pending', entries: false, at: NOW - 60_001 }),
    [{ kind: 'claim_too_old', entry: ID(6) }],
  ],
  [
    'a key that was claimed twice',
    (model) => {
      const again = model.payment('a', 'b', 5n);
      model.run([{ ...again, key: model.claims[1]!.commands[0]!.key }], { state: 'pending', entries: false });
    },
    [{ kind: 'doubled_key', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'a key that stands twice in a claim',
    (model) => {
      const command = model.payment('a', 'b', 5n);
      const again = { ...model.payment('a', 'b', 5n), key: command.key };
      model.run([command, again], { state: 'pending', entries: false });
    },
    [{ kind: 'doubled_key', entry: ID(6) }],
  ],
  [
    'other legs than were claimed',
    (model) => {
      model.claims[1]!.commands[0]!.legs[1]!.account = 'world:EUR';
    },
    [{ kind: 'entry_differs_from_claim', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'other legs than were rejected',
    (model) => {
      for (const leg of model.claims[2]!.commands[0]!.legs) leg.amount *= 2n;
    },
    [{ kind: 'entry_differs_from_claim', book: 0, height: 4, entry: ID(4) }],
  ],
  [
    'another reference than was claimed',
    (model) => {
      model.claims[1]!.commands[0]!.details.reference = 'INV-4';
    },
    [{ kind: 'entry_differs_from_claim', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'a payment that is missing in the read model',
    (model) => {
      model.rows.splice(2, 1);
    },
    [{ kind: 'wrong_read_model', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'a payment that is only in the read model',
    (model) => {
      model.rows.push({ ...model.rows[0]!, transactionId: ID(99), height: 1 });
    },
    [{ kind: 'wrong_read_model', book: 0, height: 1, entry: ID(99) }],
  ],
  [
    'a payment that differs in the read model',
    (model) => {
      model.rows[2]!.amount = 299n;
    },
    [{ kind: 'wrong_read_model', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'a payment that stands twice in the read model',
    (model) => {
      model.rows.push({ ...model.rows[2]! });
    },
    [{ kind: 'wrong_read_model', book: 0, height: 3, entry: ID(3) }],
  ],
  [
    'a wrong account snapshot in the middle',
    (model) => {
      model.accounts[2]!.snapshot = { posted: 999n, held: 0n, height: 2 };
    },
    [{ kind: 'wrong_account_snapshot', book: 0, height: 2, account: 'a' }],
  ],
  [
    'an account snapshot that lacks what it should have',
    (model) => {
      model.snapshot(0, 4);
      model.accounts[2]!.snapshot = { posted: 1_000n, held: 0n, height: 2 };
    },
    [{ kind: 'wrong_account_snapshot', book: 0, height: 3, account: 'a' }],
  ],
  [
    'an account snapshot that is missing',
    (model) => {
      model.snapshot(0, 4);
      delete model.accounts[2]!.snapshot;
    },
    [{ kind: 'wrong_account_snapshot', book: 0, height: 2, account: 'a' }],
  ],
  [
    'account snapshots that go further than the journal',
    (model) => {
      model.snapshot(0, model.blocks().length);
      model.snapshotsUpTo.set(0, 99);
    },
    [{ kind: 'wrong_account_snapshot', book: 0, height: 99 }],
  ],
  [
    'a wrong account snapshot at the end',
    (model) => {
      model.accounts[3]!.snapshot = { posted: 1_300n, held: 1n, height: 5 };
    },
    [{ kind: 'wrong_account_snapshot', book: 0, height: 5, account: 'b' }],
  ],
];

function hashAfter(model: Model, index = model.blocks().length - 1): Uint8Array {
  return hashOf(model.blocks()[index] as never);
}

function restampFrom(model: Model, index: number): void {
  const blocks = model.blocks();
  for (let i = index; i < blocks.length; i++) {
    blocks[i]!.prev = blocks[i - 1]!.hash;
    blocks[i]!.hash = hashAfter(model, i);
  }
}

describe('one planted fault is reported as what it is, where it is', () => {
  let model: Model;
  beforeEach(() => {
    model = smallModel();
  });

  test.each(FAULTS)('%s', async (_name, plant, expected) => {
    plant(model);
    await expectBreaks(model, expected);
  });

  test('an unreadable block', async () => {
    const port = model.port();
    const blocks = async function* (book: number, fromHeight: number, toHeight: number) {
      for await (const one of port.blocks(book, fromHeight, toHeight)) {
        const audited = one.audited();
        const isIt = 'block' in audited && audited.block.height === 3;
        yield isIt ? { ...one, audited: () => ({ height: 3, unreadable: 'postings is not an array' }) } : one;
      }
    };
    const { breaks } = await verify({ ...port, blocks }, OPTIONS);
    // What block 3 gave to b was its last posting: without it the book does not balance.
    expect(breaks).toMatchObject([
      { kind: 'unreadable_block', book: 0, height: 3 },
      { kind: 'unbalanced_book', book: 0, actual: '-300 EUR' },
    ]);
  });

  test('an amount that leads to more than a balance can hold', async () => {
    model.blocks()[2]!.entries[0]!.postings[0]!.amount = -(2n ** 63n);
    model.forge();
    expect((await breaksOf(model)).map(({ kind }) => kind)).toContain('wrong_running_balance');
  });
});

describe('the list of breaks', () => {
  test('is cut, and counts all', async () => {
    const model = smallModel();
    model.claims = [];
    const report = await verify(model.port(), { ...OPTIONS, breaksKept: 2 });
    expect(report).toMatchObject({ ok: false, breakCount: 5 });
    expect(report.breaks).toHaveLength(2);
  });

  test('names both sides', async () => {
    const model = smallModel();
    model.rows[2]!.amount = 299n;
    const [found] = await breaksOf(model);
    expect(found).toMatchObject({ expected: 'amount 300', actual: 'amount 299' });
  });
});

test('reports progress, and stops when told to', async () => {
  const phases = new Set<string>();
  await verify(smallModel().port(), { ...OPTIONS, onProgress: ({ phase }) => phases.add(phase) });
  expect([...phases]).toEqual(['journal', 'claims']);
  await expect(verify(smallModel().port(), { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
    'enough',
  );
});
