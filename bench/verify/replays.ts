/** The replay of a journal in memory: by columns, and with every block decoded. */
import { StoredBytes } from '../../src/mongo/stored-bytes.ts';
import { BreakList } from '../../src/verification/breaks.ts';
import type { RawBlock } from '../../src/verification/ports.ts';
import { BookReplay } from '../../src/verification/replay.ts';
import { ReplayTable } from '../../src/verification/replay-table.ts';
import { SettlementTable } from '../../src/verification/settlement-table.ts';
import { SystemAccounts } from '../../src/verification/system-accounts.ts';
import type { MadeJournal } from './journal.ts';

/** A replay of book 0 that knows these accounts. */
export function replayOver(accounts: MadeJournal['accounts']): BookReplay {
  const table = new ReplayTable();
  for (const account of accounts) table.add(account);
  return new BookReplay({
    book: 0,
    table,
    breaks: new BreakList(10),
    system: new SystemAccounts(),
    settlements: new SettlementTable(),
    snapshotsUpTo: 0,
  });
}

/** Entries per second. Throws when the journal is not found to be sound. */
export function rateOf({ accounts, blocks, entries }: MadeJournal, isDecoded: boolean): number {
  const replay = replayOver(accounts);
  const began = performance.now();
  for (const bytes of blocks) replay.take(isDecoded ? decodedOnly(new StoredBytes(bytes)) : new StoredBytes(bytes));
  const seconds = (performance.now() - began) / 1_000;
  if (replay.breaks.count > 0 || replay.entries !== entries) throw new Error('the journal is not sound');
  return entries / seconds;
}

/** As blocks were looked at before there were columns. */
function decodedOnly(raw: RawBlock): RawBlock {
  return { size: raw.size, scan: () => false, audited: () => raw.audited() };
}
