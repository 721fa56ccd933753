/** `kvitt nodee` as whoever types it sees it, over agents whose processes are made up. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  it,
  type MockInstance,
  vi,
} from 'vitest';
import { signedText } from '../../src/artifacts/artifact.ts';
import { nodeeCommand } from '../../src/nodee/tool.ts';
import { Agents, type Started, TOKEN, WAIT } from './support/agents.ts';
import { specOf } from './support/doubles.ts';
import { artifactTools } from './support/tools.ts';

const WEB = '1.web.ops.oslo';
let agents: Agents;
let folder: string;
let alpha: Started;
let beta: Started;
let stdout: MockInstance<typeof process.stdout.write>;
let stderr: MockInstance<typeof process.stderr.write>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodee-tool-'));
  agents = await Agents.create(inject('zookeeperConnect'));
  alpha = await agents.start(await agents.folder());
  beta = await agents.start(await agents.folder(), { name: 'beta' });
  await wanted(alpha, WEB);
  await wanted(beta);
});
afterAll(async () => {
  await agents?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

async function wanted(host: Started, ...coordinates: string[]): Promise<void> {
  await agents.want(host.agent.coordinate, 1, ...coordinates);
  await agents.until(host.agent.coordinate, ({ report }) => {
    expect(report).toMatchObject({ generation: 1, problems: [] });
    expect(report?.processes.map(({ coordinate }) => coordinate)).toEqual(coordinates);
  });
}

interface Done {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], token = TOKEN): Promise<Done> {
  const tool = nodeeCommand({
    actor: () => 'tester',
    settings: () => ({
      cloudname: { connect: agents.namespace.connect, sessionMs: 4_000 },
      place: { user: 'ops', cell: 'oslo' },
      token,
    }),
    startAgent: async () => {},
    artifacts: async () => artifactTools,
  });
  process.exitCode = 0;
  try {
    await tool.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) stderr.mock.calls.push([String((error as Error).message)]);
    process.exitCode = 2;
  }
  return { code: process.exitCode, out: written(stdout), err: written(stderr) };
}

function written({ mock }: MockInstance<typeof process.stdout.write>): string {
  return mock.calls.map(([text]) => String(text)).join('');
}

describe('kvitt nodee status', () => {
  it('shows hosts and processes, and that all is as wanted', async () => {
    const { code, out } = await run(['status']);
    expect(code).toBe(0);
    expect(out).toMatch(/alpha +0\.nodee\.ops\.oslo +up /);
    expect(out).toMatch(/beta +1\.nodee\.ops\.oslo +up /);
    expect(out).toMatch(/1\.web\.ops\.oslo +alpha +no\.kvitt:web:1 +running /);
    expect(out).not.toContain('*');
  });

  it('answers as JSON what scripts need', async () => {
    const { code, out } = await run(['status', '--json']);
    const { hosts, processes, as_wanted } = JSON.parse(out);
    expect([code, as_wanted]).toEqual([0, true]);
    expect(hosts).toMatchObject([{ host: 'alpha', state: 'up', wanted_generation: 1 }, { host: 'beta' }]);
    expect(processes).toMatchObject([{ coordinate: WEB, host: 'alpha', as_wanted: true }]);
  });

  it('marks what differs, tells of problems, and lets nobody command the terminal', async () => {
    alpha.ports.table.message = '\x1b[2J\x1b]0;owned\x07 well';
    alpha.ports.table.changed();
    const other = { ...specOf(WEB), artifact: { ...specOf(WEB).artifact, id: 'no.kvitt:web:2' } };
    await agents.configure(alpha.agent.coordinate, JSON.stringify({ generation: 2, processes: [other, other] }));
    await agents.until(alpha.agent.coordinate, ({ report }) => expect(report?.problems.length).toBe(1));
    const { code, out } = await run(['status']);
    expect(code).toBe(1);
    expect(out).toContain(`alpha: The configuration`);
    await agents.configure(
      beta.agent.coordinate,
      JSON.stringify({ generation: 2, processes: [specOf('2.web.ops.oslo')] }),
    );
    const { out: later } = await run(['status']);
    expect(later).toMatch(/alpha: The configuration/);
    expect(`${out}${later}`.includes('\x1b')).toBe(false);
    alpha.ports.table.message = 'is healthy';
    await wanted(alpha, WEB);
    await wanted(beta);
  });

  it('shows a host that is down, and what is wanted of it', async () => {
    const gone = await agents.start(await agents.folder(), { where: '9.nodee.ops.oslo', name: 'gamma' });
    await wanted(gone, '9.web.ops.oslo');
    await gone.agent.stop();
    await agents.until('9.nodee.ops.oslo', ({ address }) => expect(address).toBeNull());
    const { code, out } = await run(['status']);
    expect(code).toBe(1);
    expect(out).toMatch(/9\.nodee\.ops\.oslo +9\.nodee\.ops\.oslo +down/);
    expect(out).toMatch(/\* +9\.web\.ops\.oslo +9\.nodee\.ops\.oslo +none -> no\.kvitt:web:1 +unknown/);
    await agents.want('9.nodee.ops.oslo', 2);
    expect((await run(['status'])).code).toBe(0);
  });
});

describe('kvitt nodee logs', () => {
  it('shows the log of a process, on whichever host it is', async () => {
    alpha.ports.table.logText = '2026-01-01T00:00:00.000Z out hello you\n2026-01-01T00:00:00.001Z err oh\n';
    expect(await run(['logs', WEB])).toMatchObject({ code: 0, out: 'hello you\noh\n' });
  });

  it('shows when and where a line was written', async () => {
    alpha.ports.table.logText = '2026-01-01T00:00:00.000Z out hello\n';
    expect(await run(['logs', WEB, '--marks', '-n', '5'])).toMatchObject({
      out: '2026-01-01T00:00:00.000Z out hello\n',
    });
  });

  it('names the hosts when there are several', async () => {
    await wanted(beta, WEB);
    const { out } = await run(['logs', WEB]);
    expect(out).toBe('alpha: hello\nbeta: hello\n');
    await wanted(beta);
  });

  it('says that no host has it', async () => {
    const { code, out, err } = await run(['logs', '7.web.ops.oslo']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('no host that can be reached has 7.web.ops.oslo');
  });
});

describe('kvitt nodee restart', () => {
  it('restarts it where it is', async () => {
    expect(await run(['restart', WEB])).toMatchObject({ code: 0, out: `restarting ${WEB} on alpha\n` });
    expect([alpha.ports.table.restarted, beta.ports.table.restarted]).toEqual([[WEB], []]);
  });

  it('says that nobody has it', async () => {
    expect(await run(['restart', '7.web.ops.oslo'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('no host has'),
    });
  });
});

describe('kvitt nodee push, artifacts, collect and uninstall', () => {
  it('give agents an archive, list it, and take it away', async () => {
    const file = join(folder, 'web.tar.gz');
    await writeFile(file, Buffer.alloc(100_000, 'x'));
    const push = ['push', file, '--id', 'no.kvitt:pushed:1'];
    expect(await run([...push, '--host', 'beta'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^beta: has /),
    });
    expect([alpha, beta].map(({ ports }) => ports.store.archives.has('no.kvitt:pushed:1'))).toEqual([false, true]);
    expect((await run(push)).code).toBe(0);
    stdout.mockClear();
    const { out } = await run(['artifacts', '--json']);
    const sha256 = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    expect(JSON.parse(out)).toMatchObject([
      { host: 'alpha', id: 'no.kvitt:pushed:1', sha256, bytes: 100_000, held: false },
      { host: 'beta', id: 'no.kvitt:pushed:1', sha256 },
    ]);
    expect((await run(['uninstall', 'no.kvitt:pushed:1'])).code).toBe(2);
    expect((await run(['uninstall', 'no.kvitt:pushed:1', '--yes', '--host', 'alpha'])).code).toBe(0);
    const again = await run(['uninstall', 'no.kvitt:pushed:1', '--yes', '--host', '0.nodee.ops.oslo']);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('not installed') });
    const collected = await run(['collect']);
    expect([collected.code, collected.out]).toEqual([0, expect.stringContaining('beta: removed no.kvitt:pushed:1\n')]);
    expect(beta.ports.store.archives.size).toBe(0);
  });

  it('refuse what runs, and a host that is not there', async () => {
    const { artifact } = specOf(WEB);
    alpha.ports.store.archives.set(artifact.id, { ref: artifact, data: Buffer.from('x') });
    const used = await run(['uninstall', artifact.id, '--yes', '--host', 'alpha']);
    expect(used).toMatchObject({ code: 1, err: expect.stringContaining('in use') });
    const asFolder = await run(['push', folder, '--id', 'no.kvitt:pushed:1']);
    expect(asFolder).toMatchObject({ code: 2, err: expect.stringContaining('kvitt nodee pack makes one of a folder') });
    const nowhere = await run(['artifacts', '--host', 'delta']);
    expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining('No agent is running on a host "delta"') });
  });

  it('get nothing from agents with the wrong token', async () => {
    const { code, out, err } = await run(['artifacts'], 'x'.repeat(40));
    expect([code, out.split('\n').length]).toEqual([1, 2]);
    expect(err).toContain('Authorization: Bearer');
    expect(err).not.toContain('x'.repeat(40));
  });
});

describe('kvitt nodee keygen and pack', () => {
  it('make keys, which are not overwritten, and what they sign', async () => {
    const name = join(folder, 'release');
    expect((await run(['keygen', name])).code).toBe(0);
    expect((await stat(`${name}.pem`)).mode & 0o777).toBe(0o600);
    const before = await readFile(`${name}.pem`, 'utf8');
    expect(await run(['keygen', name])).toMatchObject({ code: 1, err: expect.stringContaining('not overwritten') });
    expect(await readFile(`${name}.pem`, 'utf8')).toBe(before);
    stdout.mockClear();
    const pack = ['pack', folder, '--id', 'no.kvitt:web:1', '--out', join(folder, 'out.tar.gz')];
    const { out } = await run([...pack, '--key', `${name}.pem`, '--json']);
    const ref = JSON.parse(out);
    const key = createPublicKey(await readFile(`${name}.pub.pem`));
    expect(verify(null, Buffer.from(signedText(ref)), key, Buffer.from(ref.signature, 'base64'))).toBe(true);
    const missing = await run([...pack, '--key', join(folder, 'none.pem')]);
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('cannot be used to sign') });
    expect((await run(['pack', folder, '--id', '../../x', '--out', 'x'])).code).toBe(2);
  });
});

it('follows a log over restarts of its agent, without a line twice or lost', async () => {
  const line = (number: number) => `2026-01-01T00:00:00.${String(number).padStart(3, '0')}Z out line ${number}\n`;
  alpha.ports.table.follow(line(0), line(1));
  const following = run(['logs', WEB, '-f']);
  const lines = () => written(stdout).split('\n').slice(0, -1);
  await vi.waitFor(() => expect(lines()).toEqual(['line 0', 'line 1']), WAIT);
  alpha.ports.table.write(line(2));
  await vi.waitFor(() => expect(lines()).toEqual(['line 0', 'line 1', 'line 2']), WAIT);
  await alpha.agent.stop();
  const again = await agents.start(alpha.folder);
  // Written while nobody followed, in part at the time of the last line seen.
  const sameTime = line(2).replace('line 2', 'line 2b');
  again.ports.table.follow(line(0), line(1), line(2), sameTime, line(3));
  await vi.waitFor(() => expect(lines()).toEqual(['line 0', 'line 1', 'line 2', 'line 2b', 'line 3']), WAIT);
  again.ports.table.write(line(4));
  await vi.waitFor(() => expect(lines().at(-1)).toBe('line 4'), WAIT);
  process.emit('SIGTERM', 'SIGTERM');
  expect((await following).code).toBe(0);
});
