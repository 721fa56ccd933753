import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Cron } from 'croner';
import type { Log } from '../ledger/ports.ts';
import { StatementError } from '../statements/statement.ts';
import type { SourceLease } from './ports.ts';
import type { Reconciliations } from './reconciliations.ts';
import type { Sources } from './source.ts';

/** A file that was written to so lately may not be whole. */
const SETTLED_MS = 10_000;
const STARTED_BY = 'schedule';
/** Too many wait already: of the code of an error. */
const BUSY = 'reconciliation_running';

interface ScheduleDeps {
  readonly reconciliations: Reconciliations;
  readonly sources: Sources;
  /** So that one of several instances does it. */
  readonly lease: SourceLease;
  readonly log: Log;
  /** Cron expression, in UTC. */
  readonly expression: string;
  /** A folder with one folder for each source, into which its statements are put; null: there is none. */
  readonly inbox: string | null;
}

/** Reconciles by the clock: what is new in the inbox, and the ledger against itself. */
export class Schedule {
  #job: Cron | null = null;
  #running: Promise<void> = Promise.resolve();
  /** Files that were taken in or refused, by path: their size and time then. */
  readonly #seen = new Map<string, string>();

  constructor(readonly deps: ScheduleDeps) {}

  start(): void {
    this.#job = new Cron(this.deps.expression, { timezone: 'UTC', protect: true }, async () => {
      // The job begins within its second.
      const time = new Date(Math.floor(Date.now() / 1_000) * 1_000);
      this.#running = this.run(time).catch((err) =>
        this.deps.log.error({ err }, 'the scheduled reconciliation failed'),
      );
      await this.#running;
    });
  }

  async stop(): Promise<void> {
    this.#job?.stop();
    await this.#running;
  }

  /** What is done at a time of the schedule; nothing where another instance does it. */
  async run(time: Date): Promise<void> {
    const { lease, reconciliations } = this.deps;
    if (!(await lease.hold())) return;
    try {
      await this.#readInbox();
      await reconciliations.sweep();
      await reconciliations.begin(STARTED_BY, false, time);
    } finally {
      await lease.release();
    }
  }

  async #readInbox(): Promise<void> {
    const { inbox, sources, log, lease } = this.deps;
    if (inbox === null) return;
    for (const source of sources.names) {
      const folder = join(inbox, source);
      const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') log.error({ err: error, folder }, 'statements cannot be read');
        return [];
      });
      for (const name of names.sort()) {
        if (name.startsWith('.')) continue;
        const path = join(folder, name);
        try {
          await this.#takeIn(source, path, name);
        } catch (error) {
          // One that cannot be read now must not keep others from being taken in, nor the ledger from being looked at.
          log.error({ file: path, err: error }, 'statement cannot be taken in now; trying again at the next time');
          if ((error as { code?: unknown }).code === BUSY) return;
        }
        await lease.hold();
      }
    }
  }

  async #takeIn(source: string, path: string, name: string): Promise<void> {
    const { reconciliations, log } = this.deps;
    const found = await stat(path);
    const state = `${found.size} ${found.mtimeMs}`;
    if (!found.isFile() || this.#seen.get(path) === state || Date.now() - found.mtimeMs < SETTLED_MS) return;
    try {
      const options = { startedBy: STARTED_BY, source, name };
      const { reconciliation, isKnown } = await reconciliations.import((await open(path)).createReadStream(), options);
      if (!isKnown) log.info({ file: path, reconciliation: reconciliation.id }, 'statement taken in');
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      log.error({ file: path, err: error }, 'statement cannot be used');
      await reconciliations.refuse(STARTED_BY, source, `${name}: ${error.message}`);
    }
    this.#seen.set(path, state);
  }
}
