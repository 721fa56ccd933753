import type { Db, Document } from 'mongodb';
import type { JournalEntry } from './check-queue.ts';

interface BlockFields extends Document {
  readonly _id: { readonly book: number; readonly height: bigint };
  readonly entries: readonly EntryFields[];
}

interface EntryFields extends Omit<JournalEntry, 'book' | 'part'> {
  readonly span?: { readonly part: string };
}

/** Every entry as it is stored, in the order of each book, read with none of the service's code. */
export async function journalOf(db: Db): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const block of db.collection<BlockFields>('journal').find().sort({ _id: 1 })) {
    for (const { id, key, kind, span, postings } of block.entries) {
      entries.push({ book: block._id.book, id, key, kind, part: span?.part ?? null, postings });
    }
  }
  return entries;
}
