import { setTimeout as sleep } from 'node:timers/promises';
import type { Collection, Db } from 'mongodb';
import { type BatchPart, partsOf, storedOf } from '../events/notices.ts';
import type { Standing } from '../events/outbox.ts';
import type { NoticeLog, NoticeReader } from '../events/ports.ts';
import { NOTICES, type Notice, type NoticeBlock, type StoredNotice } from '../events/types.ts';
import { backoffMs } from '../ledger/retry.ts';
import { isDuplicate } from './duplicates.ts';

const RETRY_BASE_MS = 2;
const RETRY_MAX_MS = 100;
/** The last moment that a date can say. */
const TIME_MAX = 8_640_000_000_000_000;

/** `_id` is the height. A batch that is too large for one document has several parts, numbered from 0. */
interface NoticeDocument extends BatchPart {
  _id: number;
  at: Date;
  notices: StoredNotice[];
}

/**
 * The log of notices. Documents are only ever inserted, each at the height after the highest one: of several who append at
 * once one gets it, and the others try the next. So there is no gap, and whoever has read up to a height has missed nothing.
 */
export class MongoNotices implements NoticeLog, NoticeReader {
  readonly #log: Collection<NoticeDocument>;

  constructor(db: Db) {
    this.#log = db.collection('notices');
  }

  async append(batch: string, notices: readonly Notice[]): Promise<void> {
    // One after the other, so that nobody ever reads a part before the one that comes before it.
    for (const [part, block] of partsOf(notices).entries()) await this.#appendPart({ batch, part }, block);
  }

  async #appendPart(which: BatchPart, notices: readonly Notice[]): Promise<void> {
    for (let failures = 0; ; ) {
      // Durable on a majority: one that is only on its way there may still be lost.
      if (await this.#log.findOne(which, { projection: { _id: 1 } })) return;
      const tip = await this.#tip();
      const at = Math.max(Date.now(), tip?.at.getTime() ?? 0);
      const stored = storedOf(which, at, notices);
      try {
        await this.#log.insertOne({ _id: (tip?._id ?? 0) + 1, at: new Date(at), ...which, notices: stored });
        return;
      } catch (error) {
        if (!isDuplicate(error)) throw error;
        await sleep(backoffMs(++failures, RETRY_BASE_MS, RETRY_MAX_MS));
      }
    }
  }

  /** Also one that is not yet durable on a majority: what is appended above it can only become so together with it. */
  #tip(): Promise<Pick<NoticeDocument, '_id' | 'at'> | null> {
    return this.#log.findOne({}, { sort: { _id: -1 }, projection: { at: 1 }, readConcern: { level: 'local' } });
  }

  async read(fromHeight: number, limit: number): Promise<NoticeBlock[]> {
    const found = await this.#log
      .find({ _id: { $gte: fromHeight } })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
    return found.map(({ _id, at, notices }) => ({ height: _id, at: at.getTime(), entries: notices }));
  }

  async heightAt(at: number): Promise<number> {
    const until = { at: { $lte: new Date(Math.min(at, TIME_MAX)) } };
    const found = await this.#log.findOne(until, { sort: { at: -1, _id: -1 }, projection: { _id: 1 } });
    return found?._id ?? 0;
  }

  async findNotices(ids: readonly string[]): Promise<Standing<StoredNotice>[]> {
    const rows = await this.#log
      .aggregate<Pick<NoticeDocument, '_id' | 'at' | 'notices'>>([
        { $match: { 'notices.id': { $in: ids } } },
        { $project: { at: 1, notices: { $filter: { input: '$notices', cond: { $in: ['$$this.id', ids] } } } } },
      ])
      .toArray();
    return rows.flatMap(({ _id: height, at, notices }) =>
      notices.map((entry) => ({ entry, book: NOTICES, height, at: at.getTime(), index: 0 })),
    );
  }
}
