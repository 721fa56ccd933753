import type { Collection, Db } from 'mongodb';
import type { AccountTip, Posting } from '../ledger/types.ts';
import { AccountIndex } from '../verification/account-index.ts';
import { type AccountNumbers, BlockColumns } from '../verification/block-columns.ts';
import type { BlockDocument } from './block-codec.ts';
import { BlockScanner } from './block-scanner.ts';
import { JOURNAL, type MongoJournal } from './journal.ts';
import { StoredBytes } from './stored-bytes.ts';

const LOOKUP_SIZE = 1_000;
const BLOCKS_AT_ONCE = 20;
/** So many accounts make it worth a look at the blocks themselves. */
const MANY = 100;
/** After so many blocks with fewer than so many of the accounts each, the index is faster. */
const POOR_BLOCKS = 5;
const FEW = 10;

type Tip = Omit<AccountTip, 'state'>;

/**
 * What many accounts of a book hold at a height. As long as the blocks from there down hold many of them, these are read
 * whole, one after the other, and looked through here; where the last posting of the rest is, the index tells. To have the
 * server look through large blocks for one account at a time would take a hundred times as long.
 */
export class EarlierBalances {
  readonly #blocks: Collection<BlockDocument>;
  readonly #scanner = new BlockScanner();
  readonly #columns = new BlockColumns();

  constructor(
    db: Db,
    readonly journal: MongoJournal,
  ) {
    this.#blocks = db.collection(JOURNAL);
  }

  /** One that is not posted to by then is missing. */
  async at(book: number, accounts: readonly string[], upTo: number): Promise<Map<string, Tip>> {
    const tips = new Map<string, Tip>();
    if (accounts.length >= MANY) await this.#readDown(book, accounts, upTo, tips);
    const rest = accounts.filter((account) => !tips.has(account));
    for (let i = 0; i < rest.length; i += LOOKUP_SIZE) {
      for (const [account, tip] of await this.journal.balances(rest.slice(i, i + LOOKUP_SIZE), { upTo })) {
        // Of what was only ever changed nothing is held.
        if (tip.height > 0) tips.set(account, tip);
      }
    }
    return tips;
  }

  /** Reads blocks from a height down, until all accounts were met or few are met any more. */
  async #readDown(book: number, accounts: readonly string[], upTo: number, tips: Map<string, Tip>): Promise<void> {
    const wanted = new Wanted(accounts);
    const range = { $gte: { book, height: 0n }, $lte: { book, height: BigInt(upTo) } };
    const cursor = this.#blocks.find({ _id: range }, { raw: true, batchSize: BLOCKS_AT_ONCE }).sort({ _id: -1 });
    let poor = 0;
    try {
      for await (const bytes of cursor as unknown as AsyncIterable<Buffer>) {
        const before = tips.size;
        this.#take(bytes, wanted, tips);
        wanted.leave();
        poor = tips.size - before < FEW ? poor + 1 : 0;
        if (poor === POOR_BLOCKS || tips.size === accounts.length) return;
      }
    } finally {
      await cursor.close();
    }
  }

  #take(bytes: Buffer, wanted: Wanted, tips: Map<string, Tip>): void {
    if (this.#scanner.scanPostings(bytes, this.#columns, wanted)) {
      takeColumns(this.#columns, wanted, tips);
      return;
    }
    const audited = new StoredBytes(bytes).audited();
    if ('unreadable' in audited) return;
    for (const { postings } of audited.block.entries) takePostings(postings, audited.block, wanted, tips);
  }
}

/** Accounts whose last posting is looked for, numbered; once it was met an account has no number any more. */
class Wanted implements AccountNumbers {
  readonly #index = new AccountIndex();
  readonly #isMet: Uint8Array;
  /** Those met in the block at hand. */
  readonly #here = new Set<number>();

  constructor(readonly accounts: readonly string[]) {
    for (const account of accounts) this.#index.add(account);
    this.#isMet = new Uint8Array(accounts.length);
  }

  find(account: string): number {
    return this.#unlessMet(this.#index.find(account));
  }
  findBytes(bytes: Uint8Array, start: number, end: number, hash: number): number {
    return this.#unlessMet(this.#index.findBytes(bytes, start, end, hash));
  }

  /** The block is at its end. */
  leave(): void {
    for (const slot of this.#here) this.#isMet[slot] = 1;
    this.#here.clear();
  }

  #unlessMet(slot: number): number {
    if (slot < 0 || this.#isMet[slot] === 1) return -1;
    this.#here.add(slot);
    return slot;
  }
}

/** The last one counts. */
function takeColumns(columns: BlockColumns, wanted: Wanted, tips: Map<string, Tip>): void {
  const { entries, ends, others, slot, posted, held, height, at } = columns;
  let from = 0;
  for (let i = 0; i < entries; i++) {
    const to = ends[i]!;
    takePostings(others.get(i)?.postings ?? [], columns, wanted, tips);
    for (let row = from; row < to; row++) {
      const account = wanted.accounts[slot[row]!];
      if (account === undefined) continue;
      tips.set(account, { posted: BigInt(posted[row]!), held: BigInt(held[row]!), height, at });
    }
    from = to;
  }
}

function takePostings(
  postings: readonly Posting[],
  { height, at }: { height: number; at: number },
  wanted: Wanted,
  tips: Map<string, Tip>,
): void {
  for (const { account, posted, held } of postings) {
    if (wanted.find(account) >= 0) tips.set(account, { posted, held, height, at });
  }
}
