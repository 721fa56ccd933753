import { partsById } from '../ledger/assemble.ts';
import type { Placed } from '../ledger/types.ts';
import type { JournalQueries } from './ports.ts';

/** Looked up in one query. */
const IDS_AT_ONCE = 1_000;

/** The entries of commands in all books, by the id of their command; each command is looked up once. */
export async function lookUpEntries(
  ids: readonly string[],
  journal: Pick<JournalQueries, 'findEntries'>,
): Promise<Map<string, Placed[]>> {
  const wanted = [...new Set(ids)];
  const found: Placed[] = [];
  for (let i = 0; i < wanted.length; i += IDS_AT_ONCE) {
    found.push(...(await journal.findEntries(wanted.slice(i, i + IDS_AT_ONCE))));
  }
  return partsById(found);
}
