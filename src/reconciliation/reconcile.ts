/** Reconciliation: is the ledger sound in itself, and does it agree with somebody else's statement? */
import { uuidv7 } from 'uuidv7';
import type { Clock } from '../ledger/ports.ts';
import { StatementError } from '../statements/statement.ts';
import { type CsvLimits, parseStatementCsv } from '../statements/statement-csv.ts';
import type { AuditPort } from '../verification/ports.ts';
import { type VerifyOptions, type VerifyReport, verify } from '../verification/verify.ts';
import { type MatchOptions, matchStatement, periodOf, Statement } from './match.ts';
import type { MatchSummary, ReconciliationItem } from './outcomes.ts';
import type { PostedPaymentsPort } from './ports.ts';

export interface ReconciliationReport {
  /** `rec_` and a UUIDv7. */
  readonly id: string;
  /** `succeeded`: it ran to its end, whatever it found. `failed`: it could not, and found nothing. */
  readonly status: 'running' | 'succeeded' | 'failed';
  readonly startedAt: Date;
  /** null while it runs. */
  readonly finishedAt: Date | null;
  /** No break, no difference. null until it has succeeded. */
  readonly ok: boolean | null;
  /** Why it failed, for people. */
  readonly failure: string | null;
  readonly internal: VerifyReport | null;
  /** null when there was no statement. */
  readonly external: MatchSummary | null;
}

export interface Reconciled {
  readonly report: ReconciliationReport;
  /** The first differences to the statement. */
  readonly items: readonly ReconciliationItem[];
}

export interface ReconcileDeps {
  readonly audit: AuditPort;
  readonly payments: PostedPaymentsPort;
  readonly clock?: Clock | undefined;
}

export type ReconcileOptions = MatchOptions & Pick<VerifyOptions, 'onProgress' | 'claimAgeMsMax'>;

export const EXIT_CODES = {
  /** Verified, and all matched. */
  clean: 0,
  /** Breaks or differences were found. */
  different: 1,
  /** The input is bad, or it could not run: nothing is known. */
  unusable: 2,
} as const;

export function exitCodeOf({ status, ok }: ReconciliationReport): (typeof EXIT_CODES)[keyof typeof EXIT_CODES] {
  if (status !== 'succeeded') return EXIT_CODES.unusable;
  return ok ? EXIT_CODES.clean : EXIT_CODES.different;
}

/**
 * Reads a CSV statement to its end. Fails on what is wrong with it before anything is compared.
 *
 * @throws StatementError
 */
export async function readStatement(
  csv: AsyncIterable<Uint8Array | string>,
  options: MatchOptions & CsvLimits = {},
): Promise<Statement> {
  const statement = await Statement.read(parseStatementCsv(csv, options));
  periodOf(statement, options);
  return statement;
}

/** A report of a reconciliation that begins now. */
export function startReport(clock: Clock = Date): ReconciliationReport {
  const startedAt = new Date(clock.now());
  const unknown = { finishedAt: null, ok: null, failure: null, internal: null, external: null };
  return { id: `rec_${uuidv7()}`, status: 'running', startedAt, ...unknown };
}

/**
 * Verifies the ledger, and compares it with the statement when there is one. Never throws: what keeps it from running
 * is in the report as its failure.
 */
export async function reconcile(
  { audit, payments, clock = Date }: ReconcileDeps,
  statement: Statement | null,
  options: ReconcileOptions = {},
  report: ReconciliationReport = startReport(clock),
): Promise<Reconciled> {
  try {
    const internal = await verify(audit, { ...options, clock });
    const external = statement && (await matchStatement(statement, payments, options));
    const ok = internal.ok && (external === null || external.summary.differences === 0);
    const finishedAt = new Date(clock.now());
    const found = { ok, internal, external: external?.summary ?? null };
    return { report: { ...report, status: 'succeeded', finishedAt, ...found }, items: external?.items ?? [] };
  } catch (error) {
    return { report: failedReport(report, error, clock), items: [] };
  }
}

/** As `kvitt reconcile` does it: reads the statement (null: none), then {@link reconcile}s. Never throws. */
export async function reconcileCsv(
  deps: ReconcileDeps,
  csv: AsyncIterable<Uint8Array | string> | null,
  options: ReconcileOptions & CsvLimits = {},
): Promise<Reconciled> {
  const report = startReport(deps.clock);
  try {
    const statement = csv && (await readStatement(csv, options));
    return await reconcile(deps, statement, options, report);
  } catch (error) {
    return { report: failedReport(report, error, deps.clock), items: [] };
  }
}

function failedReport(report: ReconciliationReport, error: unknown, clock: Clock = Date): ReconciliationReport {
  const why = error instanceof Error ? error.message : String(error);
  const failure = error instanceof StatementError ? `the statement cannot be used: ${why}` : `it could not run: ${why}`;
  return { ...report, status: 'failed', finishedAt: new Date(clock.now()), failure };
}
