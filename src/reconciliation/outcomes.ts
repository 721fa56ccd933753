/** What a comparison can find, and how it is told. "Here" is the ledger, "there" is the statement. */
import { formatMoney } from '../ledger/money.ts';
import { dayText, type StatementRecord } from '../statements/statement.ts';
import type { Candidate } from './pairing.ts';

export const OUTCOMES = [
  /** Same reference, amount and currency, on days within the window. */
  'matched',
  /** In the statement, not in the ledger. */
  'missing_here',
  /** Posted in the ledger on a day of the statement's period, not in the statement. */
  'missing_there',
  'amount_differs',
  /** Same reference, other currency: the amounts cannot be compared. */
  'currency_differs',
  /** Same reference, amount and currency, on days further apart than the window. */
  'date_differs',
  /** Posted more often than the statement has it. */
  'duplicate_here',
  /** More often in the statement than it was posted. */
  'duplicate_there',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

interface StatementSide {
  readonly line: number;
  readonly id: string | null;
  readonly amount: bigint;
  readonly currency: string;
  /** `YYYY-MM-DD`, UTC */
  readonly date: string;
  readonly description: string | null;
}

interface PaymentSide {
  readonly id: string;
  readonly amount: bigint;
  readonly currency: string;
  /** `YYYY-MM-DD`, UTC */
  readonly date: string;
}

/** One difference. At least one side is there. */
export interface ReconciliationItem {
  /** From 1, in the order of the statement; then what is missing there, by date. */
  readonly position: number;
  readonly outcome: Exclude<Outcome, 'matched'>;
  readonly reference: string;
  readonly statement: StatementSide | null;
  readonly payment: PaymentSide | null;
  readonly message: string;
}

interface CurrencyTotals {
  readonly currency: string;
  /** Sum of the statement's records. */
  readonly statement: bigint;
  /** Sum of the payments that were compared: matched, different, or missing there. */
  readonly ledger: bigint;
  /** `statement - ledger`; zero does not mean that all is matched. */
  readonly difference: bigint;
  readonly matched: bigint;
}

export interface MatchSummary {
  /** First and last day, `YYYY-MM-DD`, UTC. */
  readonly from: string;
  readonly to: string;
  readonly windowDays: number;
  readonly account: string | null;
  readonly records: number;
  /** Payments that were compared. */
  readonly payments: number;
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly differences: number;
  readonly totals: readonly CurrencyTotals[];
}

export interface MatchResult {
  readonly summary: MatchSummary;
  /** The first differences; the summary counts all. */
  readonly items: readonly ReconciliationItem[];
}

/** A difference before it is told. At least one side is there. */
export interface Finding {
  readonly outcome: Exclude<Outcome, 'matched'>;
  readonly record: StatementRecord | null;
  readonly payment: Candidate | null;
}

/** The n-th difference as it is told. */
export function itemOf({ outcome, record, payment }: Finding, position: number): ReconciliationItem {
  return {
    position,
    outcome,
    reference: (record ?? payment)!.reference,
    statement: record && {
      line: record.line,
      id: record.id,
      amount: record.amount,
      currency: record.currency,
      date: dayText(record.day),
      description: record.description,
    },
    payment: payment && {
      id: payment.id,
      amount: payment.amount,
      currency: payment.currency,
      date: dayText(payment.day),
    },
    message: messageOf(outcome, record, payment),
  };
}

function messageOf(outcome: Finding['outcome'], record: StatementRecord | null, payment: Candidate | null): string {
  const there = record && `${formatMoney(record.amount, record.currency)} on ${dayText(record.day)}`;
  const here = payment && `${formatMoney(payment.amount, payment.currency)} on ${dayText(payment.day)}`;
  switch (outcome) {
    case 'missing_here':
      return `the statement has ${there}, the ledger has no such payment`;
    case 'missing_there':
      return `the ledger has ${here}, the statement does not`;
    case 'duplicate_here':
      return `the ledger has ${here} once more than the statement`;
    case 'duplicate_there':
      return `the statement has ${there} once more than the ledger`;
    case 'amount_differs':
    case 'currency_differs':
    case 'date_differs':
      return `the statement has ${there}, the ledger has ${here}`;
    default:
      return outcome satisfies never;
  }
}
