/** Commands over the database: the books proved, finished, read anew. */
import type { Command } from 'commander';
import { actor } from '../actor.ts';
import { readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { MongoAudit } from '../mongo/audit.ts';
import { auditMigration, MongoAuditLog } from '../mongo/audit-log.ts';
import { MongoBalanceSnapshots } from '../mongo/balance-snapshots.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { migrateUp, migrationStatus } from '../mongo/migrate.ts';
import { MongoPaymentsView } from '../mongo/payments-view.ts';
import { MongoVerifications } from '../mongo/verifications.ts';
import { type Follower, type Rebuildable, rebuild } from '../payments/follower.ts';
import { table, toJson } from '../resources/text.ts';
import { renderVerification } from '../verification/report.ts';
import { type VerifyProgress, verify, verifyIncrement } from '../verification/verify.ts';
import { createBalancesFollower, createPaymentsFollower } from '../wiring/followers.ts';
import { createEngine } from '../wiring/ledger.ts';
import { connectStorage } from '../wiring/storage.ts';
import { keepHeapSmall } from './heap.ts';
import { EXIT, endProgress, type Output, print, progress, wholeNumber } from './output.ts';
import { withStorage } from './with-storage.ts';

export function addLedger(program: Command): void {
  program
    .command('verify')
    .description('prove all invariants of the ledger; exit 1 when one is broken')
    .option('--incremental', 'over what was added since they were proved last')
    .option('--json', 'answer as JSON')
    .action(runVerify);
  program
    .command('recover')
    .description('finish claims that a process left behind')
    .option('--older-than-seconds <seconds>', 'leave younger claims to their owners', wholeNumber, 10)
    .option('--json', 'answer as JSON')
    .action(runRecover);
  program
    .command('rebuild')
    .description(
      'forget the list of payments and the balances kept with accounts, and build both again from the journal; services may run meanwhile',
    )
    .requiredOption('--yes', 'the list of payments is incomplete until it is done')
    .option('--json', 'answer as JSON')
    .action(runRebuild);
  const migrate = program.command('migrate').description('the schema of the database');
  for (const what of ['up', 'status'] as const) {
    migrate
      .command(what)
      .option('--json', 'answer as JSON')
      .action((options: Output) => runMigrate(what, options));
  }
  program
    .command('audit')
    .description('what operators did')
    .command('list')
    .description('the latest entries of the audit log, oldest first')
    .option('--limit <count>', 'entries', wholeNumber, 1_000)
    .option('--json', 'answer as JSON')
    .action(runAuditList);
}

async function runVerify({ incremental, ...options }: Output & { incremental?: boolean }): Promise<void> {
  keepHeapSmall();
  await withStorage(async ({ db }) => {
    const memory = new MongoVerifications(db);
    const audit = new MongoAudit(db);
    const isIncremental = incremental === true && (await memory.load()) !== null;
    if (incremental && !isIncremental) {
      process.stderr.write('No verification is remembered that found nothing broken: everything is verified.\n');
    }
    const mode = isIncremental ? 'incremental' : 'full';
    const show = progress();
    const onProgress = ({ phase, book, ...at }: VerifyProgress) => {
      show({ ...at, phase: `${mode}, ${phase}${book === null ? '' : ` of book ${book}, height`}` });
    };
    const report = isIncremental
      ? await verifyIncrement(audit, memory, { onProgress })
      : await verify(audit, { onProgress, memory });
    endProgress();
    print(report, options, () => renderVerification(report));
    process.exitCode = report.ok ? EXIT.ok : EXIT.broken;
  });
}

async function runRebuild(options: Output): Promise<void> {
  await withStorage(async ({ db }, config, log) => {
    const books = await new MongoJournalQueries(db).books();
    const show = progress();
    const anew = (phase: string, follower: Follower<Rebuildable>) =>
      rebuild(follower, books, (done) => show({ phase, done, of: null }));
    await anew('payments', createPaymentsFollower(config.BOOKS, db, log));
    await anew('balances', createBalancesFollower(config.BOOKS, db, log));
    const built = {
      payments: await new MongoPaymentsView(db).count(),
      balances: await new MongoBalanceSnapshots(db).count(),
    };
    endProgress();
    const done = { actor: actor(), action: 'read_models_rebuilt', target: 'read models', details: built } as const;
    await new MongoAuditLog(db).record(done);
    print(built, options, () => `built from the journal: ${built.payments} payments, ${built.balances} balances\n`);
  });
}

async function runRecover(options: Output & { olderThanSeconds: number }): Promise<void> {
  await withStorage(async ({ db }, config, log) => {
    const engine = createEngine(config, db, log);
    try {
      const report = await engine.recover(options.olderThanSeconds * 1000);
      const done = { actor: actor(), action: 'claims_recovered', target: 'pending claims' } as const;
      await new MongoAuditLog(db).record({ ...done, details: { ...report } });
      const rows = Object.entries(report).map(([what, count]) => [what, String(count)]);
      print(report, options, () => table(['what', 'count'], rows, 'll'));
      process.exitCode = report.failed === 0 ? EXIT.ok : EXIT.broken;
    } finally {
      await engine.stop();
    }
  });
}

async function runMigrate(what: 'up' | 'status', options: Output): Promise<void> {
  const config = readConfig();
  const storage = await connectStorage(config, createLog('warn'), { share: true });
  try {
    if (what === 'up') await auditMigration(storage.db, actor(), await migrateUp(storage.db));
    const status = await migrationStatus(storage.db);
    const rows = status.map(({ name, appliedAt }) => [name, appliedAt?.toISOString() ?? 'not applied']);
    print(status, options, () => table(['migration', 'applied'], rows, 'll'));
  } finally {
    await storage.close();
  }
}

async function runAuditList({ limit, ...output }: Output & { limit: number }): Promise<void> {
  await withStorage(async ({ db }) => {
    const entries = await new MongoAuditLog(db).list(limit);
    const rows = entries.map(({ at, actor, action, target, details }) => [
      ...[at.toISOString(), actor, action, target],
      JSON.stringify(toJson(details)),
    ]);
    print(entries, output, () => table(['at', 'actor', 'action', 'target', 'details'], rows, 'lllll'));
  });
}
