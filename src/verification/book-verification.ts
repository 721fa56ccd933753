import type { StoredBlock } from '../ledger/types.ts';
import type { BreakList } from './breaks.ts';
import type { EntriesAgainstClaims } from './claim-checks.ts';
import type { AuditedBlock, RawBlock, UnreadableBlock, VerifiedTip } from './ports.ts';
import type { ReadModelCheck } from './read-model-check.ts';
import type { BookReplay } from './replay.ts';

/** Blocks that are prepared together: so many at the most, and bytes. */
const BATCH_BLOCKS = 1_000;
const BATCH_BYTES = 4 << 20;

type Decoded = AuditedBlock | UnreadableBlock;

/** Is this still the block that was verified at that height? Reports it when not, and answers it when it is. */
export function checkAnchor(
  { book, height, hash }: VerifiedTip,
  found: Decoded | null,
  breaks: BreakList,
): StoredBlock | null {
  const at = { book, height };
  if (found === null) {
    const message = `block ${height} is missing, up to which the book was verified`;
    breaks.add({ ...at, kind: 'height_gap', expected: `block ${height}`, actual: 'nothing', message });
    return null;
  }
  if ('unreadable' in found) {
    const message = `the block cannot be read: ${found.unreadable}`;
    breaks.add({ ...at, kind: 'unreadable_block', message });
    return null;
  }
  const [stored, recomputed] = [hexOf(found.block.hash), hexOf(found.recomputedHash)];
  if (stored !== recomputed) {
    const message = 'the block was changed after it was written: its hash is not that of its bytes';
    breaks.add({ ...at, kind: 'hash_mismatch', expected: recomputed, actual: stored, message });
  }
  if (stored !== hash) reportReplaced({ book, height, hash }, stored, breaks);
  return stored === hash && recomputed === hash ? found.block : null;
}

/** The same of a block that was just replayed, when it is the one at that height. */
export function checkReplaced(known: VerifiedTip, { height, hash }: BookReplay, breaks: BreakList): void {
  if (height !== known.height || hash === null) return;
  const stored = hexOf(hash);
  if (stored !== known.hash) reportReplaced(known, stored, breaks);
}

function reportReplaced(
  { book, height, hash }: Pick<VerifiedTip, 'book' | 'height' | 'hash'>,
  actual: string,
  breaks: BreakList,
): void {
  const message = 'the block is another one than when the book was verified up to it';
  breaks.add({ kind: 'replaced_block', book, height, expected: hash, actual, message });
}

/** The journal of a book ends below the height up to which it was verified. */
export function reportCut({ book, height }: VerifiedTip, tip: number, breaks: BreakList): void {
  const message = `the book was verified up to block ${height}, and ends at ${tip}`;
  const at = { kind: 'height_gap', book, height: tip + 1 } as const;
  breaks.add({ ...at, expected: `block ${tip + 1}`, actual: 'nothing', message });
}

/** Hands blocks on in batches. */
export async function* inBatches(blocks: AsyncIterable<RawBlock>): AsyncGenerator<RawBlock[]> {
  let batch: RawBlock[] = [];
  let bytes = 0;
  for await (const raw of blocks) {
    batch.push(raw);
    bytes += raw.size;
    if (batch.length < BATCH_BLOCKS && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Null: it cannot be read. */
export function heightOf(audited: Decoded): number | null {
  return 'unreadable' in audited ? audited.height : audited.block.height;
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

interface BookChecks {
  readonly replay: BookReplay;
  readonly readModel: ReadModelCheck;
  readonly claimed: EntriesAgainstClaims;
}

/** Takes the next block into all that is checked block by block. */
export async function takeBlock(raw: RawBlock, { replay, readModel, claimed }: BookChecks): Promise<void> {
  replay.take(raw);
  const audited = raw.audited();
  await readModel.take(audited);
  if ('unreadable' in audited) replay.cannotDecode(audited);
  else await claimed.take(raw, audited.block.entries.length, replay.before);
}
