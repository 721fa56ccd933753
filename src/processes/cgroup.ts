/**
 * Control groups of a run, in either version: they bound memory and CPU, and hold together what left the process group.
 * What cannot be had here is left out: nothing of this ever fails a run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMissing, read, readIfThere, signal } from './proc.ts';

/** Those of all runs are in one of this name. */
const PARENT = 'kvitt-nodee';
const CONTROLLERS = ['memory', 'cpu'] as const;
const PERIOD_US = 100_000;
const QUOTA_US_MIN = 1_000;
/** The kernel lets go of an emptied group a moment later. */
const REMOVAL = { tries: 20, ms: 25 } as const;
const PROBE_MS_MAX = 5_000;

type Controller = (typeof CONTROLLERS)[number];
export type GroupVersion = 'cgroup2' | 'cgroup1';

/** Where a group may be made: in one of several mounted hierarchies, at its top or in the group that we are in. */
export interface GroupPlace {
  readonly version: GroupVersion;
  /** Of a cgroup2 it is known once the group is there. */
  readonly controllers: readonly string[];
  readonly base: string;
  /** Of the group itself, whether it exists or not. */
  readonly folder: string;
}

export interface Groups {
  /** Which the program has to join. */
  readonly joined: readonly string[];
  readonly kept: Readonly<Partial<Record<Controller, GroupVersion>>>;
}

/**
 * @param mounts as in /proc/mounts
 * @param own as in /proc/self/cgroup
 */
export function groupPlaces(mounts: string, own: string, id: string): GroupPlace[] {
  return mounts.split('\n').flatMap((line): GroupPlace[] => {
    const [, escaped, type, options] = line.split(' ');
    if ((type !== 'cgroup' && type !== 'cgroup2') || escaped === undefined) return [];
    const mount = escaped.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    const version = type === 'cgroup2' ? 'cgroup2' : 'cgroup1';
    const controllers = type === 'cgroup2' ? [] : options!.split(',');
    // At the top first: a service manager may end what is in the agent's own group together with the agent, and a cgroup2
    // that holds processes can bound none of its children.
    const bases = new Set([mount, join(mount, ownPath(own, version, controllers))]);
    return [...bases].map((base) => ({ version, controllers, base, folder: join(base, PARENT, id) }));
  });
}

function ownPath(own: string, version: GroupVersion, controllers: readonly string[]): string {
  for (const line of own.split('\n')) {
    const [number, names, ...path] = line.split(':');
    const isIt =
      version === 'cgroup2'
        ? number === '0' && names === ''
        : names?.split(',').some((name) => name !== '' && controllers.includes(name));
    if (isIt) return path.join(':');
  }
  return '/';
}

/** Makes what is needed: a group that holds the run together, and those that keep its limits. */
export function makeGroups(
  places: readonly GroupPlace[],
  limits: { readonly memory?: number; readonly cpu?: number },
): Groups {
  const joined: string[] = [];
  const kept: Partial<Record<Controller, GroupVersion>> = {};
  const unified = places.find((place) => place.version === 'cgroup2' && make(place));
  if (unified !== undefined) joined.push(unified.folder);
  for (const controller of CONTROLLERS) {
    const limit = limits[controller];
    if (limit === undefined) continue;
    if (unified !== undefined && bound(unified, controller, limit)) {
      kept[controller] = 'cgroup2';
      continue;
    }
    const first = firstWith(places, controller).find((place) => make(place) && bound(place, controller, limit));
    if (first === undefined) continue;
    kept[controller] = 'cgroup1';
    if (!joined.includes(first.folder)) joined.push(first.folder);
  }
  if (joined.length === 0) {
    const any = CONTROLLERS.flatMap((controller) => firstWith(places, controller)).find(make);
    if (any !== undefined) joined.push(any.folder);
  }
  return { joined, kept };
}

function firstWith(places: readonly GroupPlace[], controller: Controller): GroupPlace[] {
  return places.filter(({ version, controllers }) => version === 'cgroup1' && controllers.includes(controller));
}

function make(place: GroupPlace): boolean {
  if (!isMade(join(place.base, PARENT)) || !isMade(place.folder)) return false;
  if (place.version === 'cgroup2') {
    for (const folder of [place.base, join(place.base, PARENT)]) for (const name of CONTROLLERS) enable(folder, name);
  }
  return canJoin(place.folder);
}

/** One folder at a time: where the kernel says ENOENT of a folder that is there, `recursive` tries for ever. */
function isMade(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o755 });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST';
  }
}

/** Refused where the controller is in use by version 1, or where the group holds processes itself. */
function enable(folder: string, controller: Controller): void {
  if (!read(join(folder, 'cgroup.controllers'))?.split(/\s/).includes(controller)) return;
  write(join(folder, 'cgroup.subtree_control'), `+${controller}`);
}

/** A group may be made where nothing may be moved into it, as when it is not delegated to us. */
function canJoin(folder: string): boolean {
  const script = 'echo $$ > "$1/cgroup.procs"';
  return spawnSync('/bin/sh', ['-c', script, 'sh', folder], { stdio: 'ignore', timeout: PROBE_MS_MAX }).status === 0;
}

function bound({ version, folder }: GroupPlace, controller: Controller, limit: number): boolean {
  if (version === 'cgroup2') {
    if (controller === 'cpu') return write(join(folder, 'cpu.max'), `${quota(limit)} ${PERIOD_US}`);
    // Without this it would be swapped out rather than ended, and all of it ends, not one process of several.
    write(join(folder, 'memory.swap.max'), '0');
    write(join(folder, 'memory.oom.group'), '1');
    return write(join(folder, 'memory.max'), `${limit}`);
  }
  if (controller === 'cpu') {
    write(join(folder, 'cpu.cfs_period_us'), `${PERIOD_US}`);
    return write(join(folder, 'cpu.cfs_quota_us'), `${quota(limit)}`);
  }
  const isBound = write(join(folder, 'memory.limit_in_bytes'), `${limit}`);
  write(join(folder, 'memory.memsw.limit_in_bytes'), `${limit}`);
  return isBound;
}

function quota(cores: number): number {
  return Math.max(QUOTA_US_MIN, Math.round(cores * PERIOD_US));
}

function write(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

/** Those that exist, with the groups that a program made inside, these first. */
function withInner(folder: string): string[] {
  try {
    const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...inner.flatMap(({ name }) => withInner(join(folder, name))), folder];
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** @throws Error when it cannot be seen whether there are any */
export function processesIn(folders: readonly string[]): number[] {
  const lines = folders
    .flatMap(withInner)
    .flatMap((folder) => (readIfThere(join(folder, 'cgroup.procs')) ?? '').split('\n').filter(Boolean));
  // 0 is one that our namespace of process numbers does not see.
  return [...new Set(lines.map(Number))].filter((pid) => pid > 0);
}

/** Ends what is in them; answers whether there was something. */
export function killInGroups(folders: readonly string[]): boolean {
  const pids = processesIn(folders);
  if (pids.length === 0) return false;
  for (const folder of folders) write(join(folder, 'cgroup.kill'), '1');
  // Also where version 2 did it at once: a group of version 1 has no other way.
  for (const pid of pids) signal(pid, 'SIGKILL');
  return true;
}

export async function removeGroups(folders: readonly string[]): Promise<void> {
  for (let tries = 0; tries < REMOVAL.tries; tries++) {
    for (const folder of folders.filter((each) => existsSync(each)).flatMap(withInner)) remove(folder);
    if (!folders.some((folder) => existsSync(folder))) return;
    await sleep(REMOVAL.ms);
  }
}

function remove(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Tried again, or gone.
  }
}

/** Bytes without those of files that the kernel can drop at once; null when none of the groups counts them. */
export function groupMemory(folders: readonly string[]): number | null {
  for (const folder of folders) {
    const used = read(join(folder, 'memory.current')) ?? read(join(folder, 'memory.usage_in_bytes'));
    if (used === null) continue;
    const stat = read(join(folder, 'memory.stat')) ?? '';
    const droppable = /^total_inactive_file (\d+)$/m.exec(stat) ?? /^inactive_file (\d+)$/m.exec(stat);
    return Math.max(0, Number(used) - Number(droppable?.[1] ?? 0));
  }
  return null;
}

export function groupCpuMs(folders: readonly string[]): number | null {
  for (const folder of folders) {
    const us = /^usage_usec (\d+)$/m.exec(read(join(folder, 'cpu.stat')) ?? '')?.[1];
    if (us !== undefined) return Number(us) / 1_000;
    const ns = read(join(folder, 'cpuacct.usage'));
    if (ns !== null) return Number(ns) / 1_000_000;
  }
  return null;
}

/** How often the kernel ended something because of the memory limit; null: not known. */
export function memoryKills(folders: readonly string[]): number | null {
  for (const folder of folders) {
    const events = read(join(folder, 'memory.events')) ?? read(join(folder, 'memory.oom_control')) ?? '';
    const kills = /^oom_kill (\d+)$/m.exec(events)?.[1];
    if (kills !== undefined) return Number(kills);
  }
  return null;
}
