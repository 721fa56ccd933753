import type { StatementLine } from '../statements/types.ts';
import { matchByAmount } from './by-amount.ts';
import { matchManyToMany, matchManyToOne, matchOneToMany } from './by-group.ts';
import { matchByMention } from './by-mention.ts';
import { matchByReference } from './by-reference.ts';
import { matchByTolerance } from './by-tolerance.ts';
import { Currencies } from './currencies.ts';
import { diagnose, type Finding, type Findings } from './diagnosis.ts';
import { Evidence } from './evidence.ts';
import { Items } from './items.ts';
import { type LineDetails, Lines } from './lines.ts';
import { type Match, Pool } from './pool.ts';
import { DEFAULT_RULES, type Rule, type RuleOf } from './rules.ts';
import { CAUSES, type Cause, type LedgerItem, RULES, type RuleName } from './types.ts';

/** Days that are counted together, so that there are not too many for a picture. */
const DAYS_TOGETHER = [1, 7, 30, 365] as const;
const COUNTS_MAX = 120;

/** Shorter references are not looked for in texts, where no rule says otherwise. */
const LENGTH_MIN = 6;

export interface ComparisonOptions {
  /** In their order. Default: all of them. */
  readonly rules?: readonly Rule[] | undefined;
  /** How many days the dates of the same money may be apart. */
  readonly windowDays: number;
  /** Days of the statement, since 1970-01-01, both within. */
  readonly from: number;
  readonly to: number;
  /** What the ledger has so few days before the end may be in the next statement. */
  readonly timingDays: number;
}

export interface CurrencyTotals {
  readonly currency: string;
  /** Sums of the lines, of the items that were compared, and of the items that are matched; minor units, without signs. */
  readonly statement: bigint;
  readonly ledger: bigint;
  readonly matched: bigint;
}

export interface Compared {
  readonly lines: number;
  /** Items that are matched or found to differ: those outside of the period are not counted. */
  readonly items: number;
  readonly matchedLines: number;
  readonly matchedItems: number;
  /** Matches by rule. */
  readonly byRule: Readonly<Record<RuleName, number>>;
  readonly byCause: Readonly<Record<Cause, number>>;
  readonly totals: readonly CurrencyTotals[];
  readonly overTime: readonly DayCount[];
}

/** Lines from a day on, until the day of the next one. */
export interface DayCount {
  /** Since 1970-01-01. */
  readonly day: number;
  readonly lines: number;
  readonly matched: number;
}

/**
 * Matches lines with items. First all items are added, in any order, then the lines in the order of their file: the same
 * ones always give the same result. Everything is kept in columns outside of the heap, some 60 bytes an item, 50 a line
 * that bears an item's reference, and beyond it what the other lines say.
 */
export class Comparison {
  readonly #currencies = new Currencies();
  readonly items = new Items(this.#currencies);
  readonly lines = new Lines(this.#currencies);
  #pool: Pool | null = null;
  #findings: Findings | null = null;

  constructor(readonly options: ComparisonOptions) {}

  /** `isSettled`: an earlier statement had it. */
  addItem(item: LedgerItem, isSettled = false): number {
    return this.items.add(item, isSettled);
  }

  addLine(line: StatementLine): number {
    const { items, lines } = this;
    let name = -1;
    let borne = -1;
    for (const reference of line.references) {
      if (borne < 0) borne = items.ids.borneBy(reference);
      if (name < 0) name = items.names.find(reference);
    }
    if (name < 0 && borne >= 0) name = items.name(borne);
    return lines.add(line, name, borne, !this.#isKnown(line, name));
  }

  /** Call once, after everything was added. */
  match(): Compared {
    const pool = new Pool(this.lines, this.items, this.options.windowDays);
    this.#pool = pool;
    const rules = this.options.rules ?? DEFAULT_RULES;
    const contained = rules.find((rule) => rule.rule === 'reference_contained');
    let evidence: Evidence | null = null;
    const evidenceOf = () => {
      evidence ??= new Evidence(pool, contained?.minLength ?? LENGTH_MIN);
      return evidence;
    };
    for (const rule of rules) apply(rule, pool, evidenceOf);
    this.#findings = diagnose(pool, evidenceOf(), this.options);
    return this.#compared(pool, this.#findings);
  }

  /** In the order of their first lines. */
  *matches(): Generator<Match> {
    const pool = this.#pool;
    if (pool === null) throw new Error('nothing was matched yet');
    const many = new Set<number>();
    for (let line = 0; line < this.lines.size; line++) {
      const number = pool.matchOf(line);
      if (number < 0 || many.has(number)) continue;
      const match = pool.match(number);
      if (match.lines.length > 1) many.add(number);
      yield match;
    }
  }

  *findings(): Generator<Finding> {
    const findings = this.#findings;
    if (findings === null) throw new Error('nothing was matched yet');
    for (let at = 0; at < findings.size; at++) yield findings.get(at);
  }

  /** A line as it was added, as far as it was kept. */
  line(
    line: number,
  ): Omit<StatementLine, 'statement' | 'valueDay' | 'isReversal' | 'references' | 'text' | 'id'> & LineDetails {
    const { lines } = this;
    const sign = lines.sign(line);
    const name = lines.name(line);
    const known = name < 0 ? [] : [this.items.names.get(name)];
    return {
      line: lines.fileLine(line),
      day: lines.day(line),
      amount: BigInt(lines.amount(line)),
      currency: this.#currencies.code(lines.currency(line)),
      direction: sign === 0 ? null : sign > 0 ? 'in' : 'out',
      fee: BigInt(lines.fee(line)),
      batch: lines.batch(line) < 0 ? null : lines.batches.get(lines.batch(line)),
      count: lines.count(line),
      ...(lines.details(line) ?? { references: known, text: '', id: null }),
    };
  }

  /** Is it matched by its reference as far as can be told now? Then nobody will ask what else it says. */
  #isKnown(line: StatementLine, name: number): boolean {
    const item = name < 0 ? -1 : this.items.soleNamed(name);
    return (
      item >= 0 &&
      !this.items.isSettled(item) &&
      this.items.amount(item) === Number(line.amount) &&
      Math.abs(this.items.day(item) - line.day) <= this.options.windowDays &&
      this.items.expect(item)
    );
  }

  #compared(pool: Pool, findings: Findings): Compared {
    const byRule = Object.fromEntries(RULES.map((rule) => [rule, 0])) as Record<RuleName, number>;
    const byCause = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
    const totals = new Map<number, { statement: number; ledger: number; matched: number }>();
    const totalsOf = (currency: number) => {
      const known = totals.get(currency) ?? { statement: 0, ledger: 0, matched: 0 };
      totals.set(currency, known);
      return known;
    };
    for (let line = 0; line < this.lines.size; line++) {
      totalsOf(this.lines.currency(line)).statement += this.lines.amount(line);
    }
    let [matchedLines, matchedItems, items] = [0, 0, 0];
    for (let number = 0; number < pool.matches; number++) byRule[pool.ruleOf(number)]++;
    for (let line = 0; line < this.lines.size; line++) if (!pool.isLineFree(line)) matchedLines++;
    for (let item = 0; item < this.items.size; item++) {
      if (pool.matchOfItem(item) < 0) continue;
      matchedItems++;
      totalsOf(this.items.currency(item)).matched += this.items.amount(item);
    }
    for (let at = 0; at < findings.size; at++) {
      const { cause, item } = findings.get(at);
      byCause[cause]++;
      if (item === null) continue;
      items++;
      totalsOf(this.items.currency(item)).ledger += this.items.amount(item);
    }
    return {
      lines: this.lines.size,
      items: items + matchedItems,
      matchedLines,
      matchedItems,
      byRule,
      byCause,
      totals: [...totals]
        .map(([currency, { statement, ledger, matched }]) => ({
          currency: this.#currencies.code(currency),
          statement: BigInt(statement),
          ledger: BigInt(ledger + matched),
          matched: BigInt(matched),
        }))
        .sort((a, b) => (a.currency < b.currency ? -1 : 1)),
      overTime: this.#overTime(pool),
    };
  }

  #overTime(pool: Pool): DayCount[] {
    const { lines } = this;
    let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let line = 0; line < lines.size; line++) {
      first = Math.min(first, lines.day(line));
      last = Math.max(last, lines.day(line));
    }
    if (lines.size === 0) return [];
    const together = DAYS_TOGETHER.find((days) => (last - first) / days < COUNTS_MAX) ?? last - first + 1;
    const counts = Array.from({ length: Math.floor((last - first) / together) + 1 }, (_, i) => {
      return { day: first + i * together, lines: 0, matched: 0 };
    });
    for (let line = 0; line < lines.size; line++) {
      const count = counts[Math.floor((lines.day(line) - first) / together)]!;
      count.lines++;
      if (!pool.isLineFree(line)) count.matched++;
    }
    return counts;
  }
}

type Apply = { readonly [Name in RuleName]: (pool: Pool, evidence: () => Evidence, rule: RuleOf<Name>) => void };

/** `evidence` is made by whoever asks for it first: what rules before it have matched is not looked at. */
const APPLY: Apply = {
  reference: (pool) => matchByReference(pool),
  reference_contained: (pool, evidence) => matchByMention(pool, evidence()),
  tolerance: (pool, evidence, rule) => matchByTolerance(pool, evidence(), rule),
  one_to_many: (pool, evidence, rule) => matchOneToMany(pool, evidence(), rule.windowDays),
  many_to_one: (pool, evidence, rule) => matchManyToOne(pool, evidence(), rule.windowDays),
  many_to_many: (pool, evidence, rule) => matchManyToMany(pool, evidence(), rule.windowDays),
  amount_date: (pool, evidence, rule) => matchByAmount(pool, evidence(), rule),
};

function apply<Name extends RuleName>(rule: RuleOf<Name>, pool: Pool, evidence: () => Evidence): void {
  APPLY[rule.rule as Name](pool, evidence, rule);
}
