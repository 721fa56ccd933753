import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { AccountTable } from '../../src/ledger/account-table.ts';
import { Book, IntegrityError, type Work } from '../../src/ledger/book.ts';
import { Progress } from '../../src/ledger/progress.ts';
import { Task } from '../../src/ledger/task.ts';
import type { Account, Block, Command, StoredBlock } from '../../src/ledger/types.ts';
import { anAccount, aPayment } from '../support/commands.ts';

const HASH = (n: number) => new Uint8Array(32).fill(n);

function aBook(accounts: [Account, posted: bigint, held?: bigint][]): Book {
  const table = new AccountTable(100);
  for (const [account, posted, held = 0n] of accounts) {
    const slot = table.add(account);
    table.finishLoad(slot, table.beginLoad(slot), posted, held);
  }
  return new Book(0, table);
}

function workOf(book: Book, command: Command): Work {
  const task = new Task(command, 0, 0);
  const slots = command.legs.map(({ account }) => book.accounts.find(account));
  const part = { book: 0, legs: command.legs, slots, suspense: [], decides: false, subject: -1, payees: [] };
  task.progress = new Progress([part], [], [], slots);
  return { task, part };
}

function decide(book: Book, ...commands: Command[]): Block {
  return book.decide(
    commands.map((command) => workOf(book, command)),
    1000,
  );
}

function landed(book: Book, block: Block, hash = HASH(block.height)): StoredBlock {
  book.buildOn({ block, hash, bytes: new Uint8Array() });
  book.landed();
  return { ...block, hash };
}

const MAX = 2n ** 63n - 1n;

describe('a book decides', () => {
  it.each<[string, source: Partial<Account>, posted: bigint, held: bigint, amount: bigint, outcome: string]>([
    ['a payment of all there is', {}, 100n, 0n, 100n, 'payment'],
    ['a payment of more than there is', {}, 100n, 0n, 101n, 'insufficient_funds'],
    ['a payment of what is held', {}, 100n, 40n, 61n, 'insufficient_funds'],
    ['a payment of what is not held', {}, 100n, 40n, 60n, 'payment'],
    ['a payment within an overdraft', { minBalance: -50n }, 0n, 0n, 50n, 'payment'],
    ['a payment beyond an overdraft', { minBalance: -50n }, 0n, 0n, 51n, 'insufficient_funds'],
    ['a payment from an account without a limit', { minBalance: null }, 0n, 0n, 999n, 'payment'],
    ['a payment that 64 bits do not hold', { minBalance: null }, -MAX + 5n, 0n, 6n, 'balance_limit_exceeded'],
    ['a payment out of a reserve', { minBalance: 10n }, 100n, 0n, 91n, 'insufficient_funds'],
  ])('%s', (_, source, posted, held, amount, outcome) => {
    const book = aBook([
      [anAccount('a', source), posted, held],
      [anAccount('b'), 0n],
    ]);
    const [entry] = decide(book, aPayment('a', 'b', amount)).entries;
    expect(entry!.rejection?.reason ?? entry!.kind).toBe(outcome);
    expect(entry!.postings).toHaveLength(outcome === 'payment' ? 2 : 0);
    expect(book.accounts.posted(book.accounts.find('a'))).toBe(outcome === 'payment' ? posted - amount : posted);
  });

  it.each<[string, Partial<Account>, posted: bigint, amount: bigint, outcome: string]>([
    ['a credit up to the limit', { maxBalance: 100n }, 40n, 60n, 'payment'],
    ['a credit beyond the limit', { maxBalance: 100n }, 40n, 61n, 'balance_limit_exceeded'],
    ['a credit that 64 bits do not hold', {}, MAX - 5n, 6n, 'balance_limit_exceeded'],
  ])('%s', (_, destination, posted, amount, outcome) => {
    const book = aBook([
      [anAccount('a', { minBalance: null }), 0n],
      [anAccount('b', destination), posted],
    ]);
    const [entry] = decide(book, aPayment('a', 'b', amount)).entries;
    expect(entry!.rejection?.reason ?? entry!.kind).toBe(outcome);
  });

  it('later commands of a block against what earlier ones left', () => {
    const book = aBook([
      [anAccount('a'), 100n],
      [anAccount('b'), 0n],
      [anAccount('c'), 0n],
    ]);
    const block = decide(book, aPayment('a', 'b', 70n), aPayment('a', 'c', 70n), aPayment('b', 'c', 70n));
    expect(block.entries.map(({ kind }) => kind)).toEqual(['payment', 'rejected', 'payment']);
    expect(block.entries[2]!.postings.map(({ posted }) => posted)).toEqual([0n, 70n]);
  });

  it('an expired command as rejected, whatever there is', () => {
    const book = aBook([
      [anAccount('a'), 100n],
      [anAccount('b'), 0n],
    ]);
    const work = workOf(book, aPayment('a', 'b', 1n));
    work.task.expired = true;
    expect(book.decide([work], 0).entries[0]!.rejection?.reason).toBe('expired');
  });
});

describe('a book', () => {
  it('takes back every block that did not land, in order', () => {
    const book = aBook([
      [anAccount('a'), 100n],
      [anAccount('b'), 0n],
    ]);
    const first = decide(book, aPayment('a', 'b', 10n));
    book.buildOn({ block: first, hash: HASH(1), bytes: new Uint8Array() });
    const second = decide(book, aPayment('a', 'b', 20n), aPayment('b', 'a', 25n));
    book.buildOn({ block: second, hash: HASH(2), bytes: new Uint8Array() });
    expect([second.height, second.prev]).toEqual([2, HASH(1)]);
    book.landed();
    book.rollback();
    expect([book.height, book.hash]).toEqual([1, HASH(1)]);
    expect(book.accounts.posted(book.accounts.find('a'))).toBe(90n);
    expect(book.accounts.posted(book.accounts.find('b'))).toBe(10n);
  });

  it('takes balances from the blocks of others', () => {
    const book = aBook([
      [anAccount('a'), 100n],
      [anAccount('b'), 0n],
    ]);
    const other = aBook([
      [anAccount('a'), 100n],
      [anAccount('b'), 0n],
    ]);
    book.apply(landed(other, decide(other, aPayment('a', 'b', 30n))));
    expect(book.accounts.posted(book.accounts.find('b'))).toBe(30n);
    expect(book.height).toBe(1);
  });

  it.each<[string, Partial<StoredBlock>]>([
    ['leaves a gap', { height: 2 }],
    ['is of another book', { book: 1 }],
    ['does not follow from the one below', { prev: HASH(9) }],
  ])('refuses a block that %s', (_, change) => {
    const block = { ...aBook([]).emptyBlock('term', 0), hash: HASH(1), ...change };
    expect(() => aBook([]).apply(block)).toThrow(IntegrityError);
  });

  it('never lets time go backwards', () => {
    const book = aBook([]);
    book.apply({ ...book.emptyBlock('term', 5000), hash: HASH(1) });
    expect(book.emptyBlock('seal', 4000).at).toBe(5000);
  });

  const movement = fc.record({
    from: fc.integer({ min: 0, max: 4 }),
    to: fc.integer({ min: 0, max: 4 }),
    amount: fc.bigInt(1n, 200n),
    lost: fc.boolean(),
  });
  test.prop([fc.array(fc.array(movement, { maxLength: 8 }), { maxLength: 20 })])(
    'agrees with plain arithmetic, whatever lands and whatever is lost',
    (blocks) => {
      const book = aBook(Array.from({ length: 5 }, (_, i) => [anAccount(`a${i}`), 300n]));
      const model = Array.from({ length: 5 }, () => 300n);
      for (const [n, moves] of blocks.entries()) {
        const real = moves.filter(({ from, to }) => from !== to);
        const block = decide(book, ...real.map(({ from, to, amount }) => aPayment(`a${from}`, `a${to}`, amount)));
        book.buildOn({ block, hash: HASH(n % 250), bytes: new Uint8Array() });
        if (moves[0]?.lost) {
          book.rollback();
          continue;
        }
        book.landed();
        for (const [i, { from, to, amount }] of real.entries()) {
          const enough = model[from]! >= amount;
          expect(block.entries[i]!.kind).toBe(enough ? 'payment' : 'rejected');
          if (!enough) continue;
          model[from]! -= amount;
          model[to]! += amount;
          expect(block.entries[i]!.postings.map(({ posted }) => posted)).toEqual([model[from], model[to]]);
        }
      }
      expect(model.map((_, i) => book.accounts.posted(book.accounts.find(`a${i}`)))).toEqual(model);
    },
  );
});
