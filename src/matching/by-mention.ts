import type { Evidence } from './evidence.ts';
import { alikeIn, beyondWindow, pairUp } from './pairing.ts';
import type { Pool } from './pool.ts';

const CONFIDENCE = 0.98;
const NONE = -1;

/** The item's reference stands somewhere in the line; amount, currency and date agree. */
export function matchByMention(pool: Pool, evidence: Evidence): void {
  /** By line: the name that is meant. */
  const meanings = new Int32Array(pool.lines.size).fill(NONE);
  for (const line of pool.freeLines()) meanings[line] = meant(pool, evidence, line);
  for (let line = 0; line < meanings.length; line++) {
    const name = meanings[line]!;
    // Those of one name are looked at together, with the first of them.
    if (name === NONE) continue;
    const lines = evidence.linesBearing(name).filter((other) => meanings[other] === name);
    for (const other of lines) meanings[other] = NONE;
    const items = pool.itemsNamed(name).filter((item) => pool.isItemFree(item));
    pairUp(pool, { lines, items }, alikeIn(pool), beyondWindow(pool), (ours, theirs) => {
      pool.pair('reference_contained', CONFIDENCE, ours, theirs);
    });
  }
}

/** The name of an item that fits; -1: there is none, or it bears several that do. */
function meant(pool: Pool, evidence: Evidence, line: number): number {
  const fits = (item: number) => pool.isItemFree(item) && pool.isAlike(line, item) && pool.isWithin(line, item);
  const fitting = evidence.namesOf(line).filter((name) => pool.itemsNamed(name).some(fits));
  return fitting.length === 1 ? fitting[0]! : NONE;
}
