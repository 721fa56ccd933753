/** Pairs the records of a statement with payments of the same reference. */
import type { StatementRecord } from '../statements/statement.ts';

/** A posted payment, cut down to what is compared. */
export interface Candidate {
  readonly id: string;
  readonly reference: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly day: number;
}

/** What both sides have under one reference. */
export interface Group {
  readonly records: StatementRecord[];
  readonly payments: Candidate[];
}

/** What a record and a payment have in common. */
export type Side = Pick<Candidate, 'amount' | 'currency' | 'day'>;

/**
 * Pairs records and payments that have the same key, in their order. `apart` says of two whether they fit (0), the
 * record comes too early for the payment (negative) or too late (positive). Answers what is left over.
 */
export function pairUp(
  { records, payments }: Group,
  keyOf: (side: Side) => string,
  apart: (record: Side, payment: Side) => number,
  onPair: (record: StatementRecord, payment: Candidate) => void,
): Group {
  if (records.length === 0 || payments.length === 0) return { records, payments };
  const left: Group = { records: [], payments: [] };
  const theirs = groupBy(payments, keyOf);
  for (const [key, ours] of groupBy(records, keyOf)) {
    const others = theirs.get(key) ?? [];
    theirs.delete(key);
    let [i, j] = [0, 0];
    while (i < ours.length && j < others.length) {
      const distance = apart(ours[i]!, others[j]!);
      if (distance === 0) onPair(ours[i++]!, others[j++]!);
      else if (distance < 0) left.records.push(ours[i++]!);
      else left.payments.push(others[j++]!);
    }
    while (i < ours.length) left.records.push(ours[i++]!);
    while (j < others.length) left.payments.push(others[j++]!);
  }
  for (const others of theirs.values()) for (const payment of others) left.payments.push(payment);
  left.records.sort(byDayAndLine);
  left.payments.sort(byDayAndId);
  return left;
}

function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

/** Remembers what was paired, to tell a duplicate from something that is missing. */
export class Pairs {
  readonly #records = new Set<string>();
  readonly #payments = new Set<string>();

  constructor(readonly windowDays: number) {}

  add(record: Side, payment: Side): void {
    this.#records.add(`${amountAndCurrency(record)} ${record.day}`);
    this.#payments.add(`${amountAndCurrency(payment)} ${payment.day}`);
  }

  hasRecordLike(record: Side): boolean {
    return this.#hasLike(this.#records, record);
  }

  hasPaymentLike(payment: Side): boolean {
    return this.#hasLike(this.#payments, payment);
  }

  #hasLike(paired: ReadonlySet<string>, side: Side): boolean {
    if (paired.size === 0) return false;
    for (let day = side.day - this.windowDays; day <= side.day + this.windowDays; day++) {
      if (paired.has(`${amountAndCurrency(side)} ${day}`)) return true;
    }
    return false;
  }
}

export function amountAndCurrency({ amount, currency }: Side): string {
  return `${amount} ${currency}`;
}

/** For {@link pairUp}: any two fit. */
export function alwaysFits(): number {
  return 0;
}

/** By how much a difference is beyond the window, with its sign; 0 within. */
export function beyond(difference: number, window: number): number {
  return Math.abs(difference) <= window ? 0 : difference;
}

export function byDayAndLine(a: StatementRecord, b: StatementRecord): number {
  return a.day - b.day || a.line - b.line;
}

export function byDayAndId(a: Candidate, b: Candidate): number {
  return a.day - b.day || (a.id < b.id ? -1 : 1);
}
