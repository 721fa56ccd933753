/** Reads the log of a coordinate: the runs' files side by side, in the order of time, and on as they grow. */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogFile, logFiles } from './log-files.ts';
import { MARK_BYTES, TIME_BYTES } from './log-lines.ts';
import type { LogOptions } from './run.ts';

const CHUNK_BYTES = 65_536;
const POLL_MS = 100;
const NEWLINE = 0x0a;

/** Without `follow` it ends with what was there when it was called. */
export function readLog(folder: string, options: LogOptions): Readable {
  const ended = new AbortController();
  const output = Readable.from(chunks(folder, options, ended.signal), {
    objectMode: false,
    highWaterMark: CHUNK_BYTES,
  });
  // A generator that waits for more does not notice by itself that nobody reads it any more, and is waited for.
  const destroy = output._destroy;
  output._destroy = (error, done) => {
    ended.abort();
    destroy.call(output, error, done);
  };
  return output;
}

async function* chunks(folder: string, options: LogOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  const files = logFiles(folder);
  const runs = new Map<string, RunLog>();
  const isFollowing = options.follow === true;
  try {
    await learn(runs, folder, files, isFollowing);
    let skip = options.lines === undefined ? 0 : -options.lines;
    if (options.lines !== undefined) for (const log of runs.values()) skip += await log.seekToLast(options.lines);
    for (;;) {
      let chunk: Buffer[] = [];
      let bytes = 0;
      for (let line = await earliest(runs); line !== null && !signal.aborted; line = await earliest(runs)) {
        if (skip-- > 0) continue;
        const shown = options.marks === true ? line : line.subarray(MARK_BYTES);
        chunk.push(shown);
        bytes += shown.length;
        if (bytes < CHUNK_BYTES) continue;
        yield Buffer.concat(chunk);
        [chunk, bytes] = [[], 0];
      }
      if (bytes > 0) yield Buffer.concat(chunk);
      if (!isFollowing || signal.aborted) return;
      // What is written from now on is not among the last lines that were asked for, but comes after them.
      skip = 0;
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
      await learn(runs, folder, logFiles(folder), true);
    }
  } finally {
    for (const log of runs.values()) await log.close();
  }
}

async function learn(runs: Map<string, RunLog>, folder: string, files: readonly LogFile[], isGrowing: boolean) {
  for (const { run } of files) if (!runs.has(run)) runs.set(run, new RunLog(folder, isGrowing));
  for (const [run, log] of runs) {
    const own = files.filter((file) => file.run === run);
    if (own.length === 0 && log.isDone) {
      runs.delete(run);
      await log.close();
    }
    log.learn(own);
  }
}

async function earliest(runs: Map<string, RunLog>): Promise<Buffer | null> {
  let first: { log: RunLog; line: Buffer } | null = null;
  for (const log of runs.values()) {
    const line = await log.head();
    if (line === null) continue;
    if (first === null || line.compare(first.line, 0, TIME_BYTES, 0, TIME_BYTES) < 0) first = { log, line };
  }
  first?.log.take();
  return first?.line ?? null;
}

/** The lines of one run, over all of its files. */
class RunLog {
  /** The first one is being read. */
  #files: LogFile[] = [];
  #lastOrder = -1;
  #handle: FileHandle | null = null;
  #offset = 0;
  #rest: Buffer = Buffer.alloc(0);
  #lines: Buffer[] = [];
  #next = 0;
  /** At the end of what there is; looked at again once `learn` was called. */
  #isDry = false;

  constructor(
    private readonly folder: string,
    private readonly isGrowing: boolean,
  ) {}

  get isDone(): boolean {
    return this.#isDry && this.#files.length <= 1;
  }

  learn(files: readonly LogFile[]): void {
    this.#files.push(...files.filter(({ order }) => order > this.#lastOrder));
    this.#lastOrder = this.#files.at(-1)?.order ?? this.#lastOrder;
    this.#isDry = false;
  }

  /** Moves to where at most so many lines are left of what there is; answers how many. */
  async seekToLast(lines: number): Promise<number> {
    let seen = 0;
    for (let index = this.#files.length - 1; index >= 0; index--) {
      const file = this.#files[index]!;
      const ends = await lineEnds(join(this.folder, file.name), file.bytes);
      seen += ends.length;
      if (seen <= lines) continue;
      this.#offset = ends[seen - lines - 1]!;
      this.#files.splice(0, index);
      return lines;
    }
    return seen;
  }

  async head(): Promise<Buffer | null> {
    while (this.#next === this.#lines.length && !this.#isDry) await this.#readMore();
    return this.#lines[this.#next] ?? null;
  }

  take(): void {
    this.#next++;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
  }

  async #readMore(): Promise<void> {
    const file = this.#files[0];
    if (file === undefined) {
      this.#isDry = true;
      return;
    }
    this.#handle ??= await openIfThere(join(this.folder, file.name));
    const wanted = this.isGrowing ? CHUNK_BYTES : Math.min(CHUNK_BYTES, file.bytes - this.#offset);
    const chunk = Buffer.allocUnsafe(Math.max(0, wanted));
    const bytesRead = wanted > 0 ? ((await this.#handle?.read(chunk, 0, wanted, this.#offset))?.bytesRead ?? 0) : 0;
    if (bytesRead > 0) return this.#split(chunk.subarray(0, bytesRead));
    // We knew of the next file before we found this one at its end, and so nothing will be added to it.
    if (this.#files.length > 1) return await this.#toNextFile();
    this.#isDry = true;
  }

  #split(chunk: Buffer): void {
    this.#offset += chunk.length;
    const bytes = Buffer.concat([this.#rest, chunk]);
    this.#lines = [];
    this.#next = 0;
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.#lines.push(bytes.subarray(from, end + 1));
      from = end + 1;
    }
    this.#rest = bytes.subarray(from);
  }

  /** What has no end there was half written when the disk was full, or the keeper was killed. */
  async #toNextFile(): Promise<void> {
    await this.close();
    this.#files.shift();
    this.#offset = 0;
    this.#rest = Buffer.alloc(0);
  }
}

/** Null when it was removed as too old. */
async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Where each line of the first so many bytes of a file ends. */
async function lineEnds(path: string, bytes: number): Promise<number[]> {
  const handle = await openIfThere(path);
  if (handle === null) return [];
  const ends: number[] = [];
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let from = 0; from < bytes; ) {
      const { bytesRead } = await handle.read(chunk, 0, Math.min(CHUNK_BYTES, bytes - from), from);
      if (bytesRead === 0) break;
      const read = chunk.subarray(0, bytesRead);
      for (let at = read.indexOf(NEWLINE); at >= 0; at = read.indexOf(NEWLINE, at + 1)) ends.push(from + at + 1);
      from += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return ends;
}
