import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { MongoAudit } from '../mongo/audit.ts';
import type { ReconcileDeps } from '../reconciliation/reconcile.ts';
import { createPaymentsFollower } from './followers.ts';

/** What reconciliation reads. The read model is brought up to the journal before payments are taken from it. */
export function createReconcileDeps(config: Config, db: Db, log: Logger): ReconcileDeps {
  const audit = new MongoAudit(db);
  const follower = createPaymentsFollower(config.BOOKS, db, log);
  async function* postedPayments(from: Date, to: Date) {
    for (const { book } of await audit.tips()) await follower.catchUp(book);
    yield* audit.postedPayments(from, to);
  }
  return { audit, payments: { postedPayments } };
}
