/** What Linux says of processes and of the machine. Readings are null where it says nothing, as on other systems. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of a second, as /proc counts it. */
const TICKS = 100;
const NS_PER_MS = 1e6;
const UTIME_FIELD = 13;

/** Since the process began. */
export interface ProcessTimes {
  readonly cpuMs: number;
  /** Of the thread that runs its event loop, if it has one. */
  readonly mainThreadCpuMs: number;
  /** How long that thread could have run and had no core. */
  readonly mainThreadWaitMs: number;
  readonly residentMiB: number;
}

export interface MachineTimes {
  readonly busyMs: number;
  /** How long at least one process waited for a core, or for the disk. */
  readonly cpuPressureMs: number;
  readonly ioPressureMs: number;
}

/** Of the control group that bounds the CPU of a process. */
export interface Throttling {
  /** Cores that it may use; null: all. */
  readonly quotaCores: number | null;
  readonly throttledMs: number;
}

/** `family`: with the processes that it has started, and theirs. */
export function processTimes(pid: number, { family: withFamily }: { family: boolean }): ProcessTimes | null {
  const main = read(`/proc/${pid}/task/${pid}/stat`);
  if (main === null) return null;
  const waitNs = Number(read(`/proc/${pid}/task/${pid}/schedstat`)?.split(' ')[1] ?? 0);
  const family = withFamily ? [pid, ...descendants(pid)] : [pid];
  return {
    cpuMs: sum(family.map((one) => cpuMsOf(read(`/proc/${one}/stat`)))),
    mainThreadCpuMs: cpuMsOf(main),
    mainThreadWaitMs: waitNs / NS_PER_MS,
    residentMiB: sum(family.map(residentMiB)),
  };
}

function descendants(pid: number): number[] {
  const children = (read(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** The name, in parentheses, may hold anything. */
function cpuMsOf(stat: string | null): number {
  if (stat === null) return 0;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = fields.slice(UTIME_FIELD - 2, UTIME_FIELD);
  return ((Number(user) + Number(system)) * 1000) / TICKS;
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? 0) / 1024;
}

export function machineTimes(): MachineTimes | null {
  const line = /^cpu +(.+)$/m.exec(read('/proc/stat') ?? '')?.[1];
  if (line === undefined) return null;
  // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of user.
  const [user, nice, system, , , irq, softirq, steal] = line.split(' ').map(Number);
  return {
    busyMs: (sum([user!, nice!, system!, irq!, softirq!, steal!]) * 1000) / TICKS,
    cpuPressureMs: pressureMs('cpu'),
    ioPressureMs: pressureMs('io'),
  };
}

function pressureMs(of: 'cpu' | 'io'): number {
  return Number(/^some .*total=(\d+)$/m.exec(read(`/proc/pressure/${of}`) ?? '')?.[1] ?? 0) / 1000;
}

/** Of its control group and of those around it, in either version. */
export function throttlingOf(pid: number): Throttling | null {
  const groups = read(`/proc/${pid}/cgroup`) ?? '';
  const first = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  if (first !== undefined) return combined('/sys/fs/cgroup/cpu', first, throttlingOfFirst);
  const unified = /^0::(.*)$/m.exec(groups)?.[1];
  return unified === undefined ? null : combined('/sys/fs/cgroup', unified, throttlingOfUnified);
}

/** Some groups of a path may not be visible from inside a container. */
function combined(root: string, path: string, look: (folder: string) => Throttling | null): Throttling | null {
  const found: Throttling[] = [];
  for (let folder = join(root, path); folder.startsWith(root); folder = dirname(folder)) {
    const throttling = look(folder);
    if (throttling !== null) found.push(throttling);
  }
  if (found.length === 0) return null;
  const quotas = found.flatMap(({ quotaCores }) => (quotaCores === null ? [] : [quotaCores]));
  return {
    quotaCores: quotas.length === 0 ? null : Math.min(...quotas),
    throttledMs: sum(found.map(({ throttledMs }) => throttledMs)),
  };
}

/** Of cgroups of the first version, in microseconds, and nanoseconds for what was throttled. */
function throttlingOfFirst(folder: string): Throttling | null {
  const throttled = numberIn(read(join(folder, 'cpu.stat')), 'throttled_time');
  const quota = Number(read(join(folder, 'cpu.cfs_quota_us')) ?? -1);
  const period = Number(read(join(folder, 'cpu.cfs_period_us')) ?? 0);
  if (throttled === null) return null;
  return { quotaCores: quota > 0 ? quota / period : null, throttledMs: throttled / NS_PER_MS };
}

function throttlingOfUnified(folder: string): Throttling | null {
  const throttled = numberIn(read(join(folder, 'cpu.stat')), 'throttled_usec');
  const [quota, period] = (read(join(folder, 'cpu.max')) ?? 'max').trim().split(' ').map(Number);
  if (throttled === null) return null;
  return { quotaCores: quota! > 0 ? quota! / period! : null, throttledMs: throttled / 1000 };
}

/** Connections to a port of 127.0.0.1 that wait to be accepted. */
export function waitingToBeAccepted(port: number): number {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of (read('/proc/net/tcp') ?? '').split('\n')) {
    const [, address, , state, queues] = line.trim().split(/\s+/);
    if (address === local && state === '0A') return Number.parseInt(queues!.split(':')[1]!, 16);
  }
  return 0;
}

function numberIn(text: string | null, name: string): number | null {
  const value = new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1];
  return value === undefined ? null : Number(value);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
