/** Writes the log of one run. A disk that is full or does not answer costs lines, which are counted, and nothing else. */
import { rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLimits } from './keeper-files.ts';
import { nextLogName, pruneLogs } from './log-files.ts';
import { markedLine } from './log-lines.ts';

const QUEUE_BYTES_MAX = 1_048_576;
const BATCH_BYTES_MAX = 262_144;
/** So long a program may have to wait for the disk. */
const WAIT_MS_MAX = 5_000;
/** After a failure. */
const RETRY_MS = 1_000;
const NEWLINE = 0x0a;

/** The disk is not tried again as soon after a failure. */
class NotYet extends Error {}

export interface LogWriterOptions {
  readonly folder: string;
  readonly run: string;
  readonly limits: LogLimits;
  isOpen(run: string): boolean;
}

export class LogWriter {
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #lost = 0;
  #lostWhy = '';
  #isStalled = false;
  #writing: Promise<void> | null = null;
  #file: { handle: FileHandle; path: string; bytes: number } | null = null;
  #retryAt = 0;

  constructor(private readonly options: LogWriterOptions) {}

  /** Too much waits for the disk: `room` should be awaited before anything more is written. */
  get isFull(): boolean {
    return this.#queuedBytes >= QUEUE_BYTES_MAX && !this.#isStalled;
  }

  /** Takes one line, with its end. */
  write(line: Buffer): void {
    // `isFull` asks for patience; this is for whoever has none left. A chunk of output that came before is still taken.
    if (this.#isStalled && this.#queuedBytes >= QUEUE_BYTES_MAX) {
      this.#lose(1, 'the disk is too slow');
      return;
    }
    this.#queue.push(line);
    this.#queuedBytes += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when there is room again, or when waiting is no use: then lines are lost until there is. */
  async room(): Promise<void> {
    await this.#drained(WAIT_MS_MAX);
    this.#isStalled = this.#queuedBytes >= QUEUE_BYTES_MAX;
  }

  /** Resolves when all is written, or after so many ms. */
  async flush(ms: number): Promise<void> {
    if (this.#lost > 0) this.#writing ??= this.#writeAll();
    await this.#drained(ms);
  }

  async close(ms: number): Promise<void> {
    await this.flush(ms);
    // While a write hangs, closing would hang as well.
    if (this.#writing === null) await this.#file?.handle.close();
    this.#file = null;
  }

  async #drained(ms: number): Promise<void> {
    const waited = new AbortController();
    const timer = sleep(ms, undefined, { signal: waited.signal }).catch(() => undefined);
    await Promise.race([this.#writing, timer]);
    waited.abort();
  }

  async #writeAll(): Promise<void> {
    do await this.#writeBatch(this.#nextBatch());
    while (this.#queue.length > 0);
    this.#writing = null;
    this.#isStalled = false;
  }

  #nextBatch(): Buffer {
    let count = 0;
    const bytesMax = Math.min(BATCH_BYTES_MAX, this.options.limits.fileBytes);
    for (let bytes = 0; count < this.#queue.length && bytes < bytesMax; count++) bytes += this.#queue[count]!.length;
    return Buffer.concat(this.#queue.splice(0, count));
  }

  /** What is written still counts as queued: it takes memory. */
  async #writeBatch(batch: Buffer): Promise<void> {
    const lost = this.#lost;
    const note = lost === 0 ? Buffer.alloc(0) : markedLine('err', lostNote(lost, this.#lostWhy), new Date());
    const all = Buffer.concat([note, batch]);
    let written = 0;
    try {
      if (performance.now() < this.#retryAt) throw new NotYet(this.#lostWhy);
      const file = await this.#fileFor(all.length);
      while (written < all.length) {
        const { bytesWritten } = await file.handle.write(all, written);
        written += bytesWritten;
        file.bytes += bytesWritten;
      }
    } catch (error) {
      this.#lose(linesIn(batch.subarray(Math.max(0, written - note.length))), (error as Error).message);
      if (!(error instanceof NotYet)) await this.#abandon();
    } finally {
      this.#queuedBytes -= batch.length;
    }
    if (lost > 0 && written >= note.length) this.#lost -= lost;
  }

  #lose(lines: number, why: string): void {
    this.#lost += lines;
    this.#lostWhy = why;
  }

  async #fileFor(bytes: number) {
    if (this.#file !== null && this.#file.bytes + bytes <= this.options.limits.fileBytes) return this.#file;
    const { folder, run, limits, isOpen } = this.options;
    const path = join(folder, nextLogName(folder, run));
    const handle = await open(path, 'ax', 0o600);
    await this.#file?.handle.close().catch(() => undefined);
    this.#file = { handle, path, bytes: 0 };
    pruneLogs(folder, limits, isOpen);
    return this.#file;
  }

  /** What is half written is the end of its file, where readers do not take it for a line. */
  async #abandon(): Promise<void> {
    this.#retryAt = performance.now() + RETRY_MS;
    if (this.#file === null) return;
    await this.#file.handle.close().catch(() => undefined);
    if (this.#file.bytes === 0) rmSync(this.#file.path, { force: true });
    this.#file = null;
  }
}

function lostNote(lines: number, why: string): Buffer {
  return Buffer.from(`[nodee] ${lines} lines were not kept: ${why.replaceAll('\n', ' ')}`);
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
