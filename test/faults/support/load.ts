import type { Engine } from '../../../src/ledger/engine.ts';
import { LedgerError } from '../../../src/ledger/errors.ts';
import type { Account, Command, Leg } from '../../../src/ledger/types.ts';
import type { Told } from '../../simulation/check-journal.ts';
import { anAccount, aPayment } from '../../support/commands.ts';

const ACCOUNTS = 12;
export const BOOKS = 2;

/** Two books with a source of money each; account `a<n>` is in book n modulo 2. */
export const ACCOUNTS_IN_TWO_BOOKS: readonly Account[] = [
  ...Array.from({ length: BOOKS }, (_, book) => anAccount(`world${book}`, { book, minBalance: null })),
  ...Array.from({ length: ACCOUNTS }, (_, n) => anAccount(`a${n}`, { book: n % BOOKS })),
];

/**
 * The n-th command of a load: within a book, from one to the other, and from accounts in both, of which one may have
 * too little.
 */
export function mixedCommand(n: number): Command {
  const amount = BigInt(1 + (n % 40));
  const account = (i: number) => `a${(n + i) % ACCOUNTS}`;
  switch (n % 5) {
    case 0:
      return aPayment('world0', `a${(2 * n) % ACCOUNTS}`, 2n * amount);
    case 1:
      return aPayment('world1', `a${(2 * n) % ACCOUNTS}`, 2n * amount);
    case 2:
      return aPayment(account(0), account(4), amount);
    case 3:
      return aPayment(account(0), account(1), amount);
    default:
      return fromTwo(account(0), account(1), account(2), amount);
  }
}

function fromTwo(one: string, other: string, to: string, amount: bigint): Command {
  const legs: Leg[] = [
    { account: one, amount: -amount, currency: 'EUR' },
    { account: other, amount: -amount, currency: 'EUR' },
    { account: to, amount: 2n * amount, currency: 'EUR' },
  ];
  return aPayment(one, to, amount, { kind: 'transaction', legs, fingerprint: `${one}+${other}>${to}:${amount}` });
}

/** Submits the command once, and answers what its caller was told. */
export async function tellOf(engine: Engine, command: Command): Promise<Told> {
  const { key } = command;
  try {
    const { entry } = await engine.submit(command);
    return { key, answer: entry.kind === 'rejected' ? 'rejected' : 'posted', id: entry.id };
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    switch (error.code) {
      case 'outcome_unknown':
      case 'idempotency_key_in_progress':
        return { key, answer: 'unknown' };
      case 'unavailable':
      case 'overloaded':
        return { key, answer: 'nothing written' };
      default:
        // None of these commands is malformed or uses a key for something else.
        throw error;
    }
  }
}

export function isSettled({ answer }: Told): boolean {
  return answer === 'posted' || answer === 'rejected';
}

/** The same request again, as a caller sends it that knows no id. */
export function again(command: Command): Command {
  return { ...command, id: `${command.id}_again` };
}
