#!/usr/bin/env node
/** The command `kvitt`. Answers go to standard output, everything else to standard error. */
import { setFlagsFromString } from 'node:v8';
import closeWithGrace from 'close-with-grace';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { z } from 'zod';
import { actor } from './actor.ts';
import type { CloudnameOptions } from './cloudname/cloudname.ts';
import { cloudnameCommand } from './cloudname/tool.ts';
import {
  type Config,
  ConfigError,
  printableConfig,
  readConfig,
  readNodeeConfig,
  readZooKeeperConfig,
} from './config.ts';
import { startLocalTarget } from './demo/local-target.ts';
import { examine } from './doctor/doctor.ts';
import { generateApiKey, hashApiKey } from './http/auth.ts';
import { SCOPES } from './http/ports.ts';
import { createTransactionBody } from './http/schemas/requests.ts';
import { ladderCommand } from './ladder/tool.ts';
import { renderLadderText } from './loadtest/report-text.ts';
import { loadTestCommand } from './loadtest/tool.ts';
import { print as printResult, writeLadder } from './loadtest/tool-results.ts';
import { createLog } from './log.ts';
import { type Parts, startService } from './main.ts';
import { MongoApiKeys } from './mongo/api-keys.ts';
import { MongoAudit } from './mongo/audit.ts';
import { auditKeyCreated, auditKeyRevoked, auditMigration, MongoAuditLog } from './mongo/audit-log.ts';
import { MongoBalanceSnapshots } from './mongo/balance-snapshots.ts';
import { MongoJournalQueries } from './mongo/journal-queries.ts';
import { migrateUp, migrationStatus } from './mongo/migrate.ts';
import { MongoPaymentsView } from './mongo/payments-view.ts';
import { MongoVerifications } from './mongo/verifications.ts';
import { nodeeCommand } from './nodee/tool.ts';
import { type Follower, type Rebuildable, rebuild } from './payments/follower.ts';
import type { Payments } from './payments/types.ts';
import { type Deed, deadLettersCommand } from './queue/tool.ts';
import {
  breaksCommand,
  type ToolParts as ReconcilingParts,
  reconcileCommand,
  reconciliationsCommand,
} from './reconciliation/tool.ts';
import { clean, renderJson, table, toJson } from './resources/text.ts';
import { renderVerification } from './verification/report.ts';
import { type VerifyProgress, verify, verifyIncrement } from './verification/verify.ts';
import { VERSION } from './version.ts';
import { Closers } from './wiring/closers.ts';
import { zooKeeperOptions } from './wiring/cluster.ts';
import { createBalancesFollower, createPaymentsFollower } from './wiring/followers.ts';
import { ladderParts } from './wiring/ladder.ts';
import { createEngine, createPayments } from './wiring/ledger.ts';
import { nodeeToolParts, startAgent } from './wiring/nodee.ts';
import { withDeadLetters } from './wiring/queue.ts';
import { ADJUSTING_CLIENT, createReconciliation } from './wiring/reconciliation.ts';
import { connectStorage, openStorage, type Storage } from './wiring/storage.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** 0: all is well. 1: something is broken or differs. 2: it could not run. */
const EXIT = { ok: 0, broken: 1, unusable: 2 } as const;
const PROGRESS_MS = 200;
const HEAP_GROWING_PERCENT = 30;
/** For what an agent has under way; its processes run on. */
const AGENT_GRACE_MS = 15_000;

interface Output {
  readonly json?: boolean;
}

function print(value: unknown, { json }: Output, text: () => string): void {
  process.stdout.write(json ? renderJson(value) : text());
}

/** Runs something over the database of the settings, and closes it again. */
async function withStorage<T>(run: (storage: Storage, config: Config, log: Logger) => Promise<T>): Promise<T> {
  const config = readConfig();
  // A command's own answer is what counts; the log only says what is wrong.
  const log = createLog(config.LOG_LEVEL === 'info' ? 'warn' : config.LOG_LEVEL);
  const storage = await openStorage(config, log, { share: true });
  try {
    return await run(storage, config, log);
  } finally {
    await storage.close();
  }
}

/** One line on a terminal that is written over; nothing where there is no terminal. */
function progress(): (at: Pick<VerifyProgress, 'done' | 'of'> & { phase: string }) => void {
  let last = 0;
  return ({ phase, done, of }) => {
    if (!process.stderr.isTTY || Date.now() - last < PROGRESS_MS) return;
    last = Date.now();
    const total = of === null ? '' : ` of ${of.toLocaleString('en')}`;
    process.stderr.write(`\r\x1b[K${phase}: ${done.toLocaleString('en')}${total}`);
  };
}

function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

async function serve(parts: Parts): Promise<void> {
  // A heap of which little is in use grows to several times of that before it is collected, unless told otherwise.
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  const config = readConfig();
  const log = createLog(config.LOG_LEVEL);
  const service = await startService(config, log, parts);
  if (service.address !== null) log.info({ address: service.address, docs: `${service.address}/docs` }, 'serving');
  if (service.keyFile !== null)
    log.info({ file: service.keyFile }, 'no BOOTSTRAP_API_KEY is set; a key is in this file');
  if (parts.consumer && !parts.http && service.sqs === null) {
    await service.stop();
    throw new ConfigError('Set SQS_QUEUE_URL and SQS_DEAD_LETTER_QUEUE_URL: there is no queue to consume.');
  }
  // The consumer, HTTP and the engine end one after the other, each within the grace.
  const delay = config.SHUTDOWN_DELAY_MS + 3 * config.SHUTDOWN_GRACE_MS + config.SQS_WAIT_SECONDS * 1000;
  closeWithGrace({ delay, logger: log }, async ({ signal, err }) => {
    if (err) log.error({ err }, 'ending after an unexpected error');
    else log.info({ signal }, 'ending');
    await service.stop();
    // Node 20 spins for ever when it exits after its terminal was closed (it asserts that it can reset it).
    if (signal === 'SIGHUP') process.kill(process.pid, 'SIGKILL');
  });
}

async function runAgent(): Promise<void> {
  const config = readNodeeConfig();
  const log = createLog(config.LOG_LEVEL);
  const giveUp = new AbortController();
  const starting = startAgent(config, log, giveUp.signal);
  const closing = closeWithGrace({ delay: AGENT_GRACE_MS, logger: log }, async ({ signal, err }) => {
    if (err) log.error({ err }, 'ending after an unexpected error');
    else log.info({ signal }, 'ending; processes run on');
    giveUp.abort(new Error('it was ended before it had started'));
    await starting.then(
      (agent) => agent.stop(),
      () => undefined,
    );
    if (signal === 'SIGHUP') process.kill(process.pid, 'SIGKILL');
  });
  // What could not start has nothing to end, and ends as a command that could not run.
  const agent = await starting.catch((error: unknown) => {
    closing.uninstall();
    throw error;
  });
  log.info({ coordinate: String(agent.coordinate), address: agent.address }, 'the agent runs');
}

async function runVerify({ incremental, ...options }: Output & { incremental?: boolean }): Promise<void> {
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

const reconciling: ReconcilingParts = {
  withParts: (run) =>
    withStorage(async ({ db }, config, log) => {
      // The columns of a comparison stand beside the heap, which is to stay as small as it can.
      setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
      setFlagsFromString('--semi-space-growth-factor=1');
      const closers = new Closers();
      // Only whoever resolves a break with a transaction needs a ledger.
      const createTransaction: Payments['createTransaction'] = (request, caller) => {
        const engine = createEngine(config, db, log);
        closers.add(() => engine.stop());
        return createPayments(config, db, engine).createTransaction(request, caller);
      };
      const made = createReconciliation(config, db, log, { payments: { createTransaction }, isElsewhere: false });
      closers.add(() => made.reconciliations.close());
      const audit = new MongoAuditLog(db);
      try {
        await run(made, (deed) => audit.record({ actor: actor(), ...deed }));
      } finally {
        await closers.closeAll(log);
      }
    }),
  parseTransaction: (body) => {
    const parsed = createTransactionBody.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new ConfigError(`The transaction is wrong: ${z.prettifyError(parsed.error)}`);
  },
  ...{ actor, print, table, progress, endProgress },
};

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

async function withDeadLettersAudited(run: (record: (deed: Deed) => Promise<void>) => Promise<void>): Promise<void> {
  await withStorage(({ db }, { SQS_DEAD_LETTER_QUEUE_URL: url }) => {
    const log = new MongoAuditLog(db);
    return run((deed) => log.record({ actor: actor(), target: `dead letters of ${url}`, ...deed }));
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

async function runDoctor(options: Output): Promise<void> {
  const config = readConfig();
  const { ZOOKEEPER_CONNECT: connect } = config;
  const checks = await examine(config, connect === undefined ? null : zooKeeperOptions(config, connect));
  const rows = checks.map(({ name, status, found, next }) => [
    status,
    name,
    next === null ? found : `${found}; ${next}`,
  ]);
  print(checks, options, () => table(['', 'what', 'found'], rows, 'lll'));
  process.exitCode = checks.some(({ status }) => status === 'fail') ? EXIT.broken : EXIT.ok;
}

function addKeys(program: Command): void {
  const keys = program.command('keys').description('API keys');
  keys
    .command('generate')
    .description('print a new key, for BOOTSTRAP_API_KEY; stores nothing')
    .action(() => {
      process.stdout.write(`${generateApiKey()}\n`);
    });
  keys
    .command('create <client>')
    .description('store a new key and print it, once')
    .addOption(new Option('--scopes <scopes...>', 'what it may do').choices(SCOPES).default([...SCOPES]))
    .option('--expires-days <days>', 'days until it expires', wholeNumber)
    .option('--json', 'answer as JSON')
    .action(async (client: string, flags: Output & { scopes: string[]; expiresDays?: number }) => {
      await withStorage(async ({ db }) => {
        const key = generateApiKey();
        const expiresAt =
          flags.expiresDays === undefined ? null : new Date(Date.now() + flags.expiresDays * 86_400_000);
        const stored = { hash: hashApiKey(key), client: clientName(client), scopes: flags.scopes, expiresAt };
        await new MongoApiKeys(db).add(stored);
        // Before it is shown: a key that nobody knows of is of no use to anybody.
        await auditKeyCreated(db, actor(), stored);
        print({ key, client, scopes: flags.scopes, expires_at: expiresAt }, flags, () => `${key}\n`);
      });
    });
  keys
    .command('list')
    .option('--json', 'answer as JSON')
    .action(async (flags: Output) => {
      await withStorage(async ({ db }) => {
        const all = await new MongoApiKeys(db).list();
        const rows = all.map(({ hash, client, scopes, expiresAt, revokedAt }) => [
          hash.slice(0, 16),
          client,
          scopes.join(' '),
          revokedAt ? 'revoked' : (expiresAt?.toISOString() ?? 'never'),
        ]);
        print(all, flags, () => table(['id', 'client', 'scopes', 'expires'], rows, 'llll'));
      });
    });
  keys
    .command('revoke <id>')
    .description('revoke the key with this id, as `keys list` shows it')
    .requiredOption('--yes', 'it cannot be taken back')
    .action(async (id: string) => {
      if (!/^[0-9a-f]{8,64}$/.test(id))
        throw new ConfigError('The id is 8 to 64 hex digits, as `kvitt keys list` shows it.');
      await withStorage(async ({ db }) => {
        const hash = await new MongoApiKeys(db).revoke(id);
        if (hash !== null) return auditKeyRevoked(db, actor(), hash);
        throw new ConfigError(`No key, or more than one, has the id ${id}. See \`kvitt keys list\`.`);
      });
    });
}

/** Names of the service's own keys: those of the consumer, and of transactions that adjust breaks. */
const OWN_CLIENTS: readonly string[] = ['sqs', ADJUSTING_CLIENT];

function clientName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name) && !OWN_CLIENTS.includes(name)) return name;
  throw new ConfigError(`A client is 1 to 64 letters, digits, _ or -, and none of ${OWN_CLIENTS.join(', ')}.`);
}

function cloudnameOptions(): CloudnameOptions {
  const config = readZooKeeperConfig();
  if (config.ZOOKEEPER_CONNECT === undefined) {
    throw new ConfigError('Set ZOOKEEPER_CONNECT to the servers: host:port,host:port/path');
  }
  return zooKeeperOptions(config, config.ZOOKEEPER_CONNECT);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function buildProgram(): Command {
  const program = new Command('kvitt').description('A payment ledger on replicated MongoDB').version(VERSION);
  // By itself it would end with 1 after a wrong option, and so look like a broken ledger.
  program.exitOverride();
  program
    .command('serve')
    .description('serve the API and consume payment events')
    .action(() => serve({ http: true, consumer: true }));
  program
    .command('consume')
    .description('consume payment events only')
    .action(() => serve({ http: false, consumer: true }));
  program.addCommand(reconcileCommand(reconciling));
  program.addCommand(reconciliationsCommand(reconciling));
  program.addCommand(breaksCommand(reconciling));
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
  addKeys(program);
  program
    .command('audit')
    .description('what operators did')
    .command('list')
    .description('the latest entries of the audit log, oldest first')
    .option('--limit <count>', 'entries', wholeNumber, 1_000)
    .option('--json', 'answer as JSON')
    .action(runAuditList);
  program
    .command('doctor')
    .description('check what safety needs of MongoDB, its neighbours and this machine; exit 1 when something fails')
    .option('--json', 'answer as JSON')
    .action(runDoctor);
  program.addCommand(cloudnameCommand(cloudnameOptions, process.env));
  program.addCommand(nodeeCommand(nodeeToolParts(runAgent)));
  program.addCommand(
    deadLettersCommand({
      withOffice: (run) => withDeadLetters(readConfig(), run),
      withAudit: withDeadLettersAudited,
      ...{ print, table, progress, endProgress },
    }),
  );
  const loadTest = loadTestCommand({ startLocal: startLocalTarget, env: process.env, table });
  const ladder = () => ladderParts({ environment: process.env, log: createLog('warn') });
  loadTest.addCommand(ladderCommand({ ladder, print: printResult, text: renderLadderText, write: writeLadder }));
  program.addCommand(loadTest);
  const config = program.command('config').description('settings');
  config
    .command('print')
    .description('print all settings, secrets hidden')
    .option('--json', 'answer as JSON')
    .action((options: Output) => {
      const settings = printableConfig(readConfig());
      const rows = Object.entries(settings).map(([name, value]) => [name, value === null ? '(unset)' : String(value)]);
      const text = options.json ? `${JSON.stringify(settings, null, 2)}\n` : table(['setting', 'value'], rows, 'll');
      process.stdout.write(text);
    });
  return program;
}

try {
  await buildProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has said what is wrong, or shown the help that was asked for.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.unusable;
  } else {
    process.exitCode = EXIT.unusable;
    const lines = `kvitt: ${error instanceof Error ? error.message : String(error)}`.split('\n');
    // It may quote what others wrote.
    process.stderr.write(`${lines.map(clean).join('\n')}\n`);
  }
}
