/** `kvitt reconcile`, `kvitt reconciliations`, `kvitt breaks`. Answers go to standard output, all else to standard error. */
import { createWriteStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CAUSES } from '../matching/types.ts';
import type { CreateTransaction } from '../payments/types.ts';
import { STATEMENT_FORMATS, type StatementFormat } from '../statements/reader.ts';
import { dayAt, parseDay } from '../statements/statement.ts';
import type { Breaks } from './breaks.ts';
import { presentBreak, presentReconciliation } from './present.ts';
import type { Reconciliations } from './reconciliations.ts';
import { renderReconciliation } from './report-text.ts';
import { REPORT_FORMATS, type ReportFormat, renderReport } from './reports.ts';
import type { Break, Reconciliation, RunProgress } from './types.ts';

/** 0: it agrees, or it is done. 1: it differs, or there is none. 2: nothing is known, as it could not run. */
const EXIT = { ok: 0, different: 1, unusable: 2 } as const;
const LIST_LIMIT = 100;
/** Shown on a terminal; the report has all. */
const BREAKS_SHOWN = 100;

interface Output {
  readonly json?: boolean;
}

interface ReconcileFlags extends Output {
  readonly source?: string;
  readonly format?: StatementFormat;
  readonly account?: string;
  readonly from?: number;
  readonly to?: number;
  readonly windowDays?: number;
  readonly timingDays?: number;
  readonly dryRun?: boolean;
  readonly full?: boolean;
  readonly report?: string;
  readonly resume?: string;
}

interface BreaksFlags extends Output {
  readonly source?: string;
  readonly cause?: Break['cause'];
  readonly status: Break['status'];
  readonly assignee?: string;
  readonly olderThanDays?: number;
  readonly limit: number;
}

export interface Parts {
  readonly reconciliations: Reconciliations;
  readonly breaks: Breaks;
}

/** What was done to a break, for the audit log. */
export interface Deed {
  readonly action: 'break_assigned' | 'break_commented' | 'break_resolved' | 'reconciliation_started';
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the commands need of the program around them. */
export interface ToolParts {
  /** Runs something over the database of the settings. */
  withParts(run: (parts: Parts, audit: (deed: Deed) => Promise<void>) => Promise<void>): Promise<void>;
  /** A transaction as the API takes it. Throws what says what is wrong with it. */
  parseTransaction(body: unknown): CreateTransaction;
  /** Who runs the program. */
  actor(): string;
  print(value: unknown, output: Output, text: () => string): void;
  table(head: readonly string[], rows: readonly (readonly string[])[], align: string): string;
  /** One line on a terminal that is written over. */
  progress(): (at: Pick<RunProgress, 'done' | 'of'> & { phase: string }) => void;
  endProgress(): void;
}

export function reconcileCommand(parts: ToolParts): Command {
  return new Command('reconcile')
    .argument('[file]', 'a statement: camt.053, MT940, CSV or a settlement report; - for standard input')
    .description('verify the ledger and compare it with a statement; exit 1 when they differ')
    .exitOverride()
    .option('--source <name>', 'whose statement it is, as the settings name it')
    .addOption(new Option('--format <format>', 'of the file; told from it unless given').choices(STATEMENT_FORMATS))
    .option('--account <id>', 'compare only what is posted to this account; `world:*`: to all that begin so')
    .option('--from <day>', 'first day of the period; that of the statement unless given', day)
    .option('--to <day>', 'last day of the period', day)
    .option('--window-days <days>', 'days that dates may differ', days)
    .option('--timing-days <days>', 'days before the end of which the next statement may have what is missing', days)
    .option('--full', 'verify all of the ledger, and not only what is new (and all of it once a week)')
    .option('--dry-run', 'show what would come of it, and keep nothing')
    .option('--report <file>', 'write the report as well: .html, .csv or .json')
    .option('--json', 'answer as JSON')
    .addOption(new Option('--resume <id>', 'carry out one that waits').hideHelp())
    .action((file: string | undefined, flags: ReconcileFlags) => {
      return flags.resume === undefined ? runReconcile(parts, file, flags) : runResume(parts, flags.resume);
    });
}

export function reconciliationsCommand(parts: ToolParts): Command {
  const tool = new Command('reconciliations').description('what was reconciled').exitOverride();
  tool
    .command('list')
    .description('the latest reconciliations, newest first')
    .option('--source <name>', 'only of this source')
    .option('--limit <count>', 'reconciliations', positive, LIST_LIMIT)
    .option('--json', 'answer as JSON')
    .action((flags: Output & { source?: string; limit: number }) => runList(parts, flags));
  tool
    .command('show <id>')
    .description('one of them, and the breaks that it has opened')
    .option('--json', 'answer as JSON')
    .action((id: string, flags: Output) => runShow(parts, id, flags));
  tool
    .command('report <id>')
    .description('its report, on standard output')
    .addOption(new Option('--format <format>', 'of the report').choices(REPORT_FORMATS).default('html'))
    .action((id: string, { format }: { format: ReportFormat }) =>
      parts.withParts(async ({ reconciliations, breaks }) => {
        for await (const piece of await renderReport(reconciliations, breaks, id, format)) process.stdout.write(piece);
      }),
    );
  return tool;
}

export function breaksCommand(parts: ToolParts): Command {
  const tool = new Command('breaks').description('what differs, until it is settled or resolved').exitOverride();
  tool
    .command('list')
    .description('open breaks, the oldest first')
    .option('--source <name>', 'only of this source')
    .addOption(new Option('--cause <cause>', 'only those').choices(CAUSES))
    .addOption(new Option('--status <status>', 'open or resolved').choices(['open', 'resolved']).default('open'))
    .option('--assignee <name>', 'only those that somebody looks into')
    .option('--older-than-days <days>', 'only older ones', positive)
    .option('--limit <count>', 'breaks', positive, LIST_LIMIT)
    .option('--json', 'answer as JSON')
    .action((flags: BreaksFlags) => runBreaks(parts, flags));
  tool
    .command('show <id>')
    .option('--json', 'answer as JSON')
    .action((id: string, flags: Output) =>
      parts.withParts(async ({ breaks }) => showBreak(parts, await breaks.get(id), flags)),
    );
  const changing = (name: string, description: string) =>
    tool.command(name).description(description).option('--json', 'answer as JSON');
  changing('assign <id> <name>', 'say who looks into it; - for nobody').action(
    (id: string, name: string, flags: Output) =>
      parts.withParts(async ({ breaks }, audit) => {
        const assignee = name === '-' ? null : name;
        const changed = await breaks.assign(id, assignee);
        await audit({ action: 'break_assigned', target: `break ${id}`, details: { assignee } });
        showBreak(parts, changed, flags);
      }),
  );
  changing('comment <id> <text>', 'write something about it').action((id: string, text: string, flags: Output) =>
    parts.withParts(async ({ breaks }, audit) => {
      const changed = await breaks.comment(id, parts.actor(), text);
      await audit({ action: 'break_commented', target: `break ${id}`, details: {} });
      showBreak(parts, changed, flags);
    }),
  );
  changing('resolve <id>', 'resolve it, with a reason or with a transaction that adjusts the ledger')
    .requiredOption('--reason <text>', 'why it may stay, or what the transaction is for')
    .option('--transaction <file>', 'JSON of the transaction, as POST /v1/transactions takes it')
    .action((id: string, flags: Output & { reason: string; transaction?: string }) => runResolve(parts, id, flags));
  return tool;
}

async function runReconcile(parts: ToolParts, file: string | undefined, flags: ReconcileFlags): Promise<void> {
  const { json, report, resume: _, full: isFull = false, ...options } = flags;
  const reportFormat = report === undefined ? null : formatOf(report);
  await parts.withParts(async ({ reconciliations, breaks }, audit) => {
    const onProgress = parts.progress();
    const startedBy = parts.actor();
    const begin = async () => {
      if (file === undefined) return await reconciliations.begin(startedBy, isFull);
      const input = file === '-' ? process.stdin : (await open(file)).createReadStream();
      const name = file === '-' ? {} : { name: basename(file) };
      return (await reconciliations.import(input, { ...options, ...name, isFull, startedBy, onProgress }))
        .reconciliation;
    };
    const begun = await begin();
    await audit({ action: 'reconciliation_started', target: `reconciliation ${begun.id}`, details: {} });
    const done = await reconciliations.carryOut(begun.id, onProgress);
    parts.endProgress();
    if (report !== undefined && reportFormat !== null) {
      const pieces = await renderReport(reconciliations, breaks, done.id, reportFormat);
      await pipeline(Readable.from(pieces), createWriteStream(report));
    }
    await show(parts, reconciliations, done, { json: json === true });
    if (done.dryRun) await reconciliations.forget(done);
    process.exitCode = exitCodeOf(done);
  });
}

/** For a service: what it has begun is carried out here. Ends when its standard input does. */
async function runResume(parts: ToolParts, id: string): Promise<void> {
  process.stdin.on('close', () => process.exit(EXIT.unusable)).on('error', () => undefined);
  process.stdin.resume();
  await parts.withParts(async ({ reconciliations }) => {
    await reconciliations.attempt(id);
    process.exitCode = exitCodeOf(await reconciliations.get(id));
  });
  process.stdin.removeAllListeners('close').destroy();
}

async function show(parts: ToolParts, from: Reconciliations, done: Reconciliation, output: Output): Promise<void> {
  const { data } = done.status === 'succeeded' ? await from.breaks(done.id, { limit: BREAKS_SHOWN }) : { data: [] };
  const plain = () => ({ report: presentReconciliation(done), items: data.map((one) => presentBreak(one)) });
  parts.print(output.json ? plain() : null, output, () => renderReconciliation(done, data));
}

async function runList(parts: ToolParts, flags: Output & { source?: string; limit: number }): Promise<void> {
  await parts.withParts(async ({ reconciliations }) => {
    const { source, limit } = flags;
    const { data } = await reconciliations.list({ source }, { limit });
    const rows = data.map((one) => [
      ...[one.id, one.startedAt.toISOString().slice(0, 19), one.source, one.kind, one.status],
      one.ok === null ? '' : one.ok ? 'agrees' : 'differs',
      one.external === null ? '' : `${one.external.matchedLines} of ${one.external.lines}`,
      one.file?.name ?? '',
    ]);
    const head = ['reconciliation', 'started', 'source', 'kind', 'status', 'result', 'lines matched', 'file'];
    const all = data.map((one) => presentReconciliation(one, { isBrief: true }));
    parts.print(all, flags, () => parts.table(head, rows, 'llllllrl'));
  });
}

async function runShow(parts: ToolParts, id: string, flags: Output): Promise<void> {
  await parts.withParts(async ({ reconciliations }) => {
    const found = await reconciliations.get(id);
    await show(parts, reconciliations, found, flags);
    process.exitCode = exitCodeOf(found);
  });
}

async function runBreaks(parts: ToolParts, flags: BreaksFlags): Promise<void> {
  await parts.withParts(async ({ breaks }) => {
    const { json, limit, ...filter } = flags;
    const { data, hasMore } = await breaks.list(filter, { limit });
    const today = dayAt(Date.now());
    const rows = data.map((one) => {
      const { id, source, cause, day: since, assignee, reference, message } = one;
      return [id, source, cause, `${today - since} d`, assignee ?? '', reference ?? '', message];
    });
    const head = ['break', 'source', 'cause', 'age', 'assignee', 'reference', 'what'];
    const text = () => `${parts.table(head, rows, 'lllrlll')}${hasMore ? '… and more; --limit shows them\n' : ''}`;
    parts.print(
      data.map((one) => presentBreak(one)),
      { json: json === true },
      text,
    );
  });
}

async function runResolve(
  parts: ToolParts,
  id: string,
  flags: Output & { reason: string; transaction?: string },
): Promise<void> {
  const { reason, transaction: file } = flags;
  const transaction = file === undefined ? undefined : parts.parseTransaction(JSON.parse(await readFile(file, 'utf8')));
  await parts.withParts(async ({ breaks }, audit) => {
    const resolved = await breaks.resolve(id, parts.actor(), { reason, transaction });
    await audit({ action: 'break_resolved', target: `break ${id}`, details: { reason } });
    showBreak(parts, resolved, flags);
  });
}

function showBreak(parts: ToolParts, one: Break, output: Output): void {
  const { resolution, message, ...rest } = presentBreak(one, { isBrief: true });
  const shown = { ...rest, message, resolution };
  const rows = Object.entries(shown)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  const said = one.comments.map(({ by, at, text }) => ['comment', `${at.toISOString()} ${by}: ${text}`]);
  parts.print(presentBreak(one), output, () => parts.table(['field', 'value'], [...rows, ...said], 'll'));
}

/** What a script is to go by. */
function exitCodeOf({ status, ok }: Reconciliation): number {
  if (status !== 'succeeded') return EXIT.unusable;
  return ok ? EXIT.ok : EXIT.different;
}

function formatOf(file: string): ReportFormat {
  const format = REPORT_FORMATS.find((one) => extname(file) === `.${one}`);
  if (format !== undefined) return format;
  throw new RangeError(`The name of the report must end with ${REPORT_FORMATS.map((one) => `.${one}`).join(', ')}.`);
}

function day(text: string): number {
  const parsed = parseDay(text);
  if (parsed === null) throw new InvalidArgumentError('It must be a day such as 2026-01-31.');
  return parsed;
}

function days(text: string): number {
  if (!/^(?:[12]?\d|30)$/.test(text)) throw new InvalidArgumentError('It must be 0 to 30 days.');
  return Number(text);
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above zero.');
  return Number(text);
}
