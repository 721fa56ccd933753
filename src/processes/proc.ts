/** What Linux says of processes, so that one that merely got a dead one's number is never mistaken for it. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of a second, as /proc counts it. */
const TICKS = 100;

/** A process, and no other one that gets its number later, nor after another boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks since the boot. */
  readonly start: string;
  /** Start times repeat after a boot, as numbers do. */
  readonly boot: string;
}

export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly start: string;
  /** With the children that it waited for. */
  readonly cpuMs: number;
  /** Nothing of it is left but its number. */
  readonly isGone: boolean;
}

let knownBoot: string | undefined;

export function bootId(): string {
  knownBoot ??= readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? 'unknown';
  return knownBoot;
}

/**
 * Ms since the boot, on a clock that nobody sets and that goes on while the machine is suspended: Node's own monotonic clock
 * stands still then, and a lease would last longer than others think. All processes of the machine see the same.
 */
export function bootMs(): number {
  const seconds = Number(read('/proc/uptime')?.split(' ')[0]);
  return Number.isFinite(seconds) ? seconds * 1_000 : Number(process.hrtime.bigint() / 1_000_000n);
}

/** Null: it is gone. @throws Error when that cannot be seen, as with too many open files */
export function statOf(pid: number): ProcessStat | null {
  return parseStat(readIfThere(`/proc/${pid}/stat`) ?? '');
}

/** A line of /proc/<pid>/stat. The name, in parentheses, may hold anything. */
export function parseStat(text: string): ProcessStat | null {
  const match = /^(\d+) \(/.exec(text);
  const end = text.lastIndexOf(')');
  if (match === null || end < 0) return null;
  // Counted from field 3, the state.
  const fields = text.slice(end + 2).split(' ');
  if (fields.length < 20) return null;
  const number = (field: number) => Number(fields[field - 3]);
  return {
    pid: Number(match[1]),
    parent: number(4),
    group: number(5),
    session: number(6),
    start: fields[19]!,
    cpuMs: ((number(14) + number(15) + number(16) + number(17)) * 1_000) / TICKS,
    // While threads are left, the first one is a zombie that still has all of its files.
    isGone: /[ZX]/.test(fields[0]!) && number(20) <= 1,
  };
}

export function identityOf(stat: ProcessStat): ProcessIdentity {
  return { pid: stat.pid, start: stat.start, boot: bootId() };
}

export function isAlive({ pid, start, boot }: ProcessIdentity): boolean {
  if (boot !== bootId()) return false;
  const stat = statOf(pid);
  return stat !== null && stat.start === start && !stat.isGone;
}

/** What is alive of the process group and the session that this process leads, or led. */
export function membersOf(leader: number): ProcessStat[] {
  return allProcesses().filter((stat) => !stat.isGone && (stat.group === leader || stat.session === leader));
}

function allProcesses(): ProcessStat[] {
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return names.flatMap((name) => statOf(Number(name)) ?? []);
}

/** Does nothing when it is gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  // kill(0) and kill(-1) would reach us, and everybody.
  if (!Number.isInteger(pid) || Math.abs(pid) < 2) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    // EPERM: it took other rights than ours. Whoever waits for its end goes on waiting.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Bytes; shared memory is counted in shares, where we may read these. */
export function memoryOf(pid: number): number {
  const shares = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')?.[1];
  const resident = shares ?? /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(resident ?? 0) * 1_024;
}

/** No such file or process, also when it ended while it was read, or has no such thing, as a group of threads. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV', 'EOPNOTSUPP'];

export function isMissing(error: unknown): boolean {
  return MISSING.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** For what is decided upon: null means that it is not there, and nothing else. @throws Error */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** For what may be left out. */
export function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
