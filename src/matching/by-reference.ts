import { Links } from './links.ts';
import { alikeIn, beyondWindow, pairUp } from './pairing.ts';
import type { Pool } from './pool.ts';

const SURE = 1;

/** Same reference, amount and currency, within the window; of several those that are closest in their order. */
export function matchByReference(pool: Pool): void {
  pairBorneIds(pool);
  const named = new Links(pool.items.names.size, pool.lines.size, (line) => pool.lines.name(line));
  for (let name = 0; name < pool.items.names.size; name++) {
    const line = named.sole(name);
    if (line === -1) continue;
    const item = pool.soleItemNamed(name);
    if (line >= 0 && item >= 0) {
      // Nearly all.
      if (pool.isLineFree(line) && pool.isItemFree(item) && pool.isAlike(line, item) && pool.isWithin(line, item)) {
        pool.pair('reference', SURE, line, item);
      }
      continue;
    }
    const sides = {
      lines: named.of(name).filter((one) => pool.isLineFree(one)),
      items: pool.itemsNamed(name).filter((one) => pool.isItemFree(one)),
    };
    pairUp(pool, sides, alikeIn(pool), beyondWindow(pool), (ours, theirs) => {
      pool.pair('reference', SURE, ours, theirs);
    });
  }
}

/** Of the items of one reference, it is the one whose id the line bears. */
function pairBorneIds(pool: Pool): void {
  for (let line = 0; line < pool.lines.size; line++) {
    const item = pool.lines.item(line);
    if (item < 0 || !pool.isLineFree(line) || !pool.isItemFree(item)) continue;
    if (pool.isAlike(line, item) && pool.isWithin(line, item)) pool.pair('reference', SURE, line, item);
  }
}
