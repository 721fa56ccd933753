/** What is wrong with the lines and items that no rule has matched. */

import { roomFor } from './columns.ts';
import type { Evidence } from './evidence.ts';
import { alikeIn, pairUp } from './pairing.ts';
import type { Pool } from './pool.ts';
import { CAUSES, type Cause } from './types.ts';

const NONE = -1;
const AT_FIRST = 256;
/** In no order: for {@link pairUp}, any two fit. */
const alwaysFits = () => 0;

/** A line, an item, or one of each that do not agree. */
export interface Finding {
  readonly cause: Cause;
  readonly line: number | null;
  readonly item: number | null;
}

/** Findings in columns: there may be as many as lines and items. */
export class Findings {
  #causes = new Uint8Array(AT_FIRST);
  #lines = new Int32Array(AT_FIRST);
  #items = new Int32Array(AT_FIRST);
  size = 0;
  #order = new Uint32Array(0);

  add(cause: Cause, line: number | null, item: number | null): void {
    const at = this.size++;
    this.#causes = roomFor(this.#causes, at);
    this.#lines = roomFor(this.#lines, at);
    this.#items = roomFor(this.#items, at);
    this.#causes[at] = CAUSES.indexOf(cause);
    this.#lines[at] = line ?? NONE;
    this.#items[at] = item ?? NONE;
  }

  /** In the order of the file, then those without a line by time. Call once, after all were added. */
  sort({ lines, byTimeAndId }: Pool): this {
    const place = (at: number) =>
      this.#lines[at] === NONE ? Number.POSITIVE_INFINITY : lines.fileLine(this.#lines[at]!);
    this.#order = Uint32Array.from({ length: this.size }, (_, at) => at).sort((a, b) => {
      const [one, other] = [place(a), place(b)];
      if (one !== other) return one < other ? -1 : 1;
      return this.#lines[a] === NONE
        ? byTimeAndId(this.#items[a]!, this.#items[b]!)
        : this.#lines[a]! - this.#lines[b]!;
    });
    return this;
  }

  get(place: number): Finding {
    const at = this.#order[place]!;
    const [line, item] = [this.#lines[at]!, this.#items[at]!];
    return { cause: CAUSES[this.#causes[at]!]!, line: line === NONE ? null : line, item: item === NONE ? null : item };
  }
}

/** Days of the statement, since 1970-01-01, both within. */
export interface Period {
  readonly from: number;
  readonly to: number;
  /** What is so few days before the end may be in the next statement. */
  readonly timingDays: number;
}

/**
 * Pairs what bears one reference and differs: in the date; in the amount; in the currency. Of what is left, it is a
 * duplicate when a match, or what an earlier statement had, is like it; else it is missing on the other side.
 */
export function diagnose(pool: Pool, evidence: Evidence, period: Period): Findings {
  const findings = new Findings();
  const [taken, told] = [new Set<number>(), new Set<number>()];
  const add = (cause: Cause) => (line: number, item: number) => {
    taken.add(item);
    told.add(line);
    findings.add(cause, line, item);
  };
  const lineLeft = (line: number) => pool.isLineFree(line) && !told.has(line);
  const itemLeft = (item: number) => pool.isItemFree(item) && !taken.has(item);
  const lines = Uint32Array.from(pool.freeLines()).sort(pool.byDayAndLine);
  for (const name of namesBorne(evidence, lines)) {
    const sides = () => ({
      lines: evidence.linesBearing(name).filter(lineLeft),
      items: pool.itemsNamed(name).filter(itemLeft),
    });
    const within = ({ lines: ours, items }: ReturnType<typeof sides>) => ({
      lines: ours,
      items: items.filter((item) => outside(pool, period, item) <= pool.windowDays),
    });
    pairUp(pool, nearestFirst(pool, period, sides()), alikeIn(pool), alwaysFits, add('date_differs'));
    pairUp(pool, within(sides()), currencyOf(pool), alwaysFits, add('amount_differs'));
    pairUp(pool, within(sides()), anything, alwaysFits, add('currency_differs'));
  }
  for (const line of lines) {
    if (!lineLeft(line)) continue;
    findings.add(
      hasMatched(pool, evidence, line) || hasTwin(pool, evidence, line, told) ? 'duplicate_there' : 'missing_here',
      line,
      null,
    );
  }
  for (const item of Uint32Array.from(pool.freeItems()).sort(pool.byTimeAndId)) {
    if (taken.has(item) || outside(pool, period, item) > 0) continue;
    findings.add(causeOf(pool, period, item, taken), null, item);
  }
  return findings.sort(pool);
}

const anything = { ofLine: () => '', ofItem: () => '' };

function currencyOf(pool: Pool) {
  return {
    ofLine: (line: number) => String(pool.lines.currency(line)),
    ofItem: (item: number) => String(pool.items.currency(item)),
  };
}

/** Those outside of the period only where there are too few within it: of one key, as many as there are lines. */
function nearestFirst(pool: Pool, period: Period, sides: { lines: number[]; items: number[] }) {
  if (sides.items.length <= sides.lines.length) return sides;
  const key = alikeIn(pool);
  const wanted = new Map<string, number>();
  for (const line of sides.lines) wanted.set(key.ofLine(line), (wanted.get(key.ofLine(line)) ?? 0) + 1);
  const byDistance = [...sides.items].sort(
    (a, b) => outside(pool, period, a) - outside(pool, period, b) || pool.byTimeAndId(a, b),
  );
  const items = byDistance.filter((item) => {
    const left = wanted.get(key.ofItem(item)) ?? 0;
    wanted.set(key.ofItem(item), left - 1);
    return left > 0;
  });
  return { lines: sides.lines, items };
}

/** Days from the period; 0 within. */
function outside(pool: Pool, { from, to }: Period, item: number): number {
  const day = pool.items.day(item);
  return Math.max(0, from - day, day - to);
}

function* namesBorne(evidence: Evidence, lines: Iterable<number>): Generator<number> {
  const seen = new Set<number>();
  for (const line of lines) {
    for (const name of evidence.namesOf(line)) {
      if (seen.has(name)) continue;
      seen.add(name);
      yield name;
    }
  }
}

/** Has something else of its reference the same amount, and is matched, here or in an earlier statement? */
function hasMatched(pool: Pool, evidence: Evidence, line: number): boolean {
  return evidence.namesOf(line).some((name) =>
    pool.itemsNamed(name).some((item) => {
      if (pool.isItemFree(item) || !pool.isAlike(line, item)) return false;
      const match = pool.matchOfItem(item);
      if (match < 0) return pool.isWithin(line, item);
      return pool.match(match).lines.some((other) => isNear(pool.lines.day(other), pool.lines.day(line), pool));
    }),
  );
}

/** Is another line of its reference alike, of which it was told how it differs? */
function hasTwin(pool: Pool, evidence: Evidence, line: number, told: ReadonlySet<number>): boolean {
  const { lines } = pool;
  const isTwin = (other: number) =>
    other !== line &&
    told.has(other) &&
    pool.lineAmount(other) === pool.lineAmount(line) &&
    lines.currency(other) === lines.currency(line) &&
    isNear(lines.day(other), lines.day(line), pool);
  return evidence.namesOf(line).some((name) => evidence.linesBearing(name).some(isTwin));
}

function causeOf(pool: Pool, { to, timingDays }: Period, item: number, taken: ReadonlySet<number>): Cause {
  const { items } = pool;
  const isTwin = (other: number) =>
    other !== item &&
    (taken.has(other) || !pool.isItemFree(other)) &&
    items.amount(other) === items.amount(item) &&
    items.currency(other) === items.currency(item) &&
    items.sign(other) === items.sign(item) &&
    isNear(items.day(other), items.day(item), pool);
  if (pool.soleItemNamed(items.name(item)) === -2 && pool.itemsNamed(items.name(item)).some(isTwin)) {
    return 'duplicate_here';
  }
  return items.day(item) > to - timingDays ? 'timing' : 'missing_there';
}

function isNear(day: number, other: number, { windowDays }: Pool): boolean {
  return Math.abs(day - other) <= windowDays;
}
