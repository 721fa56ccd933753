/**
 * The log of a coordinate is a folder of files, each written by one keeper only and never renamed: two that write side by
 * side need no lock, and a reader that finds a later file of the same run knows that the one before is complete.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLimits } from './keeper-files.ts';

const NAME = /^(\d{15})-([A-Za-z0-9]{1,64})\.log$/;
/** A file a run is kept at least: a process that is restarted every few seconds must not leave a million of them. */
const FILES_MAX = 100;

export interface LogFile {
  readonly name: string;
  readonly run: string;
  /** Grows with time, and within a run always. */
  readonly order: number;
  readonly bytes: number;
}

/** The oldest first. */
export function logFiles(folder: string): LogFile[] {
  const files = names(folder).flatMap((name): LogFile[] => {
    const match = NAME.exec(name);
    if (match === null) return [];
    const bytes = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
    return bytes === undefined ? [] : [{ name, run: match[2]!, order: Number(match[1]), bytes }];
  });
  return files.sort((a, b) => a.order - b.order);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** What the next file of a run is called. The clock may have been set back since the last one. */
export function nextLogName(folder: string, run: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const last = logFiles(folder).findLast((file) => file.run === run)?.order ?? 0;
  return `${String(Math.max(Date.now(), last + 1)).padStart(15, '0')}-${run}.log`;
}

/**
 * Removes the oldest files of what is too much.
 *
 * @param isOpen whether that run may still write into its last file
 */
export function pruneLogs(folder: string, limits: LogLimits, isOpen: (run: string) => boolean): void {
  const files = logFiles(folder);
  const last = new Map(files.map(({ run, name }) => [run, name]));
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let count = files.length;
  for (const file of files) {
    if (bytes <= limits.fileBytes * limits.files && count <= FILES_MAX) return;
    if (last.get(file.run) === file.name && isOpen(file.run)) continue;
    rmSync(join(folder, file.name), { force: true });
    bytes -= file.bytes;
    count--;
  }
}
