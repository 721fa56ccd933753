/** Matches of more than one line or item. Sums have signs: what was refunded within a payout is taken off it. */
import type { Evidence } from './evidence.ts';
import type { Pool } from './pool.ts';

const CONFIDENCE_GROUP = 0.97;
const CONFIDENCE_REFERENCES = 0.95;
const CONFIDENCE_COUNT = 0.7;
/** Of one match: more are no payout that anybody would look through. */
const MANY_MAX = 50_000;

/** One line, such as a payout or a batch booking, against many items. */
export function matchOneToMany(pool: Pool, evidence: Evidence, windowDays: number): void {
  const byDay = new ItemsByDay(pool);
  for (const line of Uint32Array.from(pool.freeLines()).sort(pool.byDayAndLine)) {
    for (const { items, confidence } of itemSets(pool, evidence, byDay, line, windowDays)) {
      if (!isSumOf(pool, line, items)) continue;
      pool.join('one_to_many', confidence, [line], items.sort(pool.byTimeAndId));
      break;
    }
  }
}

interface ItemSet {
  readonly items: number[];
  readonly confidence: number;
}

/** The sets of items that a line may stand for, the most telling first. */
function* itemSets(
  pool: Pool,
  evidence: Evidence,
  byDay: ItemsByDay,
  line: number,
  windowDays: number,
): Generator<ItemSet> {
  const fits = (item: number) =>
    pool.isItemFree(item) && pool.isSameCurrency(line, item) && pool.isWithin(line, item, windowDays);
  const names = evidence.namesOf(line);
  for (const name of names) {
    const items = pool.itemsOfGroup(name).filter(fits);
    if (items.length > 0) yield { items, confidence: CONFIDENCE_GROUP };
  }
  for (const name of names) {
    const items = pool.itemsNamed(name).filter(fits);
    if (items.length > 1) yield { items, confidence: CONFIDENCE_REFERENCES };
  }
  if (names.length > 1) {
    const items = [...new Set(names.flatMap((name) => pool.itemsNamed(name)))].filter(fits);
    if (items.length > 1) yield { items, confidence: CONFIDENCE_REFERENCES };
  }
  const count = pool.lines.count(line);
  if (count === null || count < 2 || count > MANY_MAX) return;
  const items = byDay.alikeIn(line, count);
  if (items !== null) yield { items, confidence: CONFIDENCE_COUNT };
}

/** Free items by day, currency and direction; made when the first line needs them. */
class ItemsByDay {
  #byKey: Map<string, number[]> | null = null;

  constructor(readonly pool: Pool) {}

  /** All of a day within the window that go the way of the line, when they are just as many; the nearest day first. */
  alikeIn(line: number, count: number): number[] | null {
    this.#byKey ??= this.#read();
    const { lines, windowDays } = this.pool;
    const sign = Math.sign(this.pool.lineAmount(line));
    for (let distance = 0; distance <= windowDays; distance++) {
      for (const day of distance === 0 ? [0] : [-distance, distance]) {
        const all = this.#byKey.get(`${lines.currency(line)} ${sign} ${lines.day(line) + day}`) ?? [];
        const items = all.filter((item) => this.pool.isItemFree(item));
        if (items.length === count && isSumOf(this.pool, line, items)) return items;
      }
    }
    return null;
  }

  #read(): Map<string, number[]> {
    const { pool } = this;
    const byKey = new Map<string, number[]>();
    for (const item of pool.freeItems()) {
      const key = `${pool.items.currency(item)} ${Math.sign(pool.itemAmount(item))} ${pool.items.day(item)}`;
      const those = byKey.get(key);
      if (those === undefined) byKey.set(key, [item]);
      else those.push(item);
    }
    return byKey;
  }
}

function isSumOf(pool: Pool, line: number, items: readonly number[]): boolean {
  if (items.length > MANY_MAX) return false;
  const sum = sumOf(items, (item) => pool.itemAmount(item));
  return sum === pool.lineAmount(line) || (pool.lines.fee(line) > 0 && sum === pool.lineNet(line));
}

/** Many lines of one reference or batch against one item. */
export function matchManyToOne(pool: Pool, evidence: Evidence, windowDays: number): void {
  for (const { lines, name } of lineSets(pool, evidence)) {
    if (lines.length < 2) continue;
    const items = pool.itemsNamed(name).filter((item) => pool.isItemFree(item));
    for (const item of items.sort(pool.byTimeAndId)) {
      const near = lines.filter((line) => pool.isSameCurrency(line, item) && pool.isWithin(line, item, windowDays));
      if (near.length < 2 || near.length > MANY_MAX || !areSum(pool, near, pool.itemAmount(item))) continue;
      pool.join('many_to_one', CONFIDENCE_REFERENCES, near, [item]);
      break;
    }
  }
}

/** The lines of one reference or batch against all items of the same reference or group. */
export function matchManyToMany(pool: Pool, evidence: Evidence, windowDays: number): void {
  for (const { lines, name } of lineSets(pool, evidence)) {
    const [first] = lines;
    if (first === undefined) continue;
    for (const candidates of [pool.itemsOfGroup(name), pool.itemsNamed(name)]) {
      const near = lines.filter(
        (line) => pool.isLineFree(line) && pool.lines.currency(line) === pool.lines.currency(first),
      );
      const items = candidates.filter(
        (item) =>
          pool.isItemFree(item) &&
          pool.isSameCurrency(first, item) &&
          near.some((line) => pool.isWithin(line, item, windowDays)),
      );
      if (near.length < 2 || items.length < 2 || near.length > MANY_MAX || items.length > MANY_MAX) continue;
      if (
        !areSum(
          pool,
          near,
          sumOf(items, (item) => pool.itemAmount(item)),
        )
      )
        continue;
      pool.join('many_to_many', CONFIDENCE_REFERENCES, near, items.sort(pool.byTimeAndId));
    }
  }
}

/** The free lines by each name that they bear, in an order that does not depend on how items were read. */
function* lineSets(pool: Pool, evidence: Evidence): Generator<{ readonly lines: number[]; readonly name: number }> {
  const isDone = new Uint8Array(pool.items.names.size);
  for (const line of Uint32Array.from(pool.freeLines()).sort(pool.byDayAndLine)) {
    for (const name of evidence.namesOf(line)) {
      if (isDone[name] === 1) continue;
      isDone[name] = 1;
      const lines = evidence.linesBearing(name).filter((other) => pool.isLineFree(other));
      yield { lines: lines.sort(pool.byDayAndLine), name };
    }
  }
}

function areSum(pool: Pool, lines: readonly number[], sum: number): boolean {
  const gross = sumOf(lines, (line) => pool.lineAmount(line));
  return gross === sum || sumOf(lines, (line) => pool.lineNet(line)) === sum;
}

/** NaN, which equals nothing, beyond what a double holds exactly: 90 billion of the largest units. */
function sumOf(all: readonly number[], amountOf: (one: number) => number): number {
  let sum = 0;
  for (const one of all) {
    sum += amountOf(one);
    if (!Number.isSafeInteger(sum)) return Number.NaN;
  }
  return sum;
}
