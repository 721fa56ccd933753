import type { Db } from 'mongodb';
import type { TrialBalanceRow } from '../payments/types.ts';
import { ACCOUNTS, type AccountDocument } from './accounts.ts';
import { type LastBalance, lastBalances } from './balance-snapshots.ts';
import { Checkpoints } from './checkpoints.ts';
import { JOURNAL, journalBooks } from './journal.ts';
import { atOneMoment, type OneMoment } from './one-moment.ts';

const ACCOUNTS_AT_ONCE = 10_000;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * Sums over all accounts at one moment of the whole database: of the balances kept with the accounts, corrected by the
 * postings that they do not have yet. So it costs a look at each account and at the last few seconds of the journal,
 * however long that is.
 */
export async function trialBalance(db: Db): Promise<TrialBalanceRow[]> {
  return atOneMoment(db, async (moment) => {
    const sums = await snapshotSums(db, moment);
    const books = await journalBooks(db, moment);
    const taken = await new Checkpoints(db, 'balances').reliableHeights(books, moment);
    for (const book of books) await addLatePostings(db, moment, sums, { book, above: taken.get(book) ?? 0 });
    return [...sums.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1));
  });
}

async function snapshotSums(db: Db, moment: OneMoment): Promise<Map<string, TrialBalanceRow>> {
  const posted = { $ifNull: ['$balance.posted', 0n] };
  const rows = await db
    .collection(ACCOUNTS)
    .aggregate<{ _id: string; debit: bigint; credit: bigint; accounts: number }>(
      [
        {
          $group: {
            _id: '$currency',
            debit: { $sum: { $min: [posted, 0n] } },
            credit: { $sum: { $max: [posted, 0n] } },
            accounts: { $sum: 1 },
          },
        },
      ],
      { ...moment },
    )
    .toArray();
  return new Map(
    rows.map(({ _id, debit, credit, accounts }) => {
      const sums = { debit: BigInt(debit), credit: BigInt(credit) };
      return [_id, { currency: _id, ...sums, sum: sums.debit + sums.credit, accounts: Number(accounts) }];
    }),
  );
}

async function addLatePostings(
  db: Db,
  moment: OneMoment,
  sums: Map<string, TrialBalanceRow>,
  { book, above }: { book: number; above: number },
): Promise<void> {
  const stages = lastBalances(book, above, NO_LIMIT);
  const late = db.collection(JOURNAL).aggregate<LastBalance>(stages, { ...moment, allowDiskUse: true });
  let some: LastBalance[] = [];
  for await (const balance of late) {
    if (some.push(balance) < ACCOUNTS_AT_ONCE) continue;
    await correct(db, moment, sums, some);
    some = [];
  }
  await correct(db, moment, sums, some);
}

/** Puts the accounts' last balances in place of those that were kept with them. */
async function correct(
  db: Db,
  moment: OneMoment,
  sums: Map<string, TrialBalanceRow>,
  late: readonly LastBalance[],
): Promise<void> {
  const ids = late.map(({ _id }) => _id);
  const options = { ...moment, projection: { currency: 1, 'balance.posted': 1 } };
  const found = await db
    .collection<AccountDocument>(ACCOUNTS)
    .find({ _id: { $in: ids } }, options)
    .toArray();
  const kept = new Map(found.map((account) => [account._id, account]));
  for (const { _id, posted } of late) {
    const account = kept.get(_id);
    // A posting to an account that does not exist is for verification to report.
    const row = account && sums.get(account.currency);
    if (!row) continue;
    add(row, posted, 1n);
    add(row, account.balance?.posted ?? 0n, -1n);
  }
}

function add(row: TrialBalanceRow, posted: bigint, sign: 1n | -1n): void {
  if (posted < 0n) row.debit += sign * posted;
  else row.credit += sign * posted;
  row.sum += sign * posted;
}
