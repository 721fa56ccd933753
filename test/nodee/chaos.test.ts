import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { signal } from '../../src/processes/proc.ts';
import { Namespace, until } from '../cloudname/support/namespace.ts';
import { seeded } from '../simulation/virtual-world.ts';
import { compile } from '../support/build.ts';
import { ChaosHosts } from './support/chaos.ts';

/** Other plans, and longer ones, are run by hand: `CHAOS_SEED=7 CHAOS_DEEDS=20 npx vitest run test/nodee/chaos.test.ts`. */
const SEED = Number(process.env.CHAOS_SEED ?? 1);
const GENTLE = Number(process.env.CHAOS_GENTLE ?? 3);
const HARSH = Number(process.env.CHAOS_DEEDS ?? 4);
const TEST_MS_MAX = 600_000;
const REST_MS_MAX = 180_000;

let folder: string;
let namespace: Namespace;
let hosts: ChaosHosts;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodee-'));
  await chmod(folder, 0o755);
  namespace = await Namespace.create(inject('zookeeperConnect'));
  const { program } = await compile();
  hosts = await ChaosHosts.create(program, folder, namespace.connect, seeded(SEED));
}, TEST_MS_MAX);

afterAll(async () => {
  await hosts?.stop();
  for (const { pid } of hosts?.marked ?? []) signal(pid, 'SIGKILL');
  await namespace?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('hosts to which all kinds of things happen come to what is wanted', { timeout: TEST_MS_MAX }, async () => {
  const cloudname = await namespace.open();
  await writeFile(hosts.beats, '');
  const first = await hosts.apply(hosts.services());
  expect(first, first.stderr).toMatchObject({ code: 0 });
  hosts.watch(cloudname);
  await hosts.afflict(cloudname, GENTLE, 'gentle');
  await hosts.afflict(cloudname, HARSH, 'any');
  await hosts.heal();
  try {
    const last = await hosts.apply(hosts.services(), '--timeout', '120');
    expect(last, last.stderr).toMatchObject({ code: 0 });
    await until(
      () => hosts.run('status'),
      ({ code }) => code === 0,
      REST_MS_MAX,
    );
    await until(unknown, (pids) => pids.length === 0, REST_MS_MAX);
    expect(await turns()).toEqual([]);
    expect(hosts.outages).toEqual([]);
    for (const agent of hosts.agents) {
      expect(agent.isAlive).toBe(true);
      expect(await readFile(agent.log, 'utf8')).not.toMatch(/unexpected error|unhandled|uncaught/i);
    }
    await hosts.unwatch();
    const end = await hosts.apply({});
    expect(end, end.stderr).toMatchObject({ code: 0 });
    expect(hosts.marked).toEqual([]);
  } catch (error) {
    throw new Error(`seed ${SEED}:\n${hosts.diary.join('\n')}\n${(error as Error).message}`, {
      cause: error,
    });
  }
});

/** Groups of processes that no host reports. */
async function unknown(): Promise<number[]> {
  const known = new Set((await hosts.reports()).flatMap(({ processes }) => processes.map(({ pid }) => pid)));
  return hosts.marked.map(({ group }) => group).filter((group) => !known.has(group));
}

/** Who beat again after another one had. */
async function turns(): Promise<string[]> {
  const all = await hosts.turns();
  return all.filter((turn, index) => all.indexOf(turn) !== index);
}
