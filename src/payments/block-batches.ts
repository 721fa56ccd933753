import type { StoredBlock } from '../ledger/types.ts';

/** Read together: few entries cost hardly more than a round trip, many must not fill the memory. */
const BLOCKS_AT_ONCE = 20;
const ENTRIES_AT_ONCE = 2_000;

interface Reader<Block> {
  read(stream: number, fromHeight: number, limit: number): Promise<Block[]>;
}

/** Reads books, or what else is made of blocks, from block to block, as many at once as held so many entries the last time. */
export class BlockBatches<Block extends { readonly entries: readonly unknown[] } = StoredBlock> {
  #blocksAtOnce = 1;

  constructor(
    readonly reader: Reader<Block>,
    readonly entriesAtOnce = ENTRIES_AT_ONCE,
  ) {}

  /** The blocks above a height, some of them. `isAtTip`: there were no more. */
  async after(stream: number, height: number): Promise<{ blocks: Block[]; isAtTip: boolean }> {
    const limit = this.#blocksAtOnce;
    const blocks = await this.reader.read(stream, height + 1, limit);
    if (blocks.length > 0) {
      const perBlock = blocks.reduce((sum, { entries }) => sum + entries.length, 0) / blocks.length;
      this.#blocksAtOnce = Math.max(1, Math.min(BLOCKS_AT_ONCE, Math.floor(this.entriesAtOnce / (perBlock + 1))));
    }
    return { blocks, isAtTip: blocks.length < limit };
  }
}
