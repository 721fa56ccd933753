/** What agent and keeper write into the folder of a run. Whoever of them ends, at any point, this is what the next one has. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessIdentity, parseStat, readIfThere } from './proc.ts';
import type { Run, RunEnd, RunPlan } from './run.ts';

/** A newer one adds members and messages; neither side minds what it does not know. */
export const PROTOCOL = 1;

/** Written by the agent before it starts the keeper. */
export interface PlanFile {
  readonly protocol: number;
  readonly plan: RunPlan;
  /** On the clock of `bootMs`, in this boot; null: it needs no lease. */
  readonly leaseUntil: number | null;
  readonly boot: string;
  readonly logs: LogLimits;
}

export interface LogLimits {
  readonly fileBytes: number;
  /** So many times `fileBytes` are kept of a coordinate. */
  readonly files: number;
}

/**
 * Who keeps the run: written once, by the keeper before it does anything, or by an agent that found a run without a keeper,
 * so that one which comes late starts nothing.
 */
export interface KeeperFile {
  readonly protocol: number;
  /** Null: nobody, and nobody may any more. */
  readonly keeper: ProcessIdentity | null;
  readonly startedAt: string;
  /** Folders of control groups in which something of the run may be; their names belong to it alone. */
  readonly groups: readonly string[];
}

export interface RunFacts {
  readonly pid: number;
  /** In RFC 3339. */
  readonly startedAt: string;
  readonly limits: Run['limits'];
}

/** Written before the end is told to anybody. */
export interface EndFile extends RunFacts {
  readonly end: RunEnd;
}

export const FILES = {
  plan: 'plan.json',
  keeper: 'keeper.json',
  /** The line of /proc/<pid>/stat of the program, written by itself before it is the program. */
  program: 'program',
  end: 'end.json',
  socket: 'socket',
  /** What the keeper says when it fails. */
  log: 'keeper.log',
} as const;

/** Null when it is missing, or damaged as by a power cut. @throws Error when it cannot be read */
export function readJson<T>(folder: string, name: string): T | null {
  const text = readIfThere(join(folder, name)) ?? 'null';
  try {
    return JSON.parse(text) as T | null;
  } catch {
    return null;
  }
}

/** The program that was started in a run; null: none was. The boot is the keeper's. */
export function readProgram(folder: string, boot: string): ProcessIdentity | null {
  const stat = parseStat(readIfThere(join(folder, FILES.program)) ?? '');
  return stat === null ? null : { pid: stat.pid, start: stat.start, boot };
}

/** It is there whole, or not at all, also after a power cut. */
export function writeDurably(folder: string, name: string, value: object): void {
  const temporary = writeTemporary(folder, name, value);
  renameSync(temporary, join(folder, name));
  syncFolder(folder);
}

/** Like `writeDurably`, for the first one only: answers false when somebody else was first. */
export function claimDurably(folder: string, name: string, value: object): boolean {
  const temporary = writeTemporary(folder, name, value);
  try {
    linkSync(temporary, join(folder, name));
    syncFolder(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeTemporary(folder: string, name: string, value: object): string {
  const temporary = join(folder, `${name}.${randomBytes(6).toString('hex')}`);
  const file = openSync(temporary, 'wx', 0o600);
  try {
    const bytes = Buffer.from(JSON.stringify(value));
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return temporary;
}

export function syncFolder(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
