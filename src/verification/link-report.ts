import type { BreakFound } from './breaks.ts';
import type { AuditedBlock } from './ports.ts';

/** What a block has to go on from. */
interface Below {
  /** Stored hash of the block below; null: it is not known. */
  readonly hash: Uint8Array | null;
  readonly recomputedHash: Uint8Array | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly term: number;
  /** Postings in all blocks below; null: that is not known. */
  readonly postingsBelow: number | null;
}

/** Reports how a block is not as it was written, does not follow from the one below, or is not where the index looks. */
export function reportLinks(audited: AuditedBlock, below: Below, report: (found: BreakFound) => void): void {
  const { block, recomputedHash } = audited;
  const { height, hash, prev, at, term, kind, entries } = block;
  if (!sameBytes(hash, recomputedHash)) {
    const message = 'the block was changed after it was written: its hash is not that of its bytes';
    report({ kind: 'hash_mismatch', expected: hex(recomputedHash), actual: hex(hash), message });
  }
  // Either hash of the block below will do: that they differ was reported there.
  if (below.hash !== null && !sameBytes(prev, below.hash) && !sameBytes(prev, below.recomputedHash)) {
    const message = `the block does not follow from block ${height - 1}: it names another hash`;
    report({ kind: 'broken_chain', expected: hex(below.hash), actual: hex(prev), message });
  }
  if (at < below.at) {
    const message = `the block is ${below.at - at} ms older than the block below it`;
    report({ kind: 'time_backwards', expected: `at least ${below.at}`, actual: String(at), message });
  }
  if (term < below.term) {
    const message = `term ${term} comes after term ${below.term}`;
    report({ kind: 'term_backwards', expected: `at least ${below.term}`, actual: String(term), message });
  }
  if (kind !== 'entries' && entries.length > 0) {
    const message = `a ${kind} block must be empty, and this one holds ${entries.length} entries`;
    report({ kind: 'malformed_block', expected: '0', actual: String(entries.length), message });
  }
  reportPlace(audited, below, report);
}

function reportPlace(
  { block: { postingsBelow }, indexFault }: AuditedBlock,
  below: Below,
  report: (found: BreakFound) => void,
): void {
  if (below.postingsBelow !== null && postingsBelow !== below.postingsBelow) {
    const [expected, actual] = [String(below.postingsBelow), String(postingsBelow)];
    const message = `the block says that there are ${actual} postings below it, and there are ${expected}`;
    report({ kind: 'malformed_block', expected, actual, message });
  }
  if (indexFault !== null) {
    report({ kind: 'malformed_block', message: `the block cannot be found: ${indexFault}` });
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array | null): boolean {
  return b !== null && Buffer.compare(a, b) === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
