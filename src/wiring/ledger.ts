import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { DryRun } from '../ledger/dry-run.ts';
import { Engine } from '../ledger/engine.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { EngineObserver, LeadershipPort } from '../ledger/ports.ts';
import { MongoAccounts } from '../mongo/accounts.ts';
import { MongoAccountsStore } from '../mongo/accounts-store.ts';
import { MongoBalances } from '../mongo/balances.ts';
import { MongoClaims } from '../mongo/claims.ts';
import { withFaultsNamed } from '../mongo/faults.ts';
import { MongoJournal } from '../mongo/journal.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { MongoPaymentsView } from '../mongo/payments-view.ts';
import { PaymentsService } from '../payments/service.ts';

const MIB = 1 << 20;

/** The ledger over a database; not started. */
export function createEngine(
  config: Config,
  db: Db,
  log: Logger,
  deps: { leadership?: LeadershipPort; observers?: readonly EngineObserver[] } = {},
): Engine {
  return new Engine({
    ...deps,
    journal: new MongoJournalQueries(db),
    claims: new MongoClaims(db),
    accounts: new MongoAccounts(db),
    log,
    limits: {
      accountsInMemoryMax: config.ACCOUNTS_IN_MEMORY,
      inFlightCommandsMax: config.QUEUE_COMMANDS_MAX,
      inFlightBytesMax: config.QUEUE_MIB_MAX * MIB,
      recoverAfterMs: config.RECOVERY_AFTER_SECONDS * 1000,
    },
  });
}

/** What users do, over a ledger. */
export function createPayments(config: Config, db: Db, ledger: Ledger): PaymentsService {
  return new PaymentsService({
    ledger,
    dryRun: new DryRun({
      journal: withFaultsNamed(new MongoJournal(db)),
      claims: withFaultsNamed(new MongoClaims(db)),
      accounts: withFaultsNamed(new MongoAccounts(db)),
    }),
    accounts: withFaultsNamed(new MongoAccountsStore(db), ['insert', 'update']),
    journal: withFaultsNamed(new MongoJournalQueries(db)),
    balances: withFaultsNamed(new MongoBalances(db)),
    view: withFaultsNamed(new MongoPaymentsView(db)),
    books: config.BOOKS,
  });
}
