/** All that reconciliation needs of the world, in memory, and a ledger of items that grows. */
import type { LedgerItem } from '../../../src/matching/types.ts';
import { importStatement } from '../../../src/reconciliation/importing.ts';
import type {
  ItemsQuery,
  LedgerItems,
  NoticeOf,
  NoticeSink,
  StatementFiles,
  StatementFileWriter,
} from '../../../src/reconciliation/ports.ts';
import { Run, type RunDeps } from '../../../src/reconciliation/run.ts';
import { type SourceConfig, sourceSchema } from '../../../src/reconciliation/source.ts';
import type { AsOf, Reconciliation } from '../../../src/reconciliation/types.ts';
import type { VerifyReport } from '../../../src/verification/verify.ts';
import { MemoryBreaks, MemoryReconciliations } from './memory-reconciliations.ts';
import { MAPPING } from './sides.ts';

const DAY_MS = 86_400_000;
export const SOURCE = 'bank';

export class MemoryFiles implements StatementFiles {
  readonly whole = new Map<string, Uint8Array>();
  readonly begun = new Map<string, { at: number; chunks: Uint8Array[] }>();

  open(id: string): StatementFileWriter {
    const chunks: Uint8Array[] = [];
    // A UUIDv7 says when it was made.
    const at = Number.parseInt(id.replace('rec_', '').replaceAll('-', '').slice(0, 12), 16);
    this.begun.set(id, { at, chunks });
    return {
      write: async (chunk) => void chunks.push(Uint8Array.from(chunk)),
      finish: async () => void this.whole.set(id, Buffer.concat(chunks)),
      abort: () => this.remove(id),
    };
  }

  async *read(id: string): AsyncIterable<Uint8Array> {
    const whole = this.whole.get(id);
    if (whole === undefined) throw new Error(`there is no file ${id}`);
    for (let at = 0; at < whole.length; at += 1_000) yield whole.slice(at, at + 1_000);
  }

  async remove(id: string): Promise<void> {
    this.whole.delete(id);
    this.begun.delete(id);
  }

  async removeOrphans(before: Date, isKnown: (id: string) => Promise<boolean>): Promise<number> {
    let removed = 0;
    for (const [id, { at }] of [...this.begun]) {
      if (at >= before.getTime() || (await isKnown(id))) continue;
      await this.remove(id);
      removed++;
    }
    return removed;
  }
}

export class MemoryNotices implements NoticeSink {
  readonly batches = new Map<string, readonly NoticeOf[]>();

  async append(batch: string, notices: readonly NoticeOf[]): Promise<void> {
    if (!this.batches.has(batch)) this.batches.set(batch, structuredClone(notices));
  }

  get all(): NoticeOf[] {
    return [...this.batches.values()].flat();
  }

  /** `<type> <id>` of each, as often as it was told. */
  get told(): string[] {
    return this.all.map((one) => `${one.type} ${'break' in one ? one.break.id : one.reconciliation.id}`).sort();
  }
}

/** One book: each item is a block of its own. */
export class MemoryItems implements LedgerItems {
  readonly all: LedgerItem[] = [];

  async tips(): Promise<AsOf> {
    return [{ book: 0, height: this.all.length }];
  }

  async *items({ from, to, asOf }: ItemsQuery): AsyncIterable<readonly LedgerItem[]> {
    const until = asOf[0]!.height;
    const isMeant = ({ at }: LedgerItem) => at >= from * DAY_MS && at < (to + 1) * DAY_MS;
    const found = this.all.slice(0, until).filter(isMeant);
    for (let i = 0; i < found.length; i += 10) yield structuredClone(found.slice(i, i + 10));
  }
}

const SOUND = { ok: true, breaks: [] } as unknown as VerifyReport;

export class MemoryWorld {
  readonly breaks = new MemoryBreaks();
  readonly store = new MemoryReconciliations(this.breaks);
  readonly files = new MemoryFiles();
  readonly notices = new MemoryNotices();
  readonly items = new MemoryItems();
  readonly config: SourceConfig;
  now = Date.parse('2026-03-01T12:00:00Z');
  readonly clock = { now: () => this.now };

  constructor(config: Partial<SourceConfig> = {}) {
    this.config = sourceSchema.parse({ format: 'csv', mapping: MAPPING, account: 'world:*', ...config });
  }

  get deps() {
    const { store, breaks, files, items, notices, clock } = this;
    return { store, breaks, files, items, notices, clock, verify: async () => SOUND };
  }

  /** A copy that goes its own way. */
  copy(): MemoryWorld {
    const copy = new MemoryWorld(this.config);
    copy.now = this.now;
    copy.items.all.push(...this.items.all);
    for (const [id, one] of this.store.all) copy.store.all.set(id, one);
    for (const [id, one] of this.store.saved) copy.store.saved.set(id, one);
    for (const [id, one] of this.breaks.all) copy.breaks.all.set(id, one);
    for (const [id, one] of this.files.whole) copy.files.whole.set(id, one);
    for (const [id, one] of this.notices.batches) copy.notices.batches.set(id, one);
    return copy;
  }

  async import(csv: string, period: { from?: number; to?: number; dryRun?: boolean } = {}): Promise<Reconciliation> {
    const options = { source: SOURCE, config: this.config, startedBy: 'test', ...period };
    return (await importStatement(this.deps, bytesOf(csv), options)).reconciliation;
  }

  /** Carries it out, as far as it comes. */
  async run(id: string, deps: Partial<RunDeps> = {}): Promise<Reconciliation> {
    return await new Run({ ...this.deps, ...deps }, (await this.store.get(id))!).execute();
  }

  async reconcile(csv: string, period: { from?: number; to?: number } = {}): Promise<Reconciliation> {
    return await this.run((await this.import(csv, period)).id);
  }

  /** All that is kept but for times and attempts. */
  state() {
    const breaks = [...this.breaks.all.values()].map(({ updatedAt: _, ...one }) => one);
    const reconciliations = [...this.store.all.values()].map(({ finishedAt: _, ...one }) => one);
    return {
      breaks: breaks.sort((a, b) => (a.id < b.id ? -1 : 1)),
      matches: [...this.store.all.keys()].sort().map((id) => this.store.matchesOf(id)),
      reconciliations: reconciliations.sort((a, b) => (a.id < b.id ? -1 : 1)),
      told: this.notices.told,
    };
  }
}

export async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}
