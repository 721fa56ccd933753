/** The ledger of the model as bytes: its blocks are encoded and hashed as those in the database are. */
import type { StoredBlock } from '../../src/ledger/types.ts';
import { encodeBlock } from '../../src/mongo/block-codec.ts';
import { StoredBytes } from '../../src/mongo/stored-bytes.ts';
import type { AuditPort, RawBlock } from '../../src/verification/ports.ts';
import { hashOf, type Model } from './model.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

export class StoredModel {
  /** By the hash that a block has in the model: the one of its bytes. */
  readonly #hashes = new Map<string, Uint8Array>();
  /** Blocks that were read by their columns, and decoded. */
  readonly counts = { scanned: 0, decoded: 0 };

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
      async *blocks(book, fromHeight, toHeight) {
        const heights = store.model.blocks(book).map(({ height }) => height);
        for (const [i, bytes] of tamper(store.bytesOf(book), book).entries()) {
          if (heights[i]! < fromHeight || heights[i]! > toHeight) continue;
          yield store.#raw(bytes, isFast);
        }
      },
    };
  }

  #raw(bytes: Buffer, isFast: boolean): RawBlock {
    const raw = new StoredBytes(bytes);
    return {
      size: raw.size,
      scan: (into, accounts) => {
        const isScanned = isFast && raw.scan(into, accounts);
        this.counts[isScanned ? 'scanned' : 'decoded']++;
        return isScanned;
      },
      audited: () => raw.audited(),
    };
  }
}
