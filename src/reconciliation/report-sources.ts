/** What a report is made from, read a page at a time. */
import type { Clock } from '../ledger/ports.ts';
import type { Page, PageQuery } from '../payments/types.ts';
import { dayOf } from '../statements/statement.ts';
import type { Breaks } from './breaks.ts';
import type { Reconciliations } from './reconciliations.ts';
import type { Break, KeptMatch } from './types.ts';

const PAGE = 1_000;

export interface ReportSources {
  readonly reconciliations: Pick<Reconciliations, 'get' | 'list' | 'breaks' | 'matches'>;
  readonly breaks: Pick<Breaks, 'ageing'>;
  /** Ages are counted until now. */
  readonly clock: Clock;
}

export type PositionedMatch = KeptMatch & { readonly position: number };

/** The breaks that a reconciliation has opened, in the order of the statement. */
export function breakPages({ reconciliations }: ReportSources, id: string): AsyncGenerator<readonly Break[]> {
  return pages(
    (page) => reconciliations.breaks(id, page),
    (one) => one.id,
  );
}

/** Its matches, in the order of the rules. */
export function matchPages({ reconciliations }: ReportSources, id: string): AsyncGenerator<readonly PositionedMatch[]> {
  return pages(
    (page) => reconciliations.matches(id, page),
    (one) => String(one.position),
  );
}

async function* pages<T>(
  read: (page: PageQuery) => Promise<Page<T>>,
  cursorOf: (one: T) => string,
): AsyncGenerator<readonly T[]> {
  let startingAfter: string | undefined;
  for (;;) {
    const { data, hasMore } = await read({ limit: PAGE, startingAfter });
    const last = data.at(-1);
    if (last === undefined) return;
    yield data;
    if (!hasMore) return;
    startingAfter = cursorOf(last);
  }
}

/** Whole days from the day of a break until it was resolved, or until now. */
export function ageDays({ day, resolution }: Break, clock: Clock): number {
  return Math.max(0, dayOf(resolution?.at ?? new Date(clock.now())) - day);
}

/** Minor units, statement less ledger, where a side that is missing is nothing; null: in two currencies. */
export function differenceOf({ line, item }: Pick<Break, 'line' | 'item'>): bigint | null {
  if (line !== null && item !== null && line.currency !== item.currency) return null;
  return (line?.amount ?? 0n) - (item?.amount ?? 0n);
}
