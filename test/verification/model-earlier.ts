/** What an increment asks of the model: answered by looking at all of it, in the plainest way. */
import type { AccountState, AccountTip, Entry, StoredBlock } from '../../src/ledger/types.ts';
import type { EarlierPort, VerificationsPort, Verified } from '../../src/verification/ports.ts';
import type { Model } from './model.ts';

export function earlierOf(model: Model): EarlierPort {
  const entriesUpTo = (book: number, height: number): (readonly [Entry, StoredBlock])[] =>
    (model.blocks(book) as StoredBlock[])
      .filter((block) => block.height <= height)
      .flatMap((block) => block.entries.map((entry) => [entry, block] as const));
  const tipOf = (id: string, height: number): AccountTip | null => {
    const { book } = model.accounts.find((account) => account.id === id)!;
    let tip: AccountTip | null = null;
    let state: AccountState | undefined;
    for (const [{ postings, changed }, block] of entriesUpTo(book, height)) {
      const posting = postings.findLast(({ account }) => account === id);
      if (posting) tip = { posted: posting.posted, held: posting.held, height: block.height, at: block.at };
      if (changed?.account === id) state = changed;
    }
    if (!tip && !state) return null;
    return { ...(tip ?? { posted: 0n, held: 0n, height: 0, at: 0 }), ...(state ? { state } : {}) };
  };
  return {
    accountsOf: async (ids) => model.accounts.filter(({ id }) => ids.includes(id)),
    accountsAt: async (accounts, height) =>
      new Map(
        accounts.flatMap(({ id }) => {
          const tip = tipOf(id, height);
          return tip ? [[id, tip] as const] : [];
        }),
      ),
    settlementsAt: async (ids, heights) =>
      ids.flatMap((id) => {
        const all = [...heights].flatMap(([book, height]) =>
          entriesUpTo(book, height).flatMap(([{ settlement }]) =>
            settlement?.id === id ? [{ book, settlement }] : [],
          ),
        );
        return all.slice(-1);
      }),
    paymentRowsOf: async (ids) => model.rows.filter(({ transactionId }) => ids.includes(transactionId)),
    claimsOf: async (ids) => model.claims.filter(({ id }) => ids.includes(id)),
    keysOf: async (ids) =>
      new Map(
        [...model.books.values()]
          .flat()
          .flatMap(({ entries }) => entries.flatMap(({ id, key }) => (ids.includes(id) ? [[id, key] as const] : []))),
      ),
  };
}

/** Remembers in memory. */
export class MemoryVerifications implements VerificationsPort {
  latest: Verified | null = null;
  async load(): Promise<Verified | null> {
    return this.latest;
  }
  async save(verified: Verified): Promise<void> {
    this.latest = structuredClone(verified);
  }
}
