import { roomFor } from './columns.ts';
import type { Items } from './items.ts';
import type { Lines } from './lines.ts';
import { Links } from './links.ts';
import type { RuleName } from './types.ts';
import { RULES } from './types.ts';

const FREE = -1;
const AT_FIRST = 1024;
const CONFIDENCE_UNIT = 10_000;

/** Lines and items that are the same money. */
export interface Match {
  readonly rule: RuleName;
  /** How sure it is: above 0, at most 1. */
  readonly confidence: number;
  readonly lines: readonly number[];
  readonly items: readonly number[];
}

/** What is compared, and what of it is matched so far. A line or an item is in one match at most. */
export class Pool {
  readonly #lineMatches: Int32Array;
  readonly #itemMatches: Int32Array;
  #rules = new Uint8Array(AT_FIRST);
  /** In ten-thousandths. */
  #confidences = new Uint16Array(AT_FIRST);
  /** Of matches of one line and one item. Of others the first has -1 less where they begin in {@link #members}. */
  #line = new Int32Array(AT_FIRST);
  #item = new Int32Array(AT_FIRST);
  /** How many lines, these, how many items, these; of one match after the other. */
  #members = new Int32Array(AT_FIRST);
  #membersEnd = 0;
  #size = 0;
  /** Do both sides say which way the money went? If not, only amounts are compared. */
  readonly isDirected: boolean;
  /** Null: there are no groups. */
  readonly #byGroup: Links | null;

  constructor(
    readonly lines: Lines,
    readonly items: Items,
    readonly windowDays: number,
  ) {
    this.#lineMatches = new Int32Array(lines.size).fill(FREE);
    this.#itemMatches = new Int32Array(items.size).fill(FREE);
    this.isDirected = lines.isDirected && items.isDirected;
    const names = items.names.size;
    this.#byGroup = items.hasGroups ? new Links(names, items.size, (item) => items.group(item)) : null;
  }

  get matches(): number {
    return this.#size;
  }

  ruleOf(number: number): RuleName {
    return RULES[this.#rules[number]!]!;
  }

  match(number: number): Match {
    const rule = this.ruleOf(number);
    const confidence = this.#confidences[number]! / CONFIDENCE_UNIT;
    const [line, item] = [this.#line[number]!, this.#item[number]!];
    if (line >= 0) return { rule, confidence, lines: [line], items: [item] };
    const start = -1 - line;
    const linesEnd = start + 1 + this.#members[start]!;
    const itemsEnd = linesEnd + 1 + this.#members[linesEnd]!;
    const lines = [...this.#members.subarray(start + 1, linesEnd)];
    return { rule, confidence, lines, items: [...this.#members.subarray(linesEnd + 1, itemsEnd)] };
  }

  isLineFree(line: number): boolean {
    return this.#lineMatches[line] === FREE;
  }

  isItemFree(item: number): boolean {
    return this.#itemMatches[item] === FREE && !this.items.isSettled(item);
  }

  /** Number of the match that a line is in, or -1. */
  matchOf(line: number): number {
    return this.#lineMatches[line]!;
  }
  matchOfItem(item: number): number {
    return this.#itemMatches[item]!;
  }

  pair(rule: RuleName, confidence: number, line: number, item: number): void {
    const number = this.#add(rule, confidence);
    this.#line[number] = line;
    this.#item[number] = item;
    this.#lineMatches[line] = number;
    this.#itemMatches[item] = number;
  }

  /** All are free. */
  join(rule: RuleName, confidence: number, lines: readonly number[], items: readonly number[]): void {
    if (lines.length === 1 && items.length === 1) {
      this.pair(rule, confidence, lines[0]!, items[0]!);
      return;
    }
    const number = this.#add(rule, confidence);
    this.#line[number] = -1 - this.#membersEnd;
    this.#addMembers(lines);
    this.#addMembers(items);
    for (const line of lines) this.#lineMatches[line] = number;
    for (const item of items) this.#itemMatches[item] = number;
  }

  /** In minor units; negative: out. All are positive where not both sides say which way it went. */
  lineAmount(line: number): number {
    return this.isDirected ? this.lines.sign(line) * this.lines.amount(line) : this.lines.amount(line);
  }
  itemAmount(item: number): number {
    return this.isDirected ? this.items.sign(item) * this.items.amount(item) : this.items.amount(item);
  }
  /** What is left after fees. */
  lineNet(line: number): number {
    return this.lineAmount(line) - this.lines.fee(line);
  }

  /** Are they the same money by amount and currency? */
  isAlike(line: number, item: number): boolean {
    return this.lineAmount(line) === this.itemAmount(item) && this.isSameCurrency(line, item);
  }
  isSameCurrency(line: number, item: number): boolean {
    return this.lines.currency(line) === this.items.currency(item);
  }
  /** Days from the one to the other, without sign. */
  daysApart(line: number, item: number): number {
    return Math.abs(this.lines.day(line) - this.items.day(item));
  }
  isWithin(line: number, item: number, days = this.windowDays): boolean {
    return this.daysApart(line, item) <= days;
  }

  /** Those under a name, whether they are matched or not. */
  itemsNamed(name: number): number[] {
    return this.items.named(name);
  }
  itemsOfGroup(name: number): number[] {
    return this.#byGroup?.of(name) ?? [];
  }
  /** The one under a name; -1: none, -2: several. */
  soleItemNamed(name: number): number {
    return this.items.soleNamed(name);
  }

  *freeLines(): Generator<number> {
    for (let line = 0; line < this.lines.size; line++) if (this.isLineFree(line)) yield line;
  }
  *freeItems(): Generator<number> {
    for (let item = 0; item < this.items.size; item++) if (this.isItemFree(item)) yield item;
  }

  /** For sorting: by day and place in the file. */
  readonly byDayAndLine = (a: number, b: number): number => {
    const { lines } = this;
    return lines.day(a) - lines.day(b) || lines.fileLine(a) - lines.fileLine(b) || a - b;
  };

  /** For sorting: by time and id, whatever the order in which they were read. */
  readonly byTimeAndId = (a: number, b: number): number => {
    const { items } = this;
    const apart = items.day(a) - items.day(b) || items.at(a) - items.at(b);
    if (apart !== 0 || a === b) return apart;
    return items.id(a) < items.id(b) ? -1 : 1;
  };

  #addMembers(all: readonly number[]): void {
    const end = this.#membersEnd + 1 + all.length;
    this.#members = roomFor(this.#members, end);
    this.#members[this.#membersEnd] = all.length;
    this.#members.set(all, this.#membersEnd + 1);
    this.#membersEnd = end;
  }

  #add(rule: RuleName, confidence: number): number {
    const number = this.#size++;
    this.#rules = roomFor(this.#rules, number);
    this.#confidences = roomFor(this.#confidences, number);
    this.#line = roomFor(this.#line, number);
    this.#item = roomFor(this.#item, number);
    this.#rules[number] = RULES.indexOf(rule);
    this.#confidences[number] = Math.round(confidence * CONFIDENCE_UNIT);
    return number;
  }
}
