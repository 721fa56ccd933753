import { BSON } from 'mongodb';
import type { AccountNumbers, BlockColumns } from '../verification/block-columns.ts';
import type { AuditedBlock, RawBlock, UnreadableBlock } from '../verification/ports.ts';
import { type BlockDocument, decodeBlock, hashOfBytes, indexFault } from './block-codec.ts';
import { BlockScanner } from './block-scanner.ts';
import { assertBlock } from './block-types.ts';

const NO_HASH = new Uint8Array(0);
/** Behind `_id: {book, height`. All of these have fixed lengths. */
const HEIGHT_AT = 4 + 5 + 4 + 6 + 4 + 8;

/** What is read at a time is read by one: it keeps nothing from block to block. */
const scanner = new BlockScanner();

/** A block as its bytes; they are not to be changed by anybody else. */
export class StoredBytes implements RawBlock {
  #audited: AuditedBlock | UnreadableBlock | undefined;

  constructor(readonly bytes: Buffer) {}

  get size(): number {
    return this.bytes.length;
  }

  scan(into: BlockColumns, accounts: AccountNumbers): boolean {
    return scanner.scan(this.bytes, into, accounts);
  }

  audited(): AuditedBlock | UnreadableBlock {
    this.#audited ??= auditedBlock(this.bytes);
    return this.#audited;
  }
}

function auditedBlock(bytes: Buffer): AuditedBlock | UnreadableBlock {
  try {
    const document = BSON.deserialize(bytes, { useBigInt64: true }) as BlockDocument;
    const block = decodeBlock(document);
    assertBlock(block);
    return { block, recomputedHash: hashOfBytes(bytes) ?? NO_HASH, indexFault: indexFault(document, block) };
  } catch (error) {
    const unreadable = error instanceof Error ? error.message : String(error);
    return { height: heightIn(bytes), unreadable };
  }
}

/** The height that stands where it stands in every block; null: there is none. */
function heightIn(bytes: Buffer): number | null {
  if (bytes.length < HEIGHT_AT + 8) return null;
  const height = Number(bytes.readBigInt64LE(HEIGHT_AT));
  return Number.isSafeInteger(height) && height > 0 ? height : null;
}
