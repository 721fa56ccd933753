/** The data folder of an embedded replica set: who owns it, which ports its members have, throw-away ones. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endStaleMongod } from './mongod-process.ts';
import { describeProcess } from './process-table.ts';

const THROW_AWAY_PREFIX = 'kvitt-mongod-';
const OWNER_FILE = 'owner.json';
const PORTS_FILE = 'ports.json';

interface Owner {
  readonly pid: number;
  readonly process: string | null;
}

export function memberFolder(dataDir: string, index: number): string {
  return join(dataDir, `member-${index}`);
}

/** A new folder for one run. Clears away those whose owner was killed, and ends their mongod processes. */
export async function createThrowAwayFolder(): Promise<string> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(THROW_AWAY_PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const owner = await readOwner(folder);
    if (!owner || (await isAlive(owner))) continue;
    await endStaleMembers(folder);
    await rm(folder, { recursive: true, force: true });
  }
  return mkdtemp(join(tmpdir(), THROW_AWAY_PREFIX));
}

/** Makes this process the owner of the folder. Throws an Error when another one that lives owns it. */
export async function takeFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, OWNER_FILE);
  const me = JSON.stringify({ pid: process.pid, process: await describeProcess(process.pid) });
  for (let attempt = 0; attempt < 3; attempt++) {
    const taken = await writeFile(file, me, { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false;
        throw error;
      },
    );
    if (taken) return;
    const owner = await readOwner(dataDir);
    if (owner && (await isAlive(owner))) break;
    await rm(file, { force: true });
  }
  const owner = await readOwner(dataDir);
  throw new Error(
    `The embedded replica set in ${dataDir} is in use by process ${owner?.pid}. Stop that, or choose another folder.`,
  );
}

export async function releaseFolder(dataDir: string): Promise<void> {
  await rm(join(dataDir, OWNER_FILE), { force: true });
}

/** Does another process that lives own the folder? */
export async function isInUse(dataDir: string): Promise<boolean> {
  const owner = await readOwner(dataDir);
  return owner !== null && (await isAlive(owner));
}

/** Ends the mongod processes that a killed owner left behind. Answers their numbers. */
export async function endStaleMembers(dataDir: string): Promise<number[]> {
  const members = (await readdir(dataDir)).filter((name) => name.startsWith('member-'));
  const ended = await Promise.all(members.map((name) => endStaleMongod(join(dataDir, name))));
  return ended.filter((pid) => pid !== null);
}

/** The ports of the run before, or null in a new folder. */
export async function readPorts(dataDir: string): Promise<number[] | null> {
  const text = await readFile(join(dataDir, PORTS_FILE), 'utf8').catch(() => null);
  return text === null ? null : JSON.parse(text);
}

export async function writePorts(dataDir: string, ports: readonly number[]): Promise<void> {
  const file = join(dataDir, PORTS_FILE);
  await writeFile(`${file}.new`, JSON.stringify(ports));
  await rename(`${file}.new`, file);
}

async function readOwner(folder: string): Promise<Owner | null> {
  const text = await readFile(join(folder, OWNER_FILE), 'utf8').catch(() => '');
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  const now = await describeProcess(owner.pid);
  return now !== null && now === owner.process;
}
