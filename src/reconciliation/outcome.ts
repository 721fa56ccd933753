/** What a comparison changes: breaks to open, breaks that are settled or stand otherwise now, and the matches to keep. */
import { createHash } from 'node:crypto';
import { formatMoney } from '../ledger/money.ts';
import type { Comparison } from '../matching/comparison.ts';
import type { Finding } from '../matching/diagnosis.ts';
import type { Match } from '../matching/pool.ts';
import { CAUSES, type Cause, type RuleName } from '../matching/types.ts';
import { dayText } from '../statements/statement.ts';
import type { Carried } from './carried.ts';
import type { DayRange } from './ports.ts';
import type { Break, BreakItem, BreakLine, KeptMatch, Reconciliation } from './types.ts';

const DAY_MS = 86_400_000;

/** A break that stays open, and is now about something else, or for another cause. */
export interface Changed {
  readonly id: string;
  readonly change: Pick<
    Break,
    'cause' | 'line' | 'item' | 'message' | 'expectedBy' | 'amount' | 'currency' | 'day' | 'reference'
  >;
}

export interface Settled {
  readonly id: string;
  /** By which the last of it was matched; null: it goes on as another break. */
  readonly rule: RuleName | null;
  readonly reason: string | null;
}

/** The same comparison of the same reconciliation always gives the same. */
export class Outcome {
  /** What became of each break that was open before. */
  readonly #changed = new Map<string, Changed>();
  readonly #settled = new Map<string, Settled>();
  /** Of those to open. */
  readonly byCause = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;

  constructor(
    readonly comparison: Comparison,
    readonly carried: Carried,
    readonly reconciliation: Reconciliation,
  ) {
    this.#followCarried();
  }

  get changed(): Iterable<Changed> {
    return this.#changed.values();
  }
  get settled(): Iterable<Settled> {
    return this.#settled.values();
  }
  get openedCount(): number {
    return CAUSES.reduce((sum, cause) => sum + this.byCause[cause], 0);
  }
  get settledCount(): number {
    return this.#settled.size;
  }

  /** Those to open, in the order of the statement. */
  *opened(): Generator<Break> {
    let position = 0;
    for (const finding of this.comparison.findings()) {
      if (this.#ownerOf(finding) === null) yield this.#breakOf(finding, ++position);
    }
  }

  /** Those to keep, and on which days their items are. */
  *matches(): Generator<{ readonly match: KeptMatch; readonly days: DayRange }> {
    for (const match of this.comparison.matches()) yield { match: this.#kept(match), days: this.#daysOf(match) };
  }

  #followCarried(): void {
    const findings = new Map<string, Finding>();
    /** Of breaks whose item is now part of what another one is about: which one. */
    const elsewhere = new Map<string, string>();
    for (const finding of this.comparison.findings()) {
      const owner = this.#ownerOf(finding);
      if (owner === null) {
        this.byCause[finding.cause]++;
        continue;
      }
      findings.set(owner.id, finding);
      const other = this.carried.ofItem(finding.item);
      if (other !== null && other !== owner) elsewhere.set(other.id, owner.id);
    }
    const matched = this.#matchedSides();
    for (const before of this.carried.all) {
      const finding = findings.get(before.id);
      const sides = matched.get(before.id);
      if (finding !== undefined) this.#change(before, finding);
      else if (sides !== undefined) this.#settleOrShrink(before, sides);
      else if (elsewhere.has(before.id)) this.#mergeInto(before, elsewhere.get(before.id)!);
      else this.#giveUpWaiting(before);
    }
  }

  /** The break that a finding goes on: that of its line, or else that of its item. Null: it is new. */
  #ownerOf({ line, item }: Finding): Break | null {
    return this.carried.ofLine(line) ?? this.carried.ofItem(item);
  }

  /** Of breaks that were open before, which sides are matched now, and by which rule. */
  #matchedSides(): Map<string, { line?: RuleName; item?: RuleName }> {
    const sides = new Map<string, { line?: RuleName; item?: RuleName }>();
    const of = (id: string) => {
      const known = sides.get(id) ?? {};
      sides.set(id, known);
      return known;
    };
    if (this.carried.all.length === 0) return sides;
    for (const { rule, lines, items } of this.comparison.matches()) {
      for (const line of lines) {
        const before = this.carried.ofLine(line);
        if (before !== null) of(before.id).line = rule;
      }
      for (const item of items) {
        const before = this.carried.ofItem(item);
        if (before !== null) of(before.id).item = rule;
      }
    }
    return sides;
  }

  #change(before: Break, { cause, line, item }: Finding): void {
    const now = { cause, line: this.#lineOf(line), item: this.#itemOf(item) };
    if (now.cause === before.cause && isSameLine(now.line, before.line) && now.item?.id === before.item?.id) return;
    this.#changed.set(before.id, { id: before.id, change: { ...now, ...this.#said(now) } });
  }

  /** All of it is matched, or a part: the rest is outside of what was compared, and stays. */
  #settleOrShrink(before: Break, sides: { line?: RuleName; item?: RuleName }): void {
    const line = sides.line === undefined ? before.line : null;
    const item = sides.item === undefined ? before.item : null;
    if (line === null && item === null) {
      this.#settled.set(before.id, { id: before.id, rule: sides.line ?? sides.item ?? null, reason: null });
      return;
    }
    const now = { cause: line === null ? ('missing_there' as const) : ('missing_here' as const), line, item };
    this.#changed.set(before.id, { id: before.id, change: { ...now, ...this.#said(now) } });
  }

  #mergeInto({ id }: Break, owner: string): void {
    this.#settled.set(id, { id, rule: null, reason: `it goes on as ${owner}` });
  }

  /** What should have come by the end of this statement has not. */
  #giveUpWaiting(before: Break): void {
    if (before.cause !== 'timing' || before.expectedBy === null) return;
    if (before.expectedBy >= this.reconciliation.config!.to) return;
    const now = { cause: 'missing_there' as const, line: before.line, item: before.item };
    this.#changed.set(before.id, { id: before.id, change: { ...now, ...this.#said(now) } });
  }

  #breakOf(finding: Finding, position: number): Break {
    const { source, id, startedAt } = this.reconciliation;
    const sides = { cause: finding.cause, line: this.#lineOf(finding.line), item: this.#itemOf(finding.item) };
    const about = sides.line === null ? `item ${sides.item!.id}` : `line ${id} ${sides.line.line} ${finding.line}`;
    return {
      id: `brk_${createHash('sha256').update(`${source} ${about}`).digest('hex').slice(0, 32)}`,
      source,
      status: 'open',
      ...sides,
      ...this.#said(sides),
      openedAt: startedAt,
      updatedAt: startedAt,
      assignee: null,
      reconciliation: id,
      position,
      comments: [],
      adjustmentsRejected: 0,
      resolution: null,
    };
  }

  /** What a break says of itself that follows from its sides. */
  #said({ cause, line, item }: Pick<Break, 'cause' | 'line' | 'item'>) {
    const { timingDays, windowDays } = this.reconciliation.config!;
    const day = line?.day ?? dayOf(item!);
    return {
      currency: (line ?? item!).currency,
      amount: (line ?? item!).amount,
      day,
      expectedBy: cause === 'timing' ? day + timingDays + windowDays : null,
      reference: line?.references[0] ?? item?.reference ?? item?.payment ?? item?.id ?? null,
      message: messageOf(cause, line, item),
    };
  }

  #lineOf(line: number | null): BreakLine | null {
    if (line === null) return null;
    const reconciliation = this.carried.ofLine(line)?.line?.reconciliation ?? this.reconciliation.id;
    return { reconciliation, ...this.comparison.line(line) };
  }

  #itemOf(item: number | null): BreakItem | null {
    if (item === null) return null;
    const reconciliation = this.carried.ofItem(item)?.item?.reconciliation ?? this.reconciliation.id;
    return { reconciliation, ...this.comparison.items.get(item) };
  }

  #kept({ rule, confidence, lines, items }: Match): KeptMatch {
    const { comparison, carried } = this;
    const own = lines.filter((line) => carried.ofLine(line) === null);
    return {
      rule,
      confidence,
      lines: own.map((line) => comparison.lines.fileLine(line)),
      breaks: lines.flatMap((line) => carried.ofLine(line)?.id ?? []),
      items: items.map((item) => comparison.items.id(item)),
      amount: lines.reduce((sum, line) => sum + BigInt(comparison.lines.amount(line)), 0n),
      currency: comparison.line(lines[0]!).currency,
    };
  }

  #daysOf({ items }: Match): DayRange {
    const days = items.map((item) => this.comparison.items.day(item));
    return { from: Math.min(...days), to: Math.max(...days) };
  }
}

function isSameLine(one: BreakLine | null, other: BreakLine | null): boolean {
  return one?.reconciliation === other?.reconciliation && one?.line === other?.line;
}

function dayOf({ at }: { readonly at: number }): number {
  return Math.floor(at / DAY_MS);
}

function messageOf(cause: Cause, line: BreakLine | null, item: BreakItem | null): string {
  const there = line && `${formatMoney(line.amount, line.currency)} on ${dayText(line.day)}`;
  const here = item && `${formatMoney(item.amount, item.currency)} on ${dayText(dayOf(item))}`;
  switch (cause) {
    case 'missing_here':
      return `the statement has ${there}, the ledger has no such movement`;
    case 'missing_there':
      return `the ledger has ${here}, the statement does not`;
    case 'timing':
      return `the ledger has ${here}, the statement does not yet`;
    case 'duplicate_here':
      return `the ledger has ${here} once more than the statement`;
    case 'duplicate_there':
      return `the statement has ${there} once more than the ledger`;
    case 'amount_differs':
    case 'currency_differs':
    case 'date_differs':
      return `the statement has ${there}, the ledger has ${here}`;
    default:
      return cause satisfies never;
  }
}
