import type { Evidence } from './evidence.ts';
import type { Pool } from './pool.ts';
import type { RuleOf } from './rules.ts';

const CONFIDENCE_FEES = 0.97;
/** Less the further apart: at the tolerance itself, {@link CONFIDENCE_FURTHEST}. */
const CONFIDENCE_NEAREST = 0.95;
const CONFIDENCE_FURTHEST = 0.85;

interface Near {
  readonly line: number;
  readonly item: number;
  readonly confidence: number;
  /** Minor units. */
  readonly difference: number;
}

/** The line bears the item's reference, and the amounts are as far apart as is tolerated: the nearest first. */
export function matchByTolerance(pool: Pool, evidence: Evidence, rule: RuleOf<'tolerance'>): void {
  const near: Near[] = [];
  for (const line of pool.freeLines()) {
    for (const name of evidence.namesOf(line)) {
      for (const item of pool.itemsNamed(name)) {
        const found = isNear(pool, rule, line, item);
        if (found !== null) near.push(found);
      }
    }
  }
  near.sort(
    (a, b) =>
      a.difference - b.difference ||
      pool.daysApart(a.line, a.item) - pool.daysApart(b.line, b.item) ||
      pool.byDayAndLine(a.line, b.line) ||
      pool.byTimeAndId(a.item, b.item),
  );
  for (const { line, item, confidence } of near) {
    if (pool.isLineFree(line) && pool.isItemFree(item)) pool.pair('tolerance', confidence, line, item);
  }
}

function isNear(pool: Pool, { absolute, percent, fees }: RuleOf<'tolerance'>, line: number, item: number): Near | null {
  if (!pool.isItemFree(item) || !pool.isSameCurrency(line, item) || !pool.isWithin(line, item)) return null;
  const amount = pool.itemAmount(item);
  const there = pool.lineAmount(line);
  if (Math.sign(amount) !== Math.sign(there)) return null;
  if (fees && pool.lines.fee(line) > 0 && pool.lineNet(line) === amount) {
    return { line, item, confidence: CONFIDENCE_FEES, difference: 0 };
  }
  const difference = Math.abs(amount - there);
  const most = Math.max(absolute, Math.floor((Math.abs(amount) * percent) / 100));
  if (difference > most) return null;
  const share = most === 0 ? 0 : difference / most;
  const confidence = CONFIDENCE_NEAREST - share * (CONFIDENCE_NEAREST - CONFIDENCE_FURTHEST);
  return { line, item, confidence, difference };
}
