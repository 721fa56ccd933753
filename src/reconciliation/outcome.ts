/** What a comparison changes: breaks to open, breaks that are settled or stand otherwise now, and the matches to keep. */
import { createHash } from 'node:crypto';
import { formatMoney } from '../ledger/money.ts';
import type { Comparison } from '../matching/comparison.ts';
import type { Finding } from '../matching/diagnosis.ts';
import type { Match } from '../matching/pool.ts';
import { CAUSES, type Cause, type RuleName } from '../matching/types.ts';
import { dayAt, dayText } from '../statements/statement.ts';
import type { Carried } from './carried.ts';
import type { DayRange } from './ports.ts';
import type { Break, BreakItem, BreakLine, BreakMatter, KeptMatch, Reconciliation } from './types.ts';

/** A break that stays open, and is now about something else, or for another cause. */
interface Changed {
  readonly before: Break;
  readonly change: BreakMatter;
}

export interface Settled {
  readonly id: string;
  /** By which the last of it was matched; null: it goes on as another break. */
  readonly rule: RuleName | null;
  readonly reason: string | null;
}

interface Sides {
  line?: RuleName;
  item?: RuleName;
}

/** The same comparison of the same reconciliation always gives the same. */
export class Outcome {
  /** What became of each break that was open before. */
  readonly #changed: Changed[] = [];
  readonly #settled = new Map<string, Settled>();
  /** Which are about the same as before. */
  readonly #kept = new Set<Break>();
  /** Items that were part of breaks whose lines are told together with others now. */
  readonly #leftOver: number[] = [];
  /** Which sides of them are matched now, and by which rule. */
  #matched: ReadonlyMap<string, Sides> = new Map();
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
    return this.#changed;
  }
  get settled(): Iterable<Settled> {
    return this.#settled.values();
  }
  get openedCount(): number {
    return CAUSES.reduce((sum, cause) => sum + this.byCause[cause], 0);
  }
  /** Of those that were expected later: how many are not any more. */
  get overdueCount(): number {
    return this.#changed.filter(({ before, change }) => before.cause === 'timing' && change.cause !== 'timing').length;
  }
  get settledCount(): number {
    return this.#settled.size;
  }

  /** Those to open, in the order of the statement; then what earlier breaks leave over. */
  *opened(): Generator<Break> {
    let position = 0;
    for (const finding of this.comparison.findings()) {
      if (this.#isNew(finding)) yield this.#breakOf(finding, ++position);
    }
    for (const item of this.#leftOver) yield this.#breakOf(leftOver(item), ++position);
  }

  /** Those to keep, and on which days their items are. */
  *matches(): Generator<{ readonly match: KeptMatch; readonly days: DayRange }> {
    for (const match of this.comparison.matches()) yield { match: this.#keptMatch(match), days: this.#daysOf(match) };
  }

  #followCarried(): void {
    this.#matched = this.#matchedSides();
    const findings = new Map<string, Finding>();
    /** Of breaks whose item is now part of what another one is about: which one. */
    const elsewhere = new Map<string, string>();
    this.#keepPairs();
    for (const finding of this.comparison.findings()) {
      if (this.#isNew(finding)) this.byCause[finding.cause]++;
      const owner = this.#ownerOf(finding);
      if (owner !== null) findings.set(owner.id, finding);
      const other = this.carried.ofItem(finding.item);
      if (other !== null && other !== owner) elsewhere.set(other.id, owner?.id ?? this.#idOf(finding));
    }
    for (const before of this.carried.all) {
      if (this.#kept.has(before)) continue;
      const finding = findings.get(before.id);
      const sides = this.#matched.get(before.id);
      const heir = elsewhere.get(before.id);
      if (finding !== undefined) this.#change(before, finding, heir !== undefined);
      else if (sides !== undefined) this.#settleOrShrink(before, sides, heir);
      else if (heir !== undefined) this.#settle(before, null, heir);
      else this.#giveUpWaiting(before);
    }
  }

  /**
   * A line and an item that were told together stay together while nothing else is found of either: what is not looked
   * at any more, as it is outside of the period, is still what it was.
   */
  #keepPairs(): void {
    const paired = new Set<Break | null>();
    for (const { line, item } of this.comparison.findings()) {
      const [ofLine, ofItem] = [this.carried.ofLine(line), this.carried.ofItem(item)];
      if (line !== null && item !== null) paired.add(ofLine).add(ofItem);
    }
    for (const before of this.carried.all) {
      const { id, line, item } = before;
      if (line === null || item === null || paired.has(before) || this.#matched.has(id)) continue;
      this.#kept.add(before);
    }
  }

  /** The break that a finding goes on: that of its line, or that of its item where nothing is left of its line. */
  #ownerOf({ line, item }: Finding): Break | null {
    const ofLine = this.carried.ofLine(line);
    if (ofLine !== null) return ofLine;
    const ofItem = this.carried.ofItem(item);
    if (ofItem === null || this.#kept.has(ofItem)) return ofItem;
    return ofItem.line === null || this.#matched.get(ofItem.id)?.line !== undefined ? ofItem : null;
  }

  #isNew(finding: Finding): boolean {
    return this.#ownerOf(finding) === null;
  }

  /** Of breaks that were open before, which sides are matched now, and by which rule. */
  #matchedSides(): Map<string, Sides> {
    const sides = new Map<string, Sides>();
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

  #change(before: Break, { cause, line, item }: Finding, isItemElsewhere: boolean): void {
    const now = { cause, line: this.#lineOf(line), item: this.#itemOf(item) };
    const sides = this.#matched.get(before.id);
    if (before.item !== null && before.item.id !== now.item?.id && !isItemElsewhere && sides?.item === undefined) {
      this.#leftOver.push(this.carried.itemOf(before)!);
      this.byCause.missing_there++;
    }
    if (now.cause === before.cause && isSameLine(now.line, before.line) && now.item?.id === before.item?.id) return;
    this.#changed.push({ before, change: { ...now, ...this.#said(now) } });
  }

  /** All of it is matched or elsewhere, or a part: the rest is outside of what was compared, and stays. */
  #settleOrShrink(before: Break, sides: Sides, heir: string | undefined): void {
    const line = sides.line === undefined ? before.line : null;
    const item = sides.item === undefined && heir === undefined ? before.item : null;
    if (line === null && item === null) {
      this.#settle(before, sides.line ?? sides.item ?? null, heir);
      return;
    }
    const now = { cause: line === null ? ('missing_there' as const) : ('missing_here' as const), line, item };
    this.#changed.push({ before, change: { ...now, ...this.#said(now) } });
  }

  #settle({ id }: Break, rule: RuleName | null, heir: string | undefined): void {
    this.#settled.set(id, { id, rule, reason: heir === undefined ? null : `it goes on as ${heir}` });
  }

  /** What should have come by the end of this statement has not. */
  #giveUpWaiting(before: Break): void {
    if (before.cause !== 'timing' || before.expectedBy === null) return;
    if (before.expectedBy >= this.reconciliation.config!.to) return;
    const now = { cause: 'missing_there' as const, line: before.line, item: before.item };
    this.#changed.push({ before, change: { ...now, ...this.#said(now) } });
  }

  /** What is left of a change of a break that somebody resolved before: null: nothing. */
  leftBy(resolved: Break, { cause, ...change }: BreakMatter, position: number): Break | null {
    if (resolved.status === 'open' || resolved.resolution?.reconciliation !== null) return null;
    const line = isSameLine(change.line, resolved.line) ? null : change.line;
    const item = change.item?.id === resolved.item?.id ? null : change.item;
    if (line === null && item === null) return null;
    const sole = line === null ? ('missing_there' as const) : ('missing_here' as const);
    const sides = { cause: line !== null && item !== null ? cause : sole, line, item };
    return this.#opened(this.#idFrom(`left by ${resolved.id} ${this.reconciliation.id}`), sides, position);
  }

  #breakOf(finding: Finding, position: number): Break {
    const sides = { cause: finding.cause, line: this.#lineOf(finding.line), item: this.#itemOf(finding.item) };
    return this.#opened(this.#idOf(finding), sides, position);
  }

  #opened(id: string, sides: Pick<Break, 'cause' | 'line' | 'item'>, position: number): Break {
    const { source, id: reconciliation, startedAt } = this.reconciliation;
    return {
      ...{ id, source, status: 'open', ...sides, ...this.#said(sides), openedAt: startedAt, updatedAt: startedAt },
      ...{ assignee: null, reconciliation, position, comments: [], adjustmentsRejected: 0, resolution: null },
    };
  }

  #idOf({ line, item }: Finding): string {
    const { id } = this.reconciliation;
    const { comparison, carried } = this;
    // One of its own, where it was part of another: there may have been one of the item before.
    const again = carried.ofItem(item) === null ? '' : ` ${id}`;
    const about =
      line === null
        ? `item ${comparison.items.id(item!)}${again}`
        : `line ${id} ${comparison.lines.fileLine(line)} ${line}`;
    return this.#idFrom(about);
  }

  #idFrom(about: string): string {
    const hash = createHash('sha256').update(`${this.reconciliation.source} ${about}`);
    return `brk_${hash.digest('hex').slice(0, 32)}`;
  }

  /** What a break says of itself that follows from its sides. */
  #said({ cause, line, item }: Pick<Break, 'cause' | 'line' | 'item'>) {
    const { timingDays, windowDays } = this.reconciliation.config!;
    const day = line?.day ?? dayAt(item!.at);
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

  #keptMatch({ rule, confidence, lines, items }: Match): KeptMatch {
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

function leftOver(item: number): Finding {
  return { cause: 'missing_there', line: null, item };
}

function isSameLine(one: BreakLine | null, other: BreakLine | null): boolean {
  return one?.reconciliation === other?.reconciliation && one?.line === other?.line;
}

function messageOf(cause: Cause, line: BreakLine | null, item: BreakItem | null): string {
  const there = line && `${formatMoney(line.amount, line.currency)} on ${dayText(line.day)}`;
  const here = item && `${formatMoney(item.amount, item.currency)} on ${dayText(dayAt(item.at))}`;
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
