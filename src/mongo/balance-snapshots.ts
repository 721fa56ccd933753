import type { AnyBulkWriteOperation, Collection, Db, Document } from 'mongodb';
import type { Advanced, Rebuildable } from '../payments/follower.ts';
import { ACCOUNTS, type AccountDocument } from './accounts.ts';
import { Checkpoints } from './checkpoints.ts';
import { JOURNAL, MongoJournal } from './journal.ts';

/** Taken in at a time: of all their postings to an account only the last one is written. */
const BLOCKS_AT_ONCE = 500;
const WRITES_AT_ONCE = 1000;

/** An account's balance after its last posting of some blocks. */
export interface LastBalance {
  _id: string;
  posted: bigint;
  held: bigint;
  height: bigint;
}

/**
 * The balances that are kept with the accounts, `{posted, held, height}`, written behind the journal. Each equals the
 * journal at its height and only ever grows in height; up to the checkpoint, none is missing or behind. Nothing is
 * decided from them: they are for sums over many accounts, and for whoever looks into the database.
 */
export class MongoBalanceSnapshots implements Rebuildable {
  readonly #journal: MongoJournal;
  readonly #accounts: Collection<AccountDocument>;
  readonly #checkpoints: Checkpoints;

  constructor(readonly db: Db) {
    this.#journal = new MongoJournal(db);
    this.#accounts = db.collection(ACCOUNTS);
    this.#checkpoints = new Checkpoints(db, 'balances');
  }

  async advance(book: number): Promise<Advanced> {
    const asked = Date.now();
    const [position, tip] = await Promise.all([this.#checkpoints.position(book), this.#journal.tip(book)]);
    if (!tip || tip.height <= position.height) return { taken: 0, isAtTip: true, asOf: asked };
    const upTo = Math.min(tip.height, position.height + BLOCKS_AT_ONCE);
    const last = upTo === tip.height ? tip : (await this.#journal.read(book, upTo, 1))[0]!;
    let taken = 0;
    let writes: AnyBulkWriteOperation<AccountDocument>[] = [];
    const write = async () => {
      if (writes.length > 0) await this.#accounts.bulkWrite(writes, { ordered: false });
      taken += writes.length;
      writes = [];
    };
    const balances = this.db
      .collection(JOURNAL)
      .aggregate<LastBalance>(lastBalances(book, position.height, upTo), { allowDiskUse: true });
    for await (const balance of balances) {
      if (writes.push(updateOf(balance)) === WRITES_AT_ONCE) await write();
    }
    await write();
    await this.#checkpoints.moveOn(book, position, upTo);
    const isAtTip = last === tip;
    return { taken, isAtTip, asOf: isAtTip ? asked : last.at };
  }

  count(): Promise<number> {
    return this.#accounts.countDocuments({ balance: { $exists: true } });
  }

  async clear(): Promise<void> {
    await this.#checkpoints.restart(() => this.#accounts.updateMany({}, { $unset: { balance: 1 } }));
  }
}

/** Unless the account has a later one. */
function updateOf({ _id, posted, held, height }: LastBalance): AnyBulkWriteOperation<AccountDocument> {
  const filter = { _id, 'balance.height': { $not: { $gte: height } } };
  return { updateOne: { filter, update: { $set: { balance: { posted, held, height } } } } };
}

/**
 * The stages that answer a {@link LastBalance} of each account that the blocks `above < height <= upTo` post to; of all
 * accounts, or of those whose ids fit a condition.
 */
export function lastBalances(book: number, above: number, upTo: number, ids: object = {}): Document[] {
  const range = { $gt: { book, height: BigInt(above) }, $lte: { book, height: BigInt(upTo) } };
  const condition = Object.keys(ids).length === 0 ? {} : { 'entries.postings.account': ids };
  return [
    { $match: { _id: range, ...condition } },
    { $sort: { _id: 1 } },
    { $project: { 'entries.postings.account': 1, 'entries.postings.posted': 1, 'entries.postings.held': 1 } },
    { $unwind: '$entries' },
    { $unwind: '$entries.postings' },
    { $match: condition },
    {
      $group: {
        _id: '$entries.postings.account',
        posted: { $last: '$entries.postings.posted' },
        held: { $last: '$entries.postings.held' },
        height: { $last: '$_id.height' },
      },
    },
  ];
}
