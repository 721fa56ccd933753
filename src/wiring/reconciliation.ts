import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import { type Config, ConfigError, environmentOf } from '../config.ts';
import type { Notice } from '../events/types.ts';
import { MongoAudit } from '../mongo/audit.ts';
import { MongoBreaks } from '../mongo/breaks-store.ts';
import { withFaultsNamed } from '../mongo/faults.ts';
import { MongoJournalQueries } from '../mongo/journal-queries.ts';
import { MongoLease } from '../mongo/leases.ts';
import { MongoNotices } from '../mongo/notices.ts';
import { MongoReconciliations } from '../mongo/reconciliations-store.ts';
import { MongoStatementFiles } from '../mongo/statement-files.ts';
import { MongoVerifications } from '../mongo/verifications.ts';
import type { Payments } from '../payments/types.ts';
import { Breaks } from '../reconciliation/breaks.ts';
import { JournalItems } from '../reconciliation/journal-items.ts';
import type { NoticeOf, NoticeSink } from '../reconciliation/ports.ts';
import { presentBreak, presentReconciliation } from '../reconciliation/present.ts';
import { Reconciliations } from '../reconciliation/reconciliations.ts';
import { Schedule } from '../reconciliation/schedule.ts';
import { Sources } from '../reconciliation/source.ts';
import { type VerifyOptions, type VerifyReport, verify, verifyIncrement } from '../verification/verify.ts';

/** Whose keys those of adjusting transactions are; no API key is of a client of this name. */
export const ADJUSTING_CLIENT = 'reconciliation';
/** All of the ledger is verified so often. */
const FULL_EVERY_MS = 7 * 86_400_000;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface ReconciliationDeps {
  /** Where adjusting transactions are posted. */
  readonly payments: Pick<Payments, 'createTransaction'>;
  /** Is comparing left to processes of their own? */
  readonly isElsewhere: boolean;
}

export interface ReconciliationParts {
  readonly reconciliations: Reconciliations;
  readonly breaks: Breaks;
  /** Null: nothing is reconciled by the clock. */
  readonly schedule: Schedule | null;
}

/** Not started. */
export function createReconciliation(
  config: Config,
  db: Db,
  log: Logger,
  { payments, isElsewhere }: ReconciliationDeps,
): ReconciliationParts {
  const sources = readSources(config);
  const breaks = withFaultsNamed(new MongoBreaks(db), ['insert', 'change', 'revise', 'resolve', 'comment']);
  const notices = noticeSink(withFaultsNamed(new MongoNotices(db), ['append']));
  const reconciliations = new Reconciliations({
    store: withFaultsNamed(new MongoReconciliations(db), ['insert', 'update', 'decideAsOf', 'remove', 'saveMatches']),
    breaks,
    files: new MongoStatementFiles(db),
    items: new JournalItems(new MongoJournalQueries(db), (key) => key.startsWith(`${ADJUSTING_CLIENT}/`)),
    notices,
    verify: (options, isFull) => verifyWhatIsDue(db, options, isFull),
    sources,
    lease: (source) => new MongoLease(db, `reconciliation:${source}`),
    clock: Date,
    log,
    ...(isElsewhere ? { elsewhere: (id, signal) => runElsewhere(config, id, signal) } : {}),
  });
  const { RECONCILIATION_SCHEDULE: expression, RECONCILIATION_INBOX: inbox = null } = config;
  const lease = new MongoLease(db, 'reconciliation-schedule');
  return {
    reconciliations,
    breaks: new Breaks({
      store: breaks,
      adjustments: {
        post: async (key, transaction) =>
          (await payments.createTransaction(transaction, { client: ADJUSTING_CLIENT, key })).value,
      },
      notices,
      clock: Date,
    }),
    schedule:
      expression === undefined ? null : new Schedule({ reconciliations, sources, lease, log, expression, inbox }),
  };
}

/** What was added since the last time is enough, as long as all of it was verified some days ago. */
async function verifyWhatIsDue(db: Db, options: VerifyOptions, isFull: boolean): Promise<VerifyReport> {
  const [audit, memory] = [new MongoAudit(db), new MongoVerifications(db)];
  const known = isFull ? null : await memory.load();
  if (known === null || Date.now() - known.fullAt > FULL_EVERY_MS) return await verify(audit, { ...options, memory });
  return await verifyIncrement(audit, memory, options);
}

function readSources({ RECONCILIATION_CONFIG: path }: Config): Sources {
  if (path === undefined) return new Sources();
  try {
    return Sources.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`RECONCILIATION_CONFIG ${path} cannot be used: ${(error as Error).message}`);
  }
}

function noticeSink(log: Pick<MongoNotices, 'append'>): NoticeSink {
  return { append: (batch, notices) => log.append(batch, notices.map(noticeOf)) };
}

function noticeOf(notice: NoticeOf): Notice {
  return notice.type === 'reconciliation.completed'
    ? { type: notice.type, object: presentReconciliation(notice.reconciliation, { isBrief: true }) }
    : { type: notice.type, object: presentBreak(notice.break, { isBrief: true }) };
}

/**
 * Comparing a large statement takes a processor for seconds, in which a service would answer nobody; so it is done by
 * `kvitt reconcile --resume`. It ends when its standard input does, and so with this process.
 */
async function runElsewhere(config: Config, id: string, signal: AbortSignal): Promise<void> {
  const isSource = import.meta.url.endsWith('.ts');
  const script = fileURLToPath(new URL(isSource ? '../cli.ts' : '../cli.js', import.meta.url));
  const child = spawn(
    process.execPath,
    [...(isSource ? ['--import', 'tsx'] : []), script, 'reconcile', '--resume', id],
    {
      // Where tsx is found.
      cwd: ROOT,
      env: environmentOf(absolute(config)),
      stdio: ['pipe', 'ignore', 'inherit'],
    },
  );
  const end = () => child.stdin.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    await new Promise<void>((done, failed) => child.once('error', failed).once('exit', () => done()));
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** Paths mean the same from another folder. */
function absolute(config: Config): Config {
  const { DATA_DIR, RECONCILIATION_CONFIG: sources } = config;
  return {
    ...config,
    DATA_DIR: resolve(DATA_DIR),
    ...(sources === undefined ? {} : { RECONCILIATION_CONFIG: resolve(sources) }),
  };
}
