/**
 * Matches a statement against the posted payments. "Here" is the ledger, "there" is the statement.
 *
 * Memory: the statement and the payments that share a reference with it, about 500 bytes a pair; of what else the
 * ledger has, only the items that are reported. So it does not grow with the ledger.
 */

import { dayOf, dayText, StatementError, type StatementRecord, startOfDay } from '../statements/statement.ts';
import { type Finding, itemOf, type MatchResult, type MatchSummary, OUTCOMES, type Outcome } from './outcomes.ts';
import {
  alwaysFits,
  amountAndCurrency,
  beyond,
  byDayAndId,
  byDayAndLine,
  type Candidate,
  type Group,
  Pairs,
  pairUp,
  type Side,
} from './pairing.ts';
import type { MatchablePayment, PostedPaymentsPort } from './ports.ts';

/** How far outside of the period a payment is looked for, so that one booked on a wrong date is found. */
const SEARCH_DAYS = 30;
const WINDOW_DAYS_MAX = 30;
const ITEMS_KEPT = 10_000;

export interface MatchOptions {
  /** How many days the two dates may be apart, 0 to 30. Default 1. */
  readonly windowDays?: number | undefined;
  /** First and last UTC day of the period. Default: those of the statement. Each record must lie within. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Only payments from or to this account; `world:*` means each account that begins with `world:`. Default: all. */
  readonly account?: string | undefined;
  /** Differences that are listed; all are counted. Default 10,000. */
  readonly itemsKept?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A statement that was read to its end and is sound. */
export class Statement {
  /** By reference. An array that is pushed to takes room for many; nearly all groups have one of each. */
  readonly #groups = new Map<string, { records: StatementRecord[]; payments: Candidate[] | null }>();
  records = 0;
  firstDay = Number.POSITIVE_INFINITY;
  lastDay = Number.NEGATIVE_INFINITY;

  /** @throws StatementError when a record is wrong. */
  static async read(records: AsyncIterable<StatementRecord>): Promise<Statement> {
    const statement = new Statement();
    for await (const record of records) statement.#add(record);
    return statement;
  }

  /** Puts a payment beside the records of its reference; false when there are none. */
  join(payment: Candidate): boolean {
    const group = this.#groups.get(payment.reference);
    if (group === undefined) return false;
    if (group.payments === null) group.payments = [payment];
    else group.payments.push(payment);
    return true;
  }

  *groups(): Generator<Group> {
    for (const { records, payments } of this.#groups.values()) yield { records, payments: payments ?? [] };
  }

  #add(record: StatementRecord): void {
    this.records++;
    this.firstDay = Math.min(this.firstDay, record.day);
    this.lastDay = Math.max(this.lastDay, record.day);
    const group = this.#groups.get(record.reference);
    if (group === undefined) this.#groups.set(record.reference, { records: [record], payments: null });
    else group.records.push(record);
  }
}

/**
 * Compares the statement with the payments. The statement is used up by it. The same input gives the same result,
 * whatever the order of the payments. A payment without a reference is known by its id.
 *
 * @throws StatementError when the period does not hold the statement, or when there is none.
 */
export async function matchStatement(
  statement: Statement,
  port: PostedPaymentsPort,
  options: MatchOptions = {},
): Promise<MatchResult> {
  const period = periodOf(statement, options);
  const matching = new Matching(period, options.itemsKept ?? ITEMS_KEPT);
  const isMeant = accountFilter(options.account);
  let seen = 0;
  const [from, to] = [startOfDay(period.from - SEARCH_DAYS), startOfDay(period.to + SEARCH_DAYS + 1)];
  for await (const payment of port.postedPayments(from, to)) {
    if (++seen % 1_000 === 0) options.signal?.throwIfAborted();
    if (!isMeant(payment)) continue;
    const candidate = candidateOf(payment);
    if (!statement.join(candidate) && matching.isInPeriod(candidate)) matching.leave('missing_there', null, candidate);
  }
  for (const group of statement.groups()) matching.match(group);
  return matching.result(statement.records, options);
}

export interface Period {
  readonly from: number;
  readonly to: number;
  readonly windowDays: number;
}

/** The period that a statement is compared over. @throws StatementError */
export function periodOf(statement: Statement, { from, to, windowDays = 1 }: MatchOptions): Period {
  if (!Number.isInteger(windowDays) || windowDays < 0 || windowDays > WINDOW_DAYS_MAX) {
    throw new StatementError(`the date window must be 0 to ${WINDOW_DAYS_MAX} days, not ${windowDays}`);
  }
  const empty = statement.records === 0;
  if (empty && (from === undefined || to === undefined)) {
    throw new StatementError('the statement has no records; say which period it is for, from which day to which');
  }
  const period = { from: from ?? statement.firstDay, to: to ?? statement.lastDay, windowDays };
  if (!empty && (statement.firstDay < period.from || statement.lastDay > period.to)) {
    throw new StatementError(
      `the statement goes from ${dayText(statement.firstDay)} to ${dayText(statement.lastDay)}, beyond the period asked for`,
    );
  }
  if (period.from > period.to) throw new StatementError('the period ends before it begins');
  return period;
}

function accountFilter(account: string | undefined): (payment: MatchablePayment) => boolean {
  if (account === undefined) return () => true;
  if (!account.endsWith('*')) return ({ source, destination }) => source === account || destination === account;
  const prefix = account.slice(0, -1);
  return ({ source, destination }) => source.startsWith(prefix) || destination?.startsWith(prefix) === true;
}

function candidateOf({ id, reference, amount, currency, createdAt }: MatchablePayment): Candidate {
  return { id, reference: reference ?? id, amount, currency, day: dayOf(createdAt) };
}

interface Totals {
  statement: bigint;
  ledger: bigint;
  matched: bigint;
}

/** One comparison: what was found so far. */
class Matching {
  readonly #counts = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  readonly #totals = new Map<string, Totals>();
  /** Differences with a record: never more than the statement has. */
  readonly #ofStatement: Finding[] = [];
  /** Differences without one: as many as the ledger has payments, so only the first are kept. */
  readonly #ofLedger: Finding[] = [];
  #payments = 0;

  constructor(
    readonly period: Period,
    readonly itemsKept: number,
  ) {}

  isInPeriod({ day }: Candidate): boolean {
    return day >= this.period.from && day <= this.period.to;
  }

  /**
   * Pairs what stands under one reference, best fit first: alike in all; in all but the date; in the currency; in the
   * reference alone. What is left over is a duplicate when a pair is like it, and missing otherwise.
   */
  match(group: Group): void {
    const { windowDays } = this.period;
    const paired = new Pairs(windowDays);
    let left: Group = { records: group.records.sort(byDayAndLine), payments: group.payments.sort(byDayAndId) };
    const pair = (outcome: Outcome, keyOf: (side: Side) => string, apart: (record: Side, payment: Side) => number) => {
      left = pairUp(left, keyOf, apart, (record, payment) => {
        paired.add(record, payment);
        this.leave(outcome, record, payment);
      });
    };
    pair('matched', amountAndCurrency, (record, payment) => beyond(record.day - payment.day, windowDays));
    left.payments.sort((a, b) => this.#outside(a) - this.#outside(b) || byDayAndId(a, b));
    pair('date_differs', amountAndCurrency, alwaysFits);
    left = {
      records: left.records,
      payments: left.payments.filter((payment) => this.#distance(payment) <= windowDays),
    };
    pair('amount_differs', ({ currency }) => currency, alwaysFits);
    pair('currency_differs', () => '', alwaysFits);
    for (const record of left.records)
      this.leave(paired.hasRecordLike(record) ? 'duplicate_there' : 'missing_here', record, null);
    for (const payment of left.payments) {
      if (!this.isInPeriod(payment)) continue;
      this.leave(paired.hasPaymentLike(payment) ? 'duplicate_here' : 'missing_there', null, payment);
    }
  }

  leave(outcome: Outcome, record: StatementRecord | null, payment: Candidate | null): void {
    this.#counts[outcome]++;
    if (record !== null) this.#totalsOf(record.currency).statement += record.amount;
    if (payment !== null) {
      this.#payments++;
      this.#totalsOf(payment.currency).ledger += payment.amount;
    }
    if (outcome === 'matched') {
      if (payment !== null) this.#totalsOf(payment.currency).matched += payment.amount;
    } else if (record !== null) {
      this.#ofStatement.push({ outcome, record, payment });
    } else if (this.#ofLedger.push({ outcome, record, payment }) >= 2 * this.itemsKept) {
      this.#ofLedger.sort(byPayment).length = this.itemsKept;
    }
  }

  result(records: number, { account }: MatchOptions): MatchResult {
    const findings = [...this.#ofStatement.sort(byLine), ...this.#ofLedger.sort(byPayment)].slice(0, this.itemsKept);
    const totals = [...this.#totals].sort(([a], [b]) => (a < b ? -1 : 1));
    const summary: MatchSummary = {
      from: dayText(this.period.from),
      to: dayText(this.period.to),
      windowDays: this.period.windowDays,
      account: account ?? null,
      records,
      payments: this.#payments,
      counts: this.#counts,
      differences: OUTCOMES.reduce((sum, outcome) => sum + (outcome === 'matched' ? 0 : this.#counts[outcome]), 0),
      totals: totals.map(([currency, sums]) => ({ currency, ...sums, difference: sums.statement - sums.ledger })),
    };
    return { summary, items: findings.map((finding, i) => itemOf(finding, i + 1)) };
  }

  #totalsOf(currency: string): Totals {
    const known = this.#totals.get(currency);
    if (known !== undefined) return known;
    const fresh = { statement: 0n, ledger: 0n, matched: 0n };
    this.#totals.set(currency, fresh);
    return fresh;
  }

  #outside(payment: Candidate): number {
    return this.isInPeriod(payment) ? 0 : 1;
  }

  /** Days from the period; 0 within. */
  #distance({ day }: Candidate): number {
    return Math.max(0, this.period.from - day, day - this.period.to);
  }
}

function byLine(a: Finding, b: Finding): number {
  return a.record!.line - b.record!.line;
}

function byPayment(a: Finding, b: Finding): number {
  return byDayAndId(a.payment!, b.payment!);
}
