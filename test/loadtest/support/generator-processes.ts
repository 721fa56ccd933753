import { readdirSync, readFileSync } from 'node:fs';

/** Generators whose parent is this process, or another. */
export function generatorsOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === parent && isGenerator(name))
    .map(Number);
}

/** A process that nobody has waited for yet is gone as well. */
export function isAlive(pid: number): boolean {
  return !['', 'Z'].includes(statOf(String(pid))[0] ?? '');
}

function isGenerator(pid: string): boolean {
  return readOrNothing(`/proc/${pid}/cmdline`).includes('generator-process');
}

function parentOf(pid: string): number {
  return Number(statOf(pid)[1]);
}

/** From its state on: what stands before has a name in it that may be anything. */
function statOf(pid: string): string[] {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
