import type { StoredBlock } from '../../src/ledger/types.ts';
import type { AuditPort } from '../../src/verification/ports.ts';
import type { MemoryStore } from './memory-store.ts';

/** A store in memory as verification reads it; nothing is written behind its journal. */
export function auditOf(store: MemoryStore): AuditPort {
  const journal = store.journal();
  const books = () => [...new Set([...store.blocks.values()].map(({ book }) => book))].sort((a, b) => a - b);
  const recomputed = ({ hash: _, ...block }: StoredBlock) => journal.encode(block).hash;
  return {
    checkpoints: async () => new Map(),
    tips: async () => books().map((book) => ({ book, height: store.ofBook(book).at(-1)!.height })),
    async *accounts() {
      yield* store.accounts.values();
    },
    async *blocks(book, fromHeight, toHeight) {
      for (const block of store.ofBook(book)) {
        if (block.height < fromHeight || block.height > toHeight) continue;
        yield {
          size: 1,
          scan: () => false,
          audited: () => ({ block, recomputedHash: recomputed(block), indexFault: null }),
        };
      }
    },
    async *paymentRows() {},
    async *claims() {
      yield* store.claims.values();
    },
    // Not through its port, whose answers take time in a world that may be over.
    asClaimed: async (blocks) => ({ same: blocks.map(() => new Set()), claims: [] }),
    findByKeys: async (keys) => {
      const wanted = new Set(keys);
      return [...store.claims.values()].flatMap(({ id: claimId, at, state, owner, commands }) =>
        commands.filter(({ key }) => wanted.has(key)).map((command) => ({ claimId, at, state, owner, command })),
      );
    },
    places: async (ids) => {
      const wanted = new Set(ids);
      return store
        .placed()
        .filter(({ entry }) => wanted.has(entry.id))
        .map(({ entry: { id, span, kind }, book, height }) => {
          return { id, book, height, part: span?.part ?? null, rejected: kind === 'rejected' };
        });
    },
  };
}
