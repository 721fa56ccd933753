/** What agents promise of rights, signatures, limits and pressure, as somebody who operates them finds it. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freePort } from '../../src/mongo/free-ports.ts';
import { availableMemory } from '../../src/processes/pressure.ts';
import { Namespace, until } from '../cloudname/support/namespace.ts';
import { compile } from '../support/build.ts';
import { AgentOnHost, type Answer, type Nodee, nodee } from './support/hosts.ts';

const isRoot = process.getuid!() === 0;
const STARTED_MS_MAX = 240_000;
const WAIT_MS_MAX = 60_000;
const MIB = 2 ** 20;
/** Takes so many MiB of memory. */
const PROGRAM = `const [, , mib = '0'] = process.argv;
const taken = [];
setInterval(() => { if (taken.length < Number(mib)) taken.push(Buffer.alloc(${MIB}, 1)); }, 5);
`;

interface Shown {
  readonly coordinate: string;
  readonly actual: { readonly state: string; readonly message: string } | null;
}

describe('an agent that is operated', { timeout: STARTED_MS_MAX }, () => {
  let folder: string;
  let namespace: Namespace;
  let tool: Nodee;
  let agent: AgentOnHost;
  let artifact: object;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nodee-limits-'));
    // Processes run as somebody else.
    await chmod(folder, 0o755);
    namespace = await Namespace.create(inject('zookeeperConnect'));
    const [{ program }, port, available] = await Promise.all([compile(), freePort(), availableMemory()]);
    const environment = {
      ZOOKEEPER_CONNECT: namespace.connect,
      ZOOKEEPER_SESSION_MS: '4000',
      NODEE_COORDINATE: 'nodee.ops.oslo',
      NODEE_TOKEN: randomBytes(32).toString('hex'),
    };
    tool = { program, folder, environment };
    await run('keygen', join(folder, 'ours'));
    agent = new AgentOnHost(tool, { place: () => ({ host: '127.0.0.1', within: [] }) }, 'ann', {
      NODEE_PORT: String(port),
      NODEE_TRUSTED_KEYS: join(folder, 'ours.pub.pem'),
      // There is always less, and never less than half of it.
      NODEE_MEMORY_RESERVE: String(Math.round(1.3 * available!)),
    });
    await agent.start();
    await mkdir(join(folder, 'app'));
    await writeFile(join(folder, 'app', 'app.mjs'), PROGRAM);
  }, STARTED_MS_MAX);

  afterAll(async () => {
    if (agent !== undefined) {
      await apply({}).catch(() => undefined);
      await agent.end('SIGTERM');
    }
    await namespace?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }, STARTED_MS_MAX);

  /** What must succeed. */
  async function run(...args: string[]): Promise<Answer> {
    const answer = await nodee(tool, ...args);
    if (answer.code !== 0) throw new Error(`nodee ${args.join(' ')}: ${answer.code}\n${answer.stdout}${answer.stderr}`);
    return answer;
  }

  async function packed(version: string, ...flags: string[]): Promise<{ file: string; ref: object }> {
    const file = join(folder, `app-${version}.tar.gz`);
    const answer = await run(
      'pack',
      join(folder, 'app'),
      '--id',
      `t:app:${version}`,
      '--out',
      file,
      '--json',
      ...flags,
    );
    return { file, ref: JSON.parse(answer.stdout) };
  }

  async function apply(services: Readonly<Record<string, object>>): Promise<Answer> {
    const file = join(folder, 'fleet.yaml');
    const plain = {
      command: [process.execPath, 'app.mjs'],
      restart: { max: 0 },
      ...(isRoot ? { user: 'nobody' } : {}),
    };
    const all = Object.entries(services).map(([name, service]) => [name, { ...plain, ...service }]);
    await writeFile(file, JSON.stringify({ services: Object.fromEntries(all) }));
    return nodee(tool, 'apply', file, '--yes', '--timeout', '60');
  }

  async function shown(coordinate: string): Promise<Shown['actual']> {
    const { stdout } = await nodee(tool, 'status', '--json');
    const { processes } = JSON.parse(stdout) as { processes: Shown[] };
    return processes.find((each) => each.coordinate === coordinate)?.actual ?? null;
  }

  it('installs only what its operators signed, and a fleet with anything else says why', async () => {
    const { file, ref } = await packed('unsigned');
    const pushed = await nodee(tool, 'push', file, '--id', 't:app:unsigned');
    expect([pushed.code, pushed.stderr]).toEqual([1, expect.stringContaining('t:app:unsigned has no signature')]);
    await run('keygen', join(folder, 'theirs'));
    const { ref: foreign } = await packed('foreign', '--key', join(folder, 'theirs.pem'));
    const applied = await apply({ unsigned: { artifact: ref }, foreign: { artifact: foreign } });
    expect(applied.code).toBe(1);
    expect(applied.stderr).toContain('t:app:unsigned has no signature, and only signed artifacts are installed here');
    expect(applied.stderr).toContain('the signature of t:app:foreign is by none of the keys that are trusted here');
  });

  it('runs what is signed, keeps its limits and its memory, and says whom it ended and why', async () => {
    const { file, ref } = await packed('1', '--key', join(folder, 'ours.pem'));
    artifact = ref;
    await run('push', file, '--id', 't:app:1', '--key', join(folder, 'ours.pem'));
    const modest = { artifact, value: 1, memory: { expected: '4GiB' } };
    const limited = { artifact, command: [process.execPath, 'app.mjs', '400'], limits: { memory: '200MiB' } };
    const greedy = { artifact, value: 500, memory: { expected: '150MiB' } };
    const grows = { ...greedy, command: [process.execPath, 'app.mjs', '300'] };
    await apply({ modest, limited: { ...limited, memory: { expected: '4GiB' } }, grows });
    const [over, greedyOne] = await until(
      () => Promise.all(['0.limited.ops.oslo', '0.grows.ops.oslo'].map(shown)),
      (both) => both.every((each) => each?.state === 'failed'),
      WAIT_MS_MAX,
    );
    expect(greedyOne!.message).toMatch(/less than the reserve of .*expected, value 500/);
    expect(over!.message).not.toMatch(/less than the reserve/);
    // Where there are no groups its own allocations fail.
    expect(over!.message).toMatch(/more than its .*memory|memory limit|out of memory|by SIG(ABRT|KILL|SEGV|TRAP)/);
    expect((await shown('0.modest.ops.oslo'))?.state).toBe('running');
    const text = (await nodee(tool, 'status')).stdout;
    expect(text).toContain('* 0.grows.ops.oslo on ann:');
    expect(text.split('\n').filter((line) => line.length > 120)).toEqual([]);
  });

  it('removes nothing that is in use, not even when it has just begun', async () => {
    await apply({ modest: { artifact, memory: { expected: '4GiB' } } });
    await agent.end('SIGKILL');
    await agent.start();
    const { code, stderr } = await nodee(tool, 'uninstall', 't:app:1', '--yes');
    expect([code, stderr]).toEqual([1, expect.stringContaining('t:app:1 is in use')]);
    await run('collect');
    expect((await run('artifacts')).stdout).toContain('t:app:1');
  });

  it.runIf(isRoot)('runs nothing as root, nor for nobody in particular', async () => {
    for (const user of ['root', null]) {
      const { code, stderr } = await apply({ mighty: { artifact, user } });
      expect([code, stderr]).toEqual([1, expect.stringMatching(/mighty is not as wanted: .*root/)]);
    }
  });

  it('that cannot start ends as a command that could not run', async () => {
    const taken = { ...tool, environment: { ...tool.environment, NODEE_DIR: join(folder, 'ann'), NODEE_PORT: '0' } };
    const { code, stderr } = await nodee(taken, 'agent');
    expect([code, stderr]).toEqual([2, expect.stringContaining('Another agent uses the folder')]);
  });
});
