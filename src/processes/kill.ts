/** Ends all that belongs to a run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { killInGroups } from './cgroup.ts';
import { membersOf, type ProcessIdentity, signal, statOf } from './proc.ts';

const POLL_MS = { first: 5, max: 200 } as const;

/** TERM to the process group; what is stopped goes on, so that it can hear it. */
export function terminate(program: ProcessIdentity): void {
  if (isOurs(program)) for (const name of ['SIGTERM', 'SIGCONT'] as const) signal(-program.pid, name);
}

/** Resolves when nothing of the program's group, its session and its control groups is left. */
export async function killAll(program: ProcessIdentity | null, groups: readonly string[]): Promise<void> {
  for (let ms: number = POLL_MS.first; killOnce(program, groups); ms = Math.min(2 * ms, POLL_MS.max)) await sleep(ms);
}

/** Was there something, or may there have been? What waits for a disk in the kernel ends later. */
function killOnce(program: ProcessIdentity | null, groups: readonly string[]): boolean {
  try {
    const wasMember = program !== null && killSession(program);
    return killInGroups(groups) || wasMember;
  } catch {
    // As with too many open files: what cannot be seen is not taken for gone.
    return true;
  }
}

function killSession(program: ProcessIdentity): boolean {
  if (!isOurs(program)) return false;
  const members = membersOf(program.pid);
  for (const { pid } of members) signal(pid, 'SIGKILL');
  return members.length > 0;
}

/**
 * The kernel gives nobody the number of a process while something is left of its group or session. So if another process
 * has the number, nothing of ours is left; if none has, a group of that number is what ours left behind.
 */
function isOurs({ pid, start }: ProcessIdentity): boolean {
  const stat = statOf(pid);
  return stat === null || stat.start === start;
}
