import { uuidv7 } from 'uuidv7';
import type { Command } from '../src/ledger/types.ts';

/**
 * Which accounts a transfer touches: `uniform`: random pairs; `hot`: everybody pays one merchant; `within` and `across`:
 * random pairs within one of four books, or between two of them.
 */
export type Shape = 'uniform' | 'hot' | 'within' | 'across';

/** Accounts are spread over so many books in turn, where there are several. */
export const BOOKS = 4;

export const ACCOUNTS = 1000;

export function accountId(number: number): string {
  return `user:${String(number).padStart(6, '0')}:wallet`;
}

export interface Transfer {
  readonly source: string;
  readonly destination: string;
  readonly amount: bigint;
}

export function randomTransfer(shape: Shape, accounts = ACCOUNTS): Transfer {
  const from = 1 + below(accounts - 1);
  const to = shape === 'hot' ? 0 : otherThan(from, shape, accounts);
  return { source: accountId(from), destination: accountId(to), amount: BigInt(1 + below(100)) };
}

/** The nth of the transfers that touch every account once. */
export function pairTransfer(n: number): Transfer {
  return { source: accountId(2 * n), destination: accountId(2 * n + 1), amount: 1n };
}

function otherThan(from: number, shape: Shape, accounts: number): number {
  for (;;) {
    const to = 1 + below(accounts - 1);
    const isWithin = to % BOOKS === from % BOOKS;
    if (to !== from && (shape === 'uniform' || isWithin === (shape === 'within'))) return to;
  }
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

export function commandOf({ source, destination, amount }: Transfer): Command {
  const uuid = uuidv7();
  return {
    id: `txn_${uuid}`,
    key: `bench/${uuid}`,
    fingerprint: uuid.slice(0, 22),
    kind: 'payment',
    legs: [
      { account: source, amount: -amount, currency: 'EUR' },
      { account: destination, amount, currency: 'EUR' },
    ],
    details: { reference: uuid.slice(0, 18) },
  };
}
