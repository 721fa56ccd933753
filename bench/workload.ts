import { uuidv7 } from 'uuidv7';
import type { Command } from '../src/ledger/types.ts';

/** Which accounts a transfer touches: `uniform`: random pairs; `hot`: everybody pays one merchant. */
export type Shape = 'uniform' | 'hot';

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
  const from = 1 + Math.floor(Math.random() * (accounts - 1));
  let to = shape === 'hot' ? 0 : 1 + Math.floor(Math.random() * (accounts - 1));
  if (to === from) to = from === 1 ? 2 : from - 1;
  return { source: accountId(from), destination: accountId(to), amount: BigInt(1 + Math.floor(Math.random() * 100)) };
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
