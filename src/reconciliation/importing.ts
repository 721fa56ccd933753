import { createHash, type Hash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Clock } from '../ledger/ports.ts';
import { detectFormat, type StatementFormat, statementReader } from '../statements/reader.ts';
import { StatementError } from '../statements/statement.ts';
import type { StatementReader } from '../statements/types.ts';
import type { ReconciliationStore, StatementFiles, StatementFileWriter } from './ports.ts';
import type { SourceConfig } from './source.ts';
import type { Reconciliation } from './types.ts';

/** A format is told from so many bytes. */
const HEAD_BYTES = 4_096;
/** Of a file, with its reconciliation. */
const STATEMENTS_KEPT = 1_000;

export interface ImportOptions {
  readonly source: string;
  readonly config: SourceConfig;
  readonly startedBy: string;
  /** Of the file. */
  readonly name?: string | undefined;
  readonly format?: StatementFormat | undefined;
  /** First and last day. Default: those of the statement, which must lie within. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly dryRun?: boolean | undefined;
  /** Verify all of the ledger, and not only what is new. */
  readonly isFull?: boolean | undefined;
  /** Bytes of the file; default 4 GiB. */
  readonly bytesMax?: number | undefined;
  readonly onProgress?: ((lines: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Imported {
  readonly reconciliation: Reconciliation;
  /** The same file came before, and this is what it was then. */
  readonly isKnown: boolean;
}

interface ImportDeps {
  readonly store: Pick<ReconciliationStore, 'insert' | 'findByFile'>;
  readonly files: StatementFiles;
  readonly clock: Clock;
}

/**
 * Reads a statement to its end, keeps its file, and a reconciliation that is to run. When anything is wrong with it
 * nothing is kept.
 *
 * @throws StatementError with the line and what is wrong
 */
export async function importStatement(
  { store, files, clock }: ImportDeps,
  input: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<Imported> {
  const id = `rec_${uuidv7()}`;
  const writer = files.open(id);
  let isKept = false;
  try {
    const { file, period } = await readWhole(input, writer, options);
    const known = options.dryRun ? null : await store.findByFile(options.source, file.sha256);
    if (known !== null) return { reconciliation: known, isKnown: true };
    await writer.finish();
    const reconciliation: Reconciliation = {
      ...begun(id, options, clock),
      kind: 'statement',
      file,
      config: { ...options.config, ...period },
    };
    // When nobody knows whether it was inserted its file must stay: it is an orphan, or it is needed.
    isKept = true;
    const other = await store.insert(reconciliation);
    if (other === null) return { reconciliation, isKnown: false };
    isKept = false;
    return { reconciliation: other, isKnown: true };
  } finally {
    if (!isKept) await writer.abort();
  }
}

/** A reconciliation that begins now. */
export function begun(
  id: string,
  {
    source,
    startedBy,
    dryRun = false,
    isFull = false,
  }: Pick<ImportOptions, 'source' | 'startedBy' | 'dryRun' | 'isFull'>,
  clock: Clock,
): Reconciliation {
  return {
    ...{ id, source, startedBy, dryRun, isFull, kind: 'internal', status: 'running', step: 'verify', attempts: 0 },
    ...{ startedAt: new Date(clock.now()), finishedAt: null, ok: null, failure: null, file: null, config: null },
    ...{ scheduledFor: null, asOf: null, internal: null, external: null, preview: null, progress: null },
  };
}

async function readWhole(input: AsyncIterable<Uint8Array>, writer: StatementFileWriter, options: ImportOptions) {
  const source = new Source(input, writer);
  const format = options.format ?? options.config.format ?? detectFormat(await source.head());
  if (format === null) {
    throw new StatementError('the format cannot be told from the file; say which it is: camt053, mt940, csv or psp');
  }
  const reader = readerFor(format, options.config, options.bytesMax);
  let [lines, first, last] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for await (const batch of reader.read(source.all())) {
    options.signal?.throwIfAborted();
    for (const { day } of batch) {
      if (day < first) first = day;
      if (day > last) last = day;
    }
    lines += batch.length;
    options.onProgress?.(lines);
  }
  for (const { from, to } of reader.statements) {
    if (from !== null) first = Math.min(first, from);
    if (to !== null) last = Math.max(last, to);
  }
  const { bytes, sha256 } = source;
  const file = {
    name: options.name ?? null,
    sha256,
    format,
    bytes,
    lines,
    statements: reader.statements.slice(0, STATEMENTS_KEPT),
  };
  return { file, period: periodOf(first, last, options) };
}

/** For a file of this source: how it is read now is how it is read again. */
export function readerFor(format: StatementFormat, config: SourceConfig, bytesMax?: number): StatementReader {
  const mapping = config.format === format ? config.mapping : undefined;
  return statementReader(format, { mapping, ...(bytesMax === undefined ? {} : { limits: { bytesMax } }) });
}

function periodOf(first: number, last: number, { from = first, to = last }: ImportOptions) {
  if (!Number.isFinite(from) || !Number.isFinite(to)) {
    throw new StatementError('the statement has no lines; say which period it is for, from which day to which');
  }
  if (from > to) throw new StatementError('the period ends before it begins');
  if (first < from || last > to) throw new StatementError('the statement goes beyond the period that is asked for');
  return { from, to };
}

/** The bytes as they come, written to the file and counted on the way. */
class Source {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #held: Uint8Array[] = [];
  readonly #hash: Hash = createHash('sha256');
  bytes = 0;

  constructor(
    input: AsyncIterable<Uint8Array>,
    readonly writer: StatementFileWriter,
  ) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /** The beginning, which {@link all} gives once more. */
  async head(): Promise<Uint8Array> {
    for (let bytes = 0; bytes < HEAD_BYTES; ) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      this.#held.push(value);
      bytes += value.length;
    }
    return Buffer.concat(this.#held);
  }

  async *all(): AsyncGenerator<Uint8Array> {
    try {
      for (const chunk of this.#held) yield await this.#taken(chunk);
      for (;;) {
        const { done, value } = await this.#chunks.next();
        if (done) return;
        yield await this.#taken(value);
      }
    } finally {
      await this.#chunks.return?.();
    }
  }

  /** Once all was read. */
  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  async #taken(chunk: Uint8Array): Promise<Uint8Array> {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    await this.writer.write(chunk);
    return chunk;
  }
}
