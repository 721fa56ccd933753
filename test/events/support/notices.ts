/** Notices for tests, and a log of them in memory. */
import { noticeEvent, partsOf, storedOf } from '../../../src/events/notices.ts';
import type { Standing } from '../../../src/events/outbox.ts';
import type { NoticeLog, NoticeReader } from '../../../src/events/ports.ts';
import {
  type EventView,
  NOTICES,
  type Notice,
  type NoticeBlock,
  type StoredNotice,
} from '../../../src/events/types.ts';
import type { BreakResource, ReconciliationResource } from '../../../src/resources/schemas.ts';

const AT = '2026-01-31T12:00:00.000Z';

export function aReconciliation(id: string, more: Partial<ReconciliationResource> = {}): ReconciliationResource {
  return {
    object: 'reconciliation',
    id: `rec_${id}`,
    source: 'bank',
    kind: 'statement',
    status: 'succeeded',
    started_at: AT,
    finished_at: AT,
    ok: false,
    failure: null,
    file: { name: 'january.csv', sha256: '00'.repeat(32), format: 'csv', lines: 3_000_000_000 },
    counts: {
      matched_lines: 2,
      matched_items: 2,
      breaks_opened: 1,
      breaks_resolved: 0,
      by_cause: { missing_here: 1 },
    },
    ...more,
  };
}

export function aBreak(id: string, more: Partial<BreakResource> = {}): BreakResource {
  return {
    object: 'break',
    id: `brk_${id}`,
    source: 'bank',
    cause: 'missing_here',
    status: 'open',
    currency: 'EUR',
    amount: '-1250',
    date: '2026-01-30',
    expected_by: null,
    opened_at: AT,
    updated_at: AT,
    assignee: null,
    reference: 'order-7',
    message: 'the ledger does not have it',
    statement_line: { line: 7, text: 'Ünïcode €' },
    ledger_item: null,
    reconciliation: 'rec_1',
    resolution: null,
    ...more,
  };
}

/** A break that a transaction resolved. */
export function anAdjustedBreak(id: string, transactionId: string): BreakResource {
  const how = { how: 'adjusted', reason: null, transaction_id: transactionId, reconciliation: null } as const;
  return aBreak(id, { status: 'resolved', resolution: { by: 'anna', at: AT, ...how } });
}

export function opened(...ids: readonly string[]): Notice[] {
  return ids.map((id) => ({ type: 'reconciliation.break_opened', object: aBreak(id) }));
}

/** What the storage of notices promises, in memory. */
export class MemoryNotices implements NoticeLog, NoticeReader {
  readonly blocks: NoticeBlock[] = [];
  readonly #batches = new Set<string>();
  /** Of the next block, if that is not before the last one; ms since the epoch. */
  now = 0;

  async append(batch: string, notices: readonly Notice[]): Promise<void> {
    if (this.#batches.has(batch)) return;
    this.#batches.add(batch);
    for (const [part, some] of partsOf(notices).entries()) {
      const at = Math.max(this.now, this.blocks.at(-1)?.at ?? 0);
      this.blocks.push({ height: this.blocks.length + 1, at, entries: storedOf({ batch, part }, at, some) });
    }
  }

  read(fromHeight: number, limit: number): Promise<NoticeBlock[]> {
    return Promise.resolve(this.blocks.filter(({ height }) => height >= fromHeight).slice(0, limit));
  }

  heightAt(time: number): Promise<number> {
    return Promise.resolve(this.blocks.findLast(({ at }) => at <= time)?.height ?? 0);
  }

  findNotices(ids: readonly string[]): Promise<Standing<StoredNotice>[]> {
    return Promise.resolve(this.#standing().filter(({ entry }) => ids.includes(entry.id)));
  }

  /** All that is to be told, in order. */
  expected(): EventView[] {
    return this.#standing().map(noticeEvent);
  }

  #standing(): Standing<StoredNotice>[] {
    return this.blocks.flatMap(({ height, at, entries }) =>
      entries.map((entry, index) => ({ entry, book: NOTICES, height, at, index })),
    );
  }
}
