/** The ledger of the model as bytes: its blocks are encoded and hashed as those in the database are. */
import type { Claim } from '../../src/ledger/ports.ts';
import type { StoredBlock } from '../../src/ledger/types.ts';
import { encodeBlock } from '../../src/mongo/block-codec.ts';
import { encodeClaim } from '../../src/mongo/claim-codec.ts';
import { ClaimMatcher } from '../../src/mongo/claim-matcher.ts';
import { StoredBytes } from '../../src/mongo/stored-bytes.ts';
import type { AsClaimed, AuditPort, RawBlock } from '../../src/verification/ports.ts';
import { hashOf, type Model } from './model.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

export class StoredModel {
  /** By the hash that a block has in the model: the one of its bytes. */
  readonly #hashes = new Map<string, Uint8Array>();
  /** Blocks that were read by their columns, and decoded; and entries that were compared with their claims as bytes. */
  readonly counts = { scanned: 0, decoded: 0, same: 0 };

  /** Of the model as it is now: what is changed in it afterwards keeps the hashes of before, unless it is forged. */
  constructor(readonly model: Model) {
    for (const book of model.books.keys()) this.bytesOf(book);
  }

  /** The blocks of a book. One whose hash in the model is wrong has a wrong one here. */
  bytesOf(book: number): Buffer[] {
    return (this.model.blocks(book) as StoredBlock[]).map((block) => {
      const encoded = encodeBlock({ ...block, prev: this.#hashes.get(hex(block.prev)) ?? block.prev });
      const bytes = Buffer.from(encoded.bytes);
      const isRight = hex(hashOf(block)) === hex(block.hash);
      if (isRight) this.#hashes.set(hex(block.hash), encoded.hash);
      else bytes.set(this.#hashes.get(hex(block.hash)) ?? block.hash, bytes.indexOf(encoded.hash));
      return bytes;
    });
  }

  /** `isFast` false: every block is looked at decoded. `tamper`: what becomes of the bytes of a book. */
  port(isFast: boolean, tamper: (blocks: Buffer[], book: number) => Buffer[] = (blocks) => blocks): AuditPort {
    const store = this;
    return {
      ...this.model.port(),
      ...(isFast ? { asClaimed: async (blocks: readonly RawBlock[]) => store.#asClaimed(blocks) } : {}),
      async *blocks(book, fromHeight, toHeight) {
        const heights = store.model.blocks(book).map(({ height }) => height);
        for (const [i, bytes] of tamper(store.bytesOf(book), book).entries()) {
          if (heights[i]! < fromHeight || heights[i]! > toHeight) continue;
          yield store.#raw(bytes, isFast);
        }
      },
    };
  }

  /** By what was handed out for it. */
  readonly #bytes = new WeakMap<RawBlock, Buffer>();

  #asClaimed(blocks: readonly RawBlock[]): AsClaimed {
    const matcher = new ClaimMatcher(blocks.map((raw) => this.#bytes.get(raw) ?? null));
    const keys = new Set(matcher.keys);
    for (const claim of this.model.claims as Claim[]) {
      if (claim.commands.some(({ key }) => keys.has(key))) matcher.take(encodeClaim(claim));
    }
    const result = matcher.result();
    for (const same of result.same) this.counts.same += same.size;
    return result;
  }

  #raw(bytes: Buffer, isFast: boolean): RawBlock {
    const raw = new StoredBytes(bytes);
    const wrapped: RawBlock = {
      size: raw.size,
      scan: (into, accounts) => {
        const isScanned = isFast && raw.scan(into, accounts);
        this.counts[isScanned ? 'scanned' : 'decoded']++;
        return isScanned;
      },
      audited: () => raw.audited(),
    };
    this.#bytes.set(wrapped, bytes);
    return wrapped;
  }
}
