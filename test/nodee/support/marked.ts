/** Processes that carry a mark in their environment, whoever started them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeeperFile } from '../../../src/processes/keeper-files.ts';
import { isAlive, type ProcessIdentity, statOf } from '../../../src/processes/proc.ts';

export interface Marked {
  readonly pid: number;
  readonly group: number;
  readonly env: Readonly<Record<string, string>>;
}

export function markedBy(name: string, value: string): Marked[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.flatMap((entry) => {
    const env = environmentOf(entry);
    const stat = statOf(Number(entry));
    return env[name] !== value || stat === null || stat.isGone ? [] : [{ pid: stat.pid, group: stat.group, env }];
  });
}

/** Keepers of the runs below an agent's folder that live. */
export function keepersIn(folder: string): ProcessIdentity[] {
  const runs = join(folder, 'runs');
  return list(runs)
    .flatMap((coordinate) => list(join(runs, coordinate, 'runs')).map((run) => join(runs, coordinate, 'runs', run)))
    .flatMap((run) => keeperOf(run) ?? []);
}

function keeperOf(run: string): ProcessIdentity | null {
  try {
    const { keeper } = JSON.parse(readFileSync(join(run, 'keeper.json'), 'utf8')) as KeeperFile;
    return keeper !== null && isAlive(keeper) ? keeper : null;
  } catch {
    return null;
  }
}

function environmentOf(pid: string): Record<string, string> {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return Object.fromEntries(entries.map((entry) => [entry.split('=', 1)[0]!, entry.slice(entry.indexOf('=') + 1)]));
  } catch {
    return {};
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
