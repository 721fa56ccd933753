import { uuidv7 } from 'uuidv7';
import type { Account, Command, Leg } from '../../src/ledger/types.ts';

let count = 0;

/** An account that may not go below zero, unless told otherwise. */
export function anAccount(id: string, more: Partial<Account> = {}): Account {
  return { id, book: 0, currency: 'EUR', minBalance: 0n, maxBalance: null, ...more };
}

/** A payment in EUR under a key of its own, unless told otherwise. */
export function aPayment(source: string, destination: string, amount: bigint, more: Partial<Command> = {}): Command {
  const legs: Leg[] = [
    { account: source, amount: -amount, currency: 'EUR' },
    { account: destination, amount, currency: 'EUR' },
  ];
  const key = more.key ?? `test/${++count}`;
  return {
    id: `txn_${uuidv7()}`,
    key,
    fingerprint: `${source}>${destination}:${amount}`,
    kind: 'payment',
    legs,
    details: {},
    ...more,
  };
}
