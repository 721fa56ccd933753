import type { Evidence } from './evidence.ts';
import { alikeIn, beyondWindow, pairUp } from './pairing.ts';
import type { Pool } from './pool.ts';

const CONFIDENCE = 0.98;

/** The item's reference stands somewhere in the line; amount, currency and date agree. */
export function matchByMention(pool: Pool, evidence: Evidence): void {
  const lines = new Map<number, number[]>();
  for (const line of pool.freeLines()) {
    const name = meant(pool, evidence, line);
    if (name === null) continue;
    const bearing = lines.get(name);
    if (bearing === undefined) lines.set(name, [line]);
    else bearing.push(line);
  }
  for (const [name, bearing] of lines) {
    const items = pool.itemsNamed(name).filter((item) => pool.isItemFree(item));
    pairUp(pool, { lines: bearing, items }, alikeIn(pool), beyondWindow(pool), (line, item) => {
      pool.pair('reference_contained', CONFIDENCE, line, item);
    });
  }
}

/** The name of an item that fits; null: there is none, or it bears several that do. */
function meant(pool: Pool, evidence: Evidence, line: number): number | null {
  const fits = (item: number) => pool.isItemFree(item) && pool.isAlike(line, item) && pool.isWithin(line, item);
  const fitting = evidence.namesOf(line).filter((name) => pool.itemsNamed(name).some(fits));
  return fitting.length === 1 ? fitting[0]! : null;
}
