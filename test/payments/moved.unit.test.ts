import { describe, expect, it } from 'vitest';
import type { Entry, EntryPart, Leg } from '../../src/ledger/types.ts';
import { Moved } from '../../src/payments/moved.ts';
import type { JournalQueries, PlacedAt } from '../../src/payments/ports.ts';

const PAYMENT = 'txn_0';
const legs = (amount: bigint): Leg[] => [
  { account: 'payer', amount: -amount, currency: 'EUR' },
  { account: 'payee', amount, currency: 'EUR' },
];

/** The journal of book 0, which decides about the payment, and what stands of its commands elsewhere. */
class History implements Pick<JournalQueries, 'findEntries' | 'followers'> {
  readonly here: PlacedAt[] = [];
  readonly elsewhere: PlacedAt[] = [];
  read = 0;

  add(id: string, part: EntryPart, whole?: readonly Leg[]): void {
    this.here.push(placed(id, part, this.here.length + 1, 0, whole));
  }

  followers: JournalQueries['followers'] = async (_id, from, _direction, limit) => {
    const found = this.here.slice(from?.height ?? 0).slice(0, limit);
    this.read += found.length;
    return found;
  };

  findEntries: JournalQueries['findEntries'] = async (ids) =>
    [...this.here, ...this.elsewhere].filter(({ entry }) => ids.includes(entry.id));
}

function placed(id: string, part: EntryPart, height: number, book: number, whole?: readonly Leg[]): PlacedAt {
  const span = { part, debits: [0, 1], credits: [0], ...(whole ? { legs: whole } : {}) };
  const settlement = { id: PAYMENT, held: 0n, captured: 0n, refunded: 0n };
  const entry: Entry = { id, key: id, kind: 'refund', span, postings: [], settlement, details: {} };
  return { entry, book, height, at: height, index: 0 };
}

describe('what has been moved since a payment', () => {
  it('is read once, however often it is asked for', async () => {
    const history = new History();
    const moved = new Moved(history);
    for (let i = 1; i <= 1_200; i++) history.add(`txn_${i}`, 'debit', legs(2n));
    expect((await moved.since(PAYMENT)).get('payee')).toBe(2_400n);
    expect(history.read).toBe(1_200);
    history.add('txn_x', 'debit', legs(5n));
    expect((await moved.since(PAYMENT)).get('payee')).toBe(2_405n);
    expect((await moved.since(PAYMENT)).get('payer')).toBe(-2_405n);
    expect(history.read).toBe(1_201);
  });

  it('is less again by what was taken back', async () => {
    const history = new History();
    const moved = new Moved(history);
    history.add('txn_1', 'debit', legs(7n));
    history.add('txn_2', 'debit', legs(3n));
    expect((await moved.since(PAYMENT)).get('payee')).toBe(10n);
    history.add('txn_1', 'reversal');
    expect((await moved.since(PAYMENT)).get('payee')).toBe(3n);
  });

  it('counts what is described in another book once it stands there', async () => {
    const history = new History();
    const moved = new Moved(history);
    history.add('txn_1', 'debit', legs(7n));
    history.add('txn_2', 'debit');
    history.add('txn_3', 'debit', legs(1n));
    expect((await moved.since(PAYMENT)).get('payee')).toBe(8n);
    history.elsewhere.push(placed('txn_2', 'debit', 1, 1, legs(-4n)));
    expect((await moved.since(PAYMENT)).get('payee')).toBe(4n);
    expect((await moved.since(PAYMENT)).get('payee')).toBe(4n);
  });

  it('of many payments is right, whichever of them are kept', async () => {
    const histories = new Map<string, History>();
    const journal: Pick<JournalQueries, 'findEntries' | 'followers'> = {
      followers: (id, ...rest) => histories.get(id)!.followers(id, ...rest),
      findEntries: async () => [],
    };
    const moved = new Moved(journal);
    for (let i = 0; i < 1_500; i++) {
      const history = new History();
      history.add(`txn_${i}`, 'debit', legs(BigInt(i)));
      histories.set(`txn_p${i}`, history);
      await moved.since(`txn_p${i}`);
    }
    expect((await moved.since('txn_p0')).get('payee')).toBe(0n);
    expect((await moved.since('txn_p1499')).get('payee')).toBe(1_499n);
    expect([histories.get('txn_p0')!.read, histories.get('txn_p1499')!.read]).toEqual([2, 1]);
  });
});
