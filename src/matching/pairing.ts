/** Pairs lines with items that may be the same money. */
import type { Pool } from './pool.ts';

interface Sides {
  readonly lines: readonly number[];
  readonly items: readonly number[];
}

/**
 * Pairs those of the same key that fit, in the order of their dates, so that as many as possible find one. `apart` says
 * of two whether they fit (0), the line comes too early for the item (negative) or too late (positive).
 */
export function pairUp(
  pool: Pool,
  sides: Sides,
  keys: { readonly ofLine: (line: number) => string; readonly ofItem: (item: number) => string },
  apart: (line: number, item: number) => number,
  onPair: (line: number, item: number) => void,
): void {
  if (sides.lines.length === 0 || sides.items.length === 0) return;
  const theirs = grouped([...sides.items].sort(pool.byTimeAndId), keys.ofItem);
  for (const [key, lines] of grouped([...sides.lines].sort(pool.byDayAndLine), keys.ofLine)) {
    const items = theirs.get(key) ?? [];
    let [i, j] = [0, 0];
    while (i < lines.length && j < items.length) {
      const distance = apart(lines[i]!, items[j]!);
      if (distance === 0) onPair(lines[i++]!, items[j++]!);
      else if (distance < 0) i++;
      else j++;
    }
  }
}

function grouped(all: readonly number[], keyOf: (one: number) => string): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

/** Same amount and currency. */
export function alikeIn(pool: Pool) {
  return {
    ofLine: (line: number) => `${pool.lineAmount(line)} ${pool.lines.currency(line)}`,
    ofItem: (item: number) => `${pool.itemAmount(item)} ${pool.items.currency(item)}`,
  };
}

/** Days beyond the window from a line to an item, with sign; 0 within. */
export function beyondWindow(pool: Pool, days = pool.windowDays): (line: number, item: number) => number {
  return (line, item) => {
    const difference = pool.lines.day(line) - pool.items.day(item);
    return Math.abs(difference) <= days ? 0 : difference;
  };
}
