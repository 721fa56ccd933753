import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import { MongoBalanceSnapshots } from '../mongo/balance-snapshots.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { MongoPaymentsView } from '../mongo/payments-view.ts';
import { Follower, firstBooks, type IsOurs, type Rebuildable } from '../payments/follower.ts';
import { PaymentsProjection } from '../payments/payments-projection.ts';

const PAYMENTS_POLL_MS = 200;
const PAYMENTS_REST = 3;
/** Of all postings to an account meanwhile only the last one is written. */
const BALANCES_POLL_MS = 5_000;
const BALANCES_REST = 3;
export const FOLLOWS_ALL: IsOurs = () => true;

/** Brings the read model of payments up to the journal; not started. */
export function createPaymentsFollower(
  books: number,
  db: Db,
  log: Logger,
  isOurs: IsOurs = FOLLOWS_ALL,
): Follower<Rebuildable> {
  const projection = new PaymentsProjection(new MongoJournalQueries(db), new MongoPaymentsView(db));
  return new Follower({
    name: 'the list of payments',
    projection,
    books: firstBooks(books),
    log,
    pollMs: PAYMENTS_POLL_MS,
    rest: PAYMENTS_REST,
    isOurs,
  });
}

/** Brings the balances that are kept with the accounts up to the journal; not started. */
export function createBalancesFollower(
  books: number,
  db: Db,
  log: Logger,
  isOurs: IsOurs = FOLLOWS_ALL,
): Follower<Rebuildable> {
  const projection = new MongoBalanceSnapshots(db);
  const [pollMs, rest] = [BALANCES_POLL_MS, BALANCES_REST];
  const name = 'the balances kept with accounts';
  return new Follower({ name, projection, books: firstBooks(books), log, pollMs, rest, isOurs });
}
