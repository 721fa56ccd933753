import { hash as digestOf } from 'node:crypto';
import { BSON } from 'mongodb';
import { accountHashOfBytes } from '../ledger/account-hash.ts';
import { widened } from '../ledger/columns.ts';
import { type BlockKind, type Entry, REJECTION_REASONS } from '../ledger/types.ts';
import { type AccountNumbers, type BlockColumns, ENTRY } from '../verification/block-columns.ts';
import { decodeEntry, type EntryDocument, eraOf, FIELDS as F, subjectsOf } from './block-codec.ts';
import { assertEntry } from './block-types.ts';
import { BsonScan } from './bson-scan.ts';
import { positions } from './bson-writer.ts';
import { scanDetails } from './details-scan.ts';
import { TouchedAccounts } from './touched-accounts.ts';

const HASH_BYTES = 32;
/** The largest time that a date can be, in ms. */
const TIME_MAX = 8.64e15;
const UNKNOWN = -1;
const texts = (all: readonly string[]) => all.map((text) => Buffer.from(text));
const KINDS: readonly (readonly [Uint8Array, BlockKind])[] = [
  [Buffer.from('entries'), 'entries'],
  [Buffer.from('term'), 'term'],
  [Buffer.from('seal'), 'seal'],
];
const [PAYMENT, TRANSACTION, REJECTED] = texts(['payment', 'transaction', 'rejected']) as [Buffer, Buffer, Buffer];
const REASONS = texts(REJECTION_REASONS);
const documentAt = positions('document');
const stringAt = positions('string');
const int32At = positions('int32');
const int64At = positions('int64');

/**
 * Reads the bytes of a block into columns, strictly: every byte must be the one that `encodeBlock` writes for what is read,
 * and the hash must be that of the bytes. An entry that is not ordinary is decoded by itself. What a block is that is not
 * accepted here, nobody has said: it has to be looked at decoded.
 */
export class BlockScanner {
  readonly #scan = new BsonScan();
  readonly #touched = new TouchedAccounts();
  #accounts: AccountNumbers | null = null;
  /** Some account has no number. The rest is read all the same, so that each of them was asked for. */
  #isUnknown = false;

  scan(bytes: Buffer, into: BlockColumns, accounts: AccountNumbers): boolean {
    const scan = this.#scan;
    into.clear();
    this.#touched.clear();
    this.#accounts = accounts;
    this.#isUnknown = false;
    scan.begin(bytes);
    const hashAt = this.#head(into);
    if (scan.failed) return false;
    this.#entries(into);
    if (scan.failed) return false;
    this.#indexed(into);
    scan.close(bytes.length);
    if (scan.failed || this.#isUnknown) return false;
    return isHashed(bytes, hashAt, into.hash);
  }

  /**
   * Reads only the place and the postings of a block, by accounts of which not all need be known: the others are -1, and their
   * entries neither ordinary nor decoded. False: it is not wholly in its exact form up to there. Neither its hash nor what
   * the index finds it by is looked at.
   */
  scanPostings(bytes: Buffer, into: BlockColumns, accounts: AccountNumbers): boolean {
    const scan = this.#scan;
    into.clear();
    this.#touched.clear();
    this.#isUnknown = false;
    scan.begin(bytes);
    this.#accounts = accounts;
    this.#head(into);
    if (!scan.failed) this.#entries(into);
    return !scan.failed;
  }

  /** Answers where the hash stands. */
  #head(into: BlockColumns): number {
    const scan = this.#scan;
    scan.expect(F.id);
    const end = scan.open();
    scan.expect(F.book);
    into.book = scan.int32();
    scan.expect(F.height);
    into.height = scan.int64();
    scan.close(end);
    scan.expect(F.prev);
    const prevAt = scan.binary(HASH_BYTES);
    scan.expect(F.hash);
    const hashAt = scan.binary(HASH_BYTES);
    scan.expect(F.term);
    into.term = scan.int32();
    scan.expect(F.at);
    into.at = scan.int64();
    scan.expect(F.kind);
    scan.string();
    const kind = KINDS.find(([text]) => scan.isString(text));
    if (scan.failed || kind === undefined || !(into.height > 0) || !(into.at >= 0 && into.at <= TIME_MAX)) {
      scan.failed = true;
      return 0;
    }
    into.kind = kind[1];
    // Copies: the block's own bytes are not to be kept for them.
    into.prev = Uint8Array.prototype.slice.call(scan.bytes, prevAt, prevAt + HASH_BYTES);
    into.hash = Uint8Array.prototype.slice.call(scan.bytes, hashAt, hashAt + HASH_BYTES);
    return hashAt;
  }

  #entries(into: BlockColumns): void {
    const scan = this.#scan;
    scan.expect(F.entries);
    const end = scan.open();
    while (scan.isBefore(end)) {
      const index = into.entries;
      scan.expect(documentAt(index));
      const from = scan.at;
      const entryEnd = scan.open();
      if (scan.failed) return;
      into.roomForEntry();
      const postings = into.postings;
      let what: number = this.#entry(into, entryEnd);
      if (what === ENTRY.other) {
        scan.failed = false;
        scan.at = entryEnd;
        into.postings = postings;
        if (!this.#other(into, from, entryEnd)) {
          scan.failed = true;
          return;
        }
      } else if (this.#isUnknown) {
        what = ENTRY.other;
      } else {
        into.postingsInAll += into.postings - postings;
        for (let i = postings; i < into.postings; i++) this.#touched.take(into.slot[i]!, this.#hashes[i]!, index);
      }
      into.what[index] = what;
      into.ends[index] = into.postings;
      into.entries = index + 1;
    }
    scan.close(end);
  }

  /** By posting: the hash of its account. */
  #hashes = new Float64Array(0);

  /** What the entry is; `other`: all of what was read of it is to be forgotten. */
  #entry(into: BlockColumns, end: number): number {
    const scan = this.#scan;
    scan.expect(F.entryId);
    scan.string();
    scan.expect(F.key);
    scan.string();
    scan.expect(F.kind);
    scan.string();
    const isRejected = scan.isString(REJECTED);
    if (scan.failed || !(isRejected || scan.isString(PAYMENT) || scan.isString(TRANSACTION))) return ENTRY.other;
    if (!scan.has(F.postings)) return ENTRY.other;
    const before = into.postings;
    if (!this.#postings(into)) return ENTRY.other;
    const isEmpty = into.postings === before;
    if (isEmpty !== isRejected || (isRejected && !this.#rejection())) return ENTRY.other;
    scanDetails(this.#scan);
    scan.close(end);
    if (scan.failed) return ENTRY.other;
    return isRejected ? ENTRY.rejected : ENTRY.ordinary;
  }

  #postings(into: BlockColumns): boolean {
    const scan = this.#scan;
    const end = scan.open();
    for (let i = 0; scan.isBefore(end); i++) {
      if (!scan.has(documentAt(i))) return false;
      const one = scan.open();
      const row = into.postings;
      into.roomForPosting();
      if (row >= this.#hashes.length) this.#hashes = widened(this.#hashes, new Float64Array(into.slot.length));
      if (!scan.has(F.account)) return false;
      scan.string();
      if (scan.failed) return false;
      into.slot[row] = this.#slot(row);
      if (!scan.has(F.amount)) return false;
      const amount = scan.int64();
      if (!scan.has(F.currency)) return false;
      scan.string();
      into.currency[row] = this.#currency();
      if (!scan.has(F.posted)) return false;
      const posted = scan.int64();
      if (!scan.has(F.held)) return false;
      const held = scan.int64();
      scan.close(one);
      if (scan.failed || !Number.isFinite(amount + posted + held)) return false;
      into.amount[row] = amount;
      into.posted[row] = posted;
      into.held[row] = held;
      into.postings = row + 1;
    }
    scan.close(end);
    return !scan.failed;
  }

  #slot(row: number): number {
    const { bytes, start, end } = this.#scan;
    const hash = accountHashOfBytes(bytes, start, end);
    const slot =
      hash < 0 ? this.#accounts!.find(this.#scan.text()) : this.#accounts!.findBytes(bytes, start, end, hash);
    if (slot < 0) this.#isUnknown = true;
    // An entry with such an id is looked at decoded.
    if (hash < 0) this.#scan.failed = true;
    this.#hashes[row] = hash;
    return slot;
  }

  #currency(): number {
    const scan = this.#scan;
    const { bytes, start, end } = scan;
    const [a, b, c] = [bytes[start]!, bytes[start + 1]!, bytes[start + 2]!];
    if (end - start === 3 && (a | b | c) < 0x80) return (a << 16) | (b << 8) | c;
    scan.failed = true;
    return UNKNOWN;
  }

  /** Is it a rejection for a reason that exists, and of nothing that is held? */
  #rejection(): boolean {
    const scan = this.#scan;
    if (!scan.has(F.rejection)) return false;
    const end = scan.open();
    if (!scan.has(F.reason)) return false;
    scan.string();
    if (scan.failed || !REASONS.some((reason) => scan.isString(reason))) return false;
    if (!scan.has(F.kind)) return false;
    scan.string();
    if (!scan.has(F.legs) || !this.#legs()) return false;
    if (scan.has(F.follows)) scan.string();
    if (scan.has(F.home)) return false;
    scan.close(end);
    return !scan.failed;
  }

  #legs(): boolean {
    const scan = this.#scan;
    const end = scan.open();
    for (let i = 0; scan.isBefore(end); i++) {
      if (!scan.has(documentAt(i))) return false;
      const one = scan.open();
      if (!scan.has(F.account)) return false;
      scan.string();
      if (!scan.has(F.amount)) return false;
      scan.int64();
      if (!scan.has(F.currency)) return false;
      scan.string();
      scan.close(one);
    }
    scan.close(end);
    return !scan.failed;
  }

  /** Decodes an entry by itself. False: it cannot be. */
  #other(into: BlockColumns, from: number, end: number): boolean {
    const index = into.entries;
    let entry: Entry;
    try {
      entry = decodeEntry(
        BSON.deserialize(this.#scan.bytes.subarray(from, end), { useBigInt64: true }) as EntryDocument,
      );
      assertEntry(entry);
      for (const { account } of entry.postings) {
        const slot = this.#accounts!.find(account);
        if (slot < 0) this.#isUnknown = true;
        else this.#touched.takeText(slot, account, index);
      }
    } catch {
      return false;
    }
    into.others.set(index, entry);
    into.postingsInAll += entry.postings.length;
    return true;
  }

  /** What the database indexes the block by: compared with what it holds. */
  #indexed(into: BlockColumns): void {
    const scan = this.#scan;
    scan.expect(F.postingsBelow);
    into.postingsBelow = scan.int64();
    scan.expect(F.era);
    if (scan.int32() !== eraOf(into)) scan.failed = true;
    const touched = this.#touched;
    scan.expect(F.touched);
    let end = scan.open();
    for (let i = 0; i < touched.size; i++) {
      scan.expect(int64At(i));
      if (scan.safeInt64() !== touched.hash(i)) scan.failed = true;
    }
    scan.close(end);
    scan.expect(F.lastEntry);
    end = scan.open();
    for (let i = 0; i < touched.size; i++) {
      scan.expect(int32At(i));
      if (scan.int32() !== touched.last(i)) scan.failed = true;
    }
    scan.close(end);
    this.#subjects([...into.others.values()]);
  }

  #subjects(entries: readonly Entry[]): void {
    const scan = this.#scan;
    const subjects = subjectsOf({ entries });
    if (scan.failed || subjects.length === 0) return;
    scan.expect(F.subjects);
    const end = scan.open();
    for (let i = 0; i < subjects.length; i++) {
      scan.expect(stringAt(i));
      scan.string();
      if (scan.failed || scan.text() !== subjects[i]) scan.failed = true;
    }
    scan.close(end);
  }
}

/** Is this hash, which stands at that place in the bytes, the one of the bytes with zeros in its place? */
function isHashed(bytes: Buffer, hashAt: number, hash: Uint8Array): boolean {
  bytes.fill(0, hashAt, hashAt + HASH_BYTES);
  const recomputed = digestOf('sha256', bytes, 'buffer');
  bytes.set(hash, hashAt);
  return recomputed.equals(hash);
}
