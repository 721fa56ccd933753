import { uuidv7 } from 'uuidv7';
import type { Account, AccountChange, Command, Leg } from '../../src/ledger/types.ts';

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

/** A payment that only holds what it takes, until it is captured. */
export function aHold(source: string, destination: string, amount: bigint, more: Partial<Command> = {}): Command {
  return aPayment(source, destination, amount, { hold: { expiresAt: null }, ...more });
}

type Following = 'capture' | 'cancel' | 'expiry' | 'refund' | 'reversal';

/** A command about an earlier one whose legs are two, in `book`: captures or refunds `amount` of it. */
export function following(
  kind: Following,
  earlier: Command,
  amount = 0n,
  { book = 0, isLast = false, ...more }: Partial<Command> & { book?: number; isLast?: boolean } = {},
): Command {
  const [source, destination] = earlier.legs as [Leg, Leg];
  const { hold, kind: of } = earlier;
  const whole = of === 'payment' ? destination.amount : 1n;
  const moved = kind === 'reversal' ? destination.amount : amount;
  const [from, to] = kind === 'capture' ? [source, destination] : [destination, source];
  const origin = {
    id: earlier.id,
    ...(of === 'payment' ? { account: source.account } : {}),
    held: 0n,
    captured: hold ? 0n : whole,
    refunded: 0n,
    ...(hold?.expiresAt ? { expiresAt: hold.expiresAt } : {}),
  };
  const legs = [
    { ...from, amount: -moved },
    { ...to, amount: moved },
  ];
  return aPayment('x', 'y', 1n, {
    kind,
    legs: moved === 0n ? [] : legs,
    fingerprint: `${kind} ${earlier.id} ${amount}`,
    follows: { book, amount: kind === 'reversal' ? 1n : amount, ...(isLast ? { isLast } : {}), origin },
    ...more,
  });
}

export function aChange(change: AccountChange, more: Partial<Command> = {}): Command {
  const fingerprint = `${change.account} ${change.status} ${change.minBalance} ${change.maxBalance}`;
  return aPayment('x', 'y', 1n, { kind: 'account_change', legs: [], fingerprint, change, ...more });
}
