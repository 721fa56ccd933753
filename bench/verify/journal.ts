/** A journal of ordinary payments, as bytes in memory. */
import { uuidv7 } from 'uuidv7';
import type { Account, Entry, StoredBlock } from '../../src/ledger/types.ts';
import { encodeBlock } from '../../src/mongo/block-codec.ts';
import { accountId } from '../workload.ts';

export interface MadeJournal {
  readonly accounts: readonly Account[];
  readonly blocks: readonly Buffer[];
  readonly entries: number;
}

/** Payments of two postings each between random accounts, with a reference each, in blocks of `perBlock`. */
export function makeJournal(accounts: number, entries: number, perBlock: number): MadeJournal {
  const ids = Array.from({ length: accounts }, (_, i) => accountId(i));
  const posted = new Float64Array(accounts);
  const blocks: Buffer[] = [];
  let prev: Uint8Array = new Uint8Array(32);
  let postingsBelow = 0;
  const posting = (n: number, amount: number) => {
    posted[n]! += amount;
    return { account: ids[n]!, amount: BigInt(amount), currency: 'EUR', posted: BigInt(posted[n]!), held: 0n };
  };
  for (let done = 0; done < entries; done += perBlock) {
    const made: Entry[] = Array.from({ length: Math.min(perBlock, entries - done) }, (_, i) => {
      const from = Math.floor(Math.random() * accounts);
      const to = (from + 1 + Math.floor(Math.random() * (accounts - 1))) % accounts;
      const amount = 1 + Math.floor(Math.random() * 10_000);
      const key = `bench/${uuidv7()}`;
      const postings = [posting(from, -amount), posting(to, amount)];
      return { id: `txn_${uuidv7()}`, key, kind: 'payment', postings, details: { reference: `INV-${done + i}` } };
    });
    const height = blocks.length + 1;
    const block = { book: 0, height, prev, term: 1, at: 1_700_000_000_000 + height, kind: 'entries' as const };
    const encoded = encodeBlock({ ...block, postingsBelow, entries: made } satisfies Omit<StoredBlock, 'hash'>);
    blocks.push(Buffer.from(encoded.bytes));
    prev = encoded.hash;
    postingsBelow += 2 * made.length;
  }
  const about = { book: 0, currency: 'EUR', minBalance: null, maxBalance: null };
  return { accounts: ids.map((id) => ({ id, ...about })), blocks, entries };
}
