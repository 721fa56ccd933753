import type { AsClaimed, ClaimHead } from '../verification/ports.ts';
import { FIELDS as F } from './block-codec.ts';
import { BsonScan } from './bson-scan.ts';
import { field, positions } from './bson-writer.ts';
import { CLAIM_FIELDS as C } from './claim-codec.ts';
import { scanDetails } from './details-scan.ts';

const documentAt = positions('document');
const stringAt = positions('string');
const HASH_BYTES = 32;
const PAYMENT = Buffer.from('payment');
const TRANSACTION = Buffer.from('transaction');
const DONE = Buffer.from('done');
const PENDING = Buffer.from('pending');
const POSTED = field('int64', 'posted');
const HELD = field('int64', 'held');
const NUMBER_BYTES = 8;

/** Where an ordinary entry stands, and what of it. All are places in the bytes of its block. */
interface StandingEntry {
  readonly bytes: Buffer;
  readonly block: number;
  readonly index: number;
  readonly id: readonly [number, number];
  readonly kind: readonly [number, number];
  /** The fields of each posting that its leg has as well. */
  readonly legs: readonly (readonly [number, number])[];
  readonly details: readonly [number, number];
  /** How many entries have the key, and commands. */
  entries: number;
  commands: number;
  isSame: boolean;
}

/**
 * Compares ordinary entries with the commands that were claimed under their keys, byte by byte: blocks and claims write ids,
 * legs and details alike. It only ever tells which are the same; of all others nothing is said.
 */
export class ClaimMatcher {
  readonly #scan = new BsonScan();
  readonly #byKey = new Map<string, StandingEntry>();
  readonly #claims: ClaimHead[] = [];
  #isOfAll = true;

  /** Null: a block that is not to be looked at. */
  constructor(readonly blocks: readonly (Buffer | null)[]) {
    for (const [block, bytes] of blocks.entries()) if (bytes !== null) this.#readBlock(bytes, block);
  }

  /** Of all entries that are to be compared. */
  get keys(): string[] {
    return [...this.#byKey.keys()];
  }

  /** Every claim that holds one of the keys has to be taken, once. */
  take(bytes: Buffer): void {
    // Nobody knows what it holds: nothing can be said then.
    if (!this.#readClaim(bytes)) this.#isOfAll = false;
  }

  result(): AsClaimed {
    const same = this.blocks.map(() => new Set<number>());
    for (const { block, index, isSame, entries, commands } of this.#byKey.values()) {
      if (this.#isOfAll && isSame && entries === 1 && commands === 1) same[block]!.add(index);
    }
    return { same, claims: this.#claims };
  }

  #readBlock(bytes: Buffer, block: number): void {
    const scan = this.#scan;
    scan.begin(bytes);
    scan.expect(F.id);
    scan.at = scan.open();
    for (const header of [F.prev, F.hash]) {
      scan.expect(header);
      scan.binary(HASH_BYTES);
    }
    scan.expect(F.term);
    scan.int32();
    scan.expect(F.at);
    scan.int64();
    scan.expect(F.kind);
    scan.string();
    scan.expect(F.entries);
    const end = scan.open();
    for (let index = 0; scan.isBefore(end); index++) {
      scan.expect(documentAt(index));
      const entryEnd = scan.open();
      if (scan.failed) return;
      this.#readEntry(bytes, block, index, entryEnd);
      scan.failed = false;
      scan.at = entryEnd;
    }
  }

  #readEntry(bytes: Buffer, block: number, index: number, end: number): void {
    const scan = this.#scan;
    const id = this.#string(F.entryId);
    this.#string(F.key);
    const key = scan.failed ? '' : scan.text();
    const known = this.#byKey.get(key);
    if (known) known.entries++;
    const kind = this.#string(F.kind);
    if (known || scan.failed || !(scan.isString(PAYMENT) || scan.isString(TRANSACTION))) return;
    const legs = scan.has(F.postings) ? this.#postings() : null;
    const from = scan.at;
    scanDetails(this.#scan);
    scan.close(end);
    if (scan.failed || legs === null || legs.length === 0) return;
    const counts = { entries: 1, commands: 0, isSame: false };
    this.#byKey.set(key, { bytes, block, index, id, kind, legs, details: [from, end - 1], ...counts });
  }

  #postings(): (readonly [number, number])[] | null {
    const scan = this.#scan;
    const legs: (readonly [number, number])[] = [];
    const end = scan.open();
    while (scan.isBefore(end)) {
      scan.expect(documentAt(legs.length));
      const from = scan.at + 4;
      const one = scan.open();
      const to = one - 1 - (POSTED.length + HELD.length + 2 * NUMBER_BYTES);
      if (scan.failed || to < from) return null;
      scan.at = to;
      scan.expect(POSTED);
      scan.at += NUMBER_BYTES;
      scan.expect(HELD);
      scan.at += NUMBER_BYTES;
      scan.close(one);
      legs.push([from, to]);
    }
    scan.close(end);
    return scan.failed ? null : legs;
  }

  #readClaim(bytes: Buffer): boolean {
    const scan = this.#scan;
    scan.begin(bytes);
    this.#string(C._id);
    const claimId = scan.failed ? '' : scan.text();
    scan.expect(C.bucket);
    scan.int32();
    const wanted = this.#keys();
    scan.expect(C.commands);
    const end = scan.open();
    let index = 0;
    for (; scan.isBefore(end); index++) {
      scan.expect(documentAt(index));
      const commandEnd = scan.open();
      if (scan.failed) return false;
      const entry = wanted[index];
      if (entry && entry.commands === 1) entry.isSame = this.#isSame(bytes, entry, commandEnd);
      scan.failed = false;
      scan.at = commandEnd;
    }
    scan.close(end);
    this.#string(C.state);
    const [isDone, isPending] = [scan.isString(DONE), scan.isString(PENDING)];
    this.#string(C.owner);
    scan.expect(C.at);
    const at = scan.int64();
    scan.close(bytes.length);
    if (scan.failed || index !== wanted.length || isDone === isPending || Number.isNaN(at)) return false;
    this.#claims.push({ claimId, at, state: isDone ? 'done' : 'pending' });
    return true;
  }

  /** By command: the entry that has its key. */
  #keys(): (StandingEntry | undefined)[] {
    const scan = this.#scan;
    const wanted: (StandingEntry | undefined)[] = [];
    scan.expect(C.keys);
    const end = scan.open();
    while (scan.isBefore(end)) {
      this.#string(stringAt(wanted.length));
      const entry = scan.failed ? undefined : this.#byKey.get(scan.text());
      if (entry) entry.commands++;
      wanted.push(entry);
    }
    scan.close(end);
    return wanted;
  }

  #isSame(bytes: Buffer, entry: StandingEntry, end: number): boolean {
    const scan = this.#scan;
    const id = this.#string(C.id);
    this.#string(C.fingerprint);
    const kind = this.#string(C.kind);
    scan.expect(F.legs);
    const legsEnd = scan.open();
    let leg = 0;
    for (; scan.isBefore(legsEnd); leg++) {
      scan.expect(documentAt(leg));
      const from = scan.at + 4;
      const to = scan.open() - 1;
      const posting = entry.legs[leg];
      if (scan.failed || posting === undefined || !isEqual(entry.bytes, posting, bytes, [from, to])) return false;
      scan.at = to + 1;
    }
    scan.close(legsEnd);
    if (scan.failed || leg !== entry.legs.length) return false;
    return (
      isEqual(entry.bytes, entry.id, bytes, id) &&
      isEqual(entry.bytes, entry.kind, bytes, kind) &&
      isEqual(entry.bytes, entry.details, bytes, [scan.at, end - 1])
    );
  }

  /** Reads a string field; answers where the string is. */
  #string(header: Uint8Array): readonly [number, number] {
    const scan = this.#scan;
    scan.expect(header);
    scan.string();
    return [scan.start, scan.end];
  }
}

function isEqual(
  a: Buffer,
  [aStart, aEnd]: readonly [number, number],
  b: Buffer,
  [bStart, bEnd]: readonly [number, number],
): boolean {
  return aEnd - aStart === bEnd - bStart && a.compare(b, bStart, bEnd, aStart, aEnd) === 0;
}
