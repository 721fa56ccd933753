import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadDesired } from '../../src/nodee/desired.ts';
import { lockFolder } from '../../src/nodee/folder-lock.ts';
import { Following } from '../../src/nodee/following.ts';
import { publishable } from '../../src/nodee/report.ts';
import { hostReport } from '../../src/nodee/types.ts';
import { REPORT, silentLog } from './support/api.ts';
import { specOf } from './support/doubles.ts';

const OWNER = fileURLToPath(new URL('./support/lock-owner.ts', import.meta.url));
let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodee-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

function startOwner(): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', OWNER, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function said(child: ChildProcess): Promise<string> {
  const [text] = (await once(child.stdout!, 'data')) as [Buffer];
  return String(text).trim();
}

describe('the folder of an agent', () => {
  it('has one agent at a time', async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow('Another agent uses the folder');
    await lock.release();
    await (await lockFolder(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('lets processes of other users through to what is theirs, and shows them nothing', async () => {
    const fresh = join(folder, 'fresh', 'nodee');
    await (await lockFolder(fresh)).release();
    expect((await stat(fresh)).mode & 0o777).toBe(0o711);
  });

  it('is free again when its agent was killed', async () => {
    const child = startOwner();
    expect(await said(child)).toBe('locked');
    await expect(lockFolder(folder)).rejects.toThrow('Another agent uses the folder');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await lockFolder(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('never has two of many that begin at once after one was killed', async () => {
    const dead = startOwner();
    await said(dead);
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => lockFolder(folder)));
    const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(locks.length).toBeLessThanOrEqual(1);
    await Promise.all(locks.map((lock) => lock.release()));
    await (await lockFolder(folder)).release();
  });

  it('says so when its path is too long for sockets', async () => {
    const deep = join(folder, 'x'.repeat(100));
    await mkdir(deep);
    await expect(lockFolder(deep)).rejects.toThrow('NODEE_DIR is too long');
  });
});

describe('what is wanted of a host', () => {
  const text = (generation: number, ...coordinates: string[]) =>
    JSON.stringify({ generation, processes: coordinates.map((coordinate) => specOf(coordinate)) });

  it('is kept for the next agent, which begins with it when ZooKeeper is away', async () => {
    const first = new Following(folder, null, () => {}, silentLog);
    first.owns(true);
    for (let generation = 1; generation <= 20; generation++) first.configured(text(generation, '1.web.ops.oslo'));
    await first.kept();
    const stored = await loadDesired(folder);
    expect(stored?.generation).toBe(20);
    const wanted: number[] = [];
    const second = new Following(folder, stored, ({ generation }) => wanted.push(generation), silentLog);
    expect(wanted).toEqual([]);
    second.fallBack();
    second.fallBack();
    second.configured(text(21));
    expect(wanted).toEqual([20, 21]);
    await second.kept();
  });

  it('is not followed by one that never owned the coordinate, nor by one that lost it', async () => {
    const wanted: number[] = [];
    const following = new Following(folder, null, ({ generation }) => wanted.push(generation), silentLog);
    following.configured(text(1));
    following.fallBack();
    expect(wanted).toEqual([]);
    following.owns(true);
    following.owns(false);
    following.configured(text(2));
    expect(wanted).toEqual([1]);
    following.owns(true);
    expect(wanted).toEqual([1, 2]);
    await following.kept();
  });

  it('is nothing where what was kept is damaged', async () => {
    for (const content of ['', '{', '{"generation":1}', '\0', '[]', 'null']) {
      await writeFile(join(folder, 'desired.json'), content);
      expect(await loadDesired(folder)).toBeNull();
    }
  });
});

describe('a report', () => {
  it.each([0, 1, 1_000])('with %s processes fits into a node, and can be read', (count) => {
    const process = {
      ...{ coordinate: '1.web.ops.oslo', state: 'failed', message: '\u0000'.repeat(3_000), artifact: null, spec: null },
      ...{ refused: null, pid: null, restarts: 0, since: '', memory_bytes: null, cpu: null, limits: {} },
      ports: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`port_${index}`, 65_535])),
    } as const;
    const problems = Array.from({ length: 100 }, () => '"'.repeat(10_000));
    const published = publishable({ ...REPORT, processes: Array(count).fill(process), problems });
    expect(Buffer.byteLength(JSON.stringify(published))).toBeLessThanOrEqual(900_000);
    const { processes, problems: told } = hostReport.parse(JSON.parse(published));
    expect(processes.length === count || told.some((problem) => problem.includes('left out'))).toBe(true);
  });
});
