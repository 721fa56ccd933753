import type { Clock, Log } from '../ledger/ports.ts';
import { type Page, type PageQuery, PaymentsError } from '../payments/types.ts';
import type { Statement } from './match.ts';
import type { ReconciliationItem } from './outcomes.ts';
import type { ReconciliationsPort } from './ports.ts';
import {
  type ReconcileDeps,
  type ReconcileOptions,
  type ReconciliationReport,
  readStatement,
  reconcile,
  startReport,
} from './reconcile.ts';

const DURATION_MS_MAX = 30 * 60_000;
/** Time to store the report, beyond the time that it may take to make it. */
const STORING_MS_MAX = 60_000;
const ITEMS_PER_SAVE = 1_000;
const UPLOAD_BYTES_MAX = 50 * 1_048_576;

/** Another one runs in this process. Nothing was read or kept: start it again later. */
class ReconciliationRunning extends Error {
  override readonly name = 'ReconciliationRunning';
  readonly code = 'reconciliation_running';
}

export interface ReconciliationsDeps extends ReconcileDeps {
  readonly store: ReconciliationsPort;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Reconciliations that were asked for over the API: one at a time in this process, in the background, each at most half
 * an hour. A report is kept from its start. When the process dies meanwhile, its report is answered as failed once that
 * time is over.
 */
export class Reconciliations {
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #reading = false;

  constructor(readonly deps: ReconciliationsDeps) {}

  /**
   * Reads the statement to its end (at most 50 MiB), keeps a report as `running`, and goes on in the background.
   *
   * @throws StatementError when the statement is wrong: nothing was kept.
   * @throws ReconciliationRunning
   */
  async start(csv: AsyncIterable<Uint8Array | string>, options: ReconcileOptions = {}): Promise<ReconciliationReport> {
    if (this.#reading || this.#running !== null || this.#closing.signal.aborted) {
      throw new ReconciliationRunning('another reconciliation is running; start this one after it');
    }
    this.#reading = true;
    try {
      const statement = await readStatement(csv, { ...options, bytesMax: UPLOAD_BYTES_MAX });
      const report = startReport(this.deps.clock);
      await this.deps.store.save(report);
      this.#running = this.#run(report, statement, options);
      return report;
    } finally {
      this.#reading = false;
    }
  }

  /** @throws PaymentsError not_found */
  async get(id: string): Promise<ReconciliationReport> {
    const report = await this.deps.store.get(id);
    if (report === null) throw new PaymentsError('not_found', `there is no reconciliation ${id}`);
    if (report.status !== 'running' || this.#ageMs(report) <= DURATION_MS_MAX + STORING_MS_MAX) return report;
    const failure = 'the process that ran it ended before it was done; start it again';
    return { ...report, status: 'failed', failure, finishedAt: new Date(report.startedAt.getTime() + DURATION_MS_MAX) };
  }

  /** The differences in their order. Cursors are positions. @throws PaymentsError not_found, invalid_cursor */
  async items(id: string, page: PageQuery): Promise<Page<ReconciliationItem>> {
    await this.get(id);
    for (const cursor of [page.startingAfter, page.endingBefore]) {
      if (cursor === undefined || /^[1-9]\d{0,8}$/.test(cursor)) continue;
      throw new PaymentsError('invalid_cursor', 'the cursor must be the position of an item');
    }
    return await this.deps.store.items(id, page);
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Stops what runs, keeps it as failed, and starts nothing any more. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the service is shutting down'));
    await this.#running;
  }

  async #run(report: ReconciliationReport, statement: Statement, options: ReconcileOptions): Promise<void> {
    const { store, log } = this.deps;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(DURATION_MS_MAX)]);
    try {
      const done = await reconcile(this.deps, statement, { ...options, signal }, report);
      for (let i = 0; i < done.items.length; i += ITEMS_PER_SAVE) {
        await store.saveItems(report.id, done.items.slice(i, i + ITEMS_PER_SAVE));
      }
      // Last, so that whoever sees it done sees all its items.
      await store.save(done.report);
      const { status, ok, failure } = done.report;
      log.info({ reconciliation: report.id, status, ok, failure }, 'reconciliation ended');
    } catch (err) {
      log.error({ err, reconciliation: report.id }, 'the report of a reconciliation could not be kept');
    } finally {
      this.#running = null;
    }
  }

  #ageMs({ startedAt }: ReconciliationReport): number {
    return this.deps.clock.now() - startedAt.getTime();
  }
}
