import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { CloudnameError } from '../../src/cloudname/errors.ts';
import { fleetCommands } from '../../src/nodee/apply.ts';
import { fleetCoordinate, parseFleetState } from '../../src/nodee/fleet.ts';
import { seeHosts } from '../../src/nodee/hosts.ts';
import { Leader } from '../../src/nodee/leader.ts';
import type { Flags, Make } from '../../src/nodee/tool-parts.ts';
import type { Log } from '../../src/processes/types.ts';
import { Namespace, until } from '../cloudname/support/namespace.ts';
import { quietLog } from '../support/log.ts';
import { silentLog } from './support/api.ts';
import { PaperAgent } from './support/paper-agent.ts';

const FLEET = { user: 'pay', cell: 'test' };
const HOSTS = ['ann', 'bob', 'cat'];

let namespace: Namespace;
let cloudname: Cloudname;
let folder: string;
let agents: PaperAgent[];
let leaders: Leader[];
let said: string;
let shown: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodee-leader-'));
  namespace = await Namespace.create(inject('zookeeperConnect'));
  cloudname = await namespace.open();
  agents = await Promise.all(HOSTS.map(async (name, index) => new PaperAgent(await namespace.open(), index, name)));
  await Promise.all(agents.map((agent) => agent.start()));
  leaders = [];
  said = '';
  shown = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    shown += text;
    return true;
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(leaders.map((leader) => leader.stop()));
  await Promise.all(agents.map((agent) => agent.stop().catch(() => undefined)));
  await namespace.close();
  await rm(folder, { recursive: true });
});

async function lead(through?: Cloudname, log: Log = quietLog): Promise<Leader> {
  const leader = new Leader({
    cloudname: through ?? (await namespace.open()),
    fleet: FLEET,
    agent: 'x',
    log,
  });
  leaders.push(leader);
  leader.start();
  return leader;
}

/** Runs a command in this process. Answers its exit code. */
async function tool(...args: string[]): Promise<number> {
  let code = -1;
  const program = new Command('nodee').exitOverride();
  const make: Make = (usage, about) => program.command(usage).description(about).option('--json');
  const fleet = { cloudname, place: FLEET, hosts: () => seeHosts(cloudname, FLEET), agent: () => expect.unreachable() };
  for (const { command, run } of fleetCommands(make, () => 'tester')) {
    command.action(async (...given: unknown[]) => {
      code = await run(fleet, given.slice(0, -2), given.at(-2) as Flags);
    });
  }
  await program.parseAsync(args, { from: 'user' });
  return code;
}

async function apply(version: string, instances = 3, ...flags: string[]): Promise<number> {
  const artifact = { id: `g:web:${version}`, sha256: 'a'.repeat(64) };
  const file = join(folder, 'fleet.yaml');
  const services = { web: { artifact, instances, command: ['run'] } };
  await writeFile(file, JSON.stringify({ replace_after: '1s', services }));
  return tool('apply', file, '--timeout', '60', ...flags);
}

async function running(): Promise<Record<string, string | null>> {
  const hosts = await seeHosts(cloudname, FLEET);
  const all = hosts.flatMap(({ report }) => (report?.processes ?? []).map((each) => [each, report!.host] as const));
  return Object.fromEntries(
    all.map(([{ coordinate, artifact, state }, host]) => [coordinate, `${state} ${artifact} ${host}`] as const).sort(),
  );
}

describe('a fleet that is applied', () => {
  it('is as described when the command ends, and stays so when another agent leads it', async () => {
    const first = await lead();
    await lead();
    expect(await apply('1', 3, '--yes'), said).toBe(0);
    expect(shown).toContain('3 to start');
    expect(await running()).toEqual({
      '0.web.pay.test': 'running g:web:1 ann',
      '1.web.pay.test': 'running g:web:1 bob',
      '2.web.pay.test': 'running g:web:1 cat',
    });
    await first.stop();
    expect(await apply('2', 2, '--yes'), said).toBe(0);
    expect(await running()).toEqual({
      '0.web.pay.test': 'running g:web:2 ann',
      '1.web.pay.test': 'running g:web:2 bob',
    });
    const message = async () => (await cloudname.status(fleetCoordinate(FLEET)))?.status.message;
    await until(message, (text) => text === 'x leads; all is as wanted');
  });

  it('is taken back when it is refused, and the command says why', async () => {
    await lead();
    await apply('1', 3, '--yes');
    const before = await running();
    expect(await apply('broken', 3, '--yes')).toBe(1);
    expect(said).toContain('web was rolled back to what it was before: 0.web.pay.test: it is not healthy');
    expect(await running()).toEqual(before);
    // Once more, and it is tried once more.
    said = '';
    expect(await apply('broken', 3, '--yes')).toBe(1);
    expect(said).toContain('rolled back');
    expect(await apply('2', 3, '--yes'), said).toBe(0);
  });

  it('that cannot be brought up at all is said to have failed', async () => {
    await lead();
    expect(await apply('broken', 1, '--yes')).toBe(1);
    expect(said).toContain('web is not as wanted: 0.web.pay.test: it is not healthy');
  });

  it('is not written over what somebody else applied meanwhile, and drains no host that there is not', async () => {
    const conflict = new CloudnameError('config_conflict', 'changed');
    vi.spyOn(cloudname, 'setConfig').mockRejectedValueOnce(conflict);
    await expect(apply('1', 3, '--yes')).rejects.toThrow(/Nothing was changed: the fleet became another one meanwhile/);
    await expect(tool('drain', 'anm')).rejects.toThrow(/There is no host anm here \(known hosts: ann, /);
    await expect(tool('undrain', 'ann')).rejects.toThrow('There is no host ann here (drained: none)');
  });

  it('reaches all hosts but one that cannot be told so much', async () => {
    const through = await namespace.open();
    const setConfig = through.setConfig.bind(through);
    vi.spyOn(through, 'setConfig').mockImplementation((at, ...more) => {
      if (at.service !== 'nodee' || at.instance !== 0) return setConfig(at, ...more);
      return Promise.reject(new CloudnameError('too_large', 'too much'));
    });
    await lead(through, silentLog);
    expect(await apply('1', 3, '--yes', '--no-wait')).toBe(0);
    await until(running, (all) => Object.keys(all).length === 2);
  });

  it('changes nothing without a yes, or when only its plan was asked for', async () => {
    await lead();
    expect(await apply('1', 3, '--dry-run')).toBe(1);
    await expect(apply('1', 3)).rejects.toThrow('it needs --yes');
    expect(await running()).toEqual({});
    const { text } = await cloudname.getConfig(fleetCoordinate(FLEET));
    expect(parseFleetState(text).generation).toBe(0);
  });

  it('is moved off a host that is drained, and one coordinate is stopped, started and rolled', async () => {
    await lead();
    await apply('1', 3, '--yes');
    expect(await tool('drain', 'bob'), said).toBe(0);
    expect(Object.values(await running()).some((each) => each!.endsWith('bob'))).toBe(false);
    expect(await tool('stop', '0.web.pay.test'), said).toBe(0);
    expect((await running())['0.web.pay.test']).toMatch(/^stopped/);
    expect(await tool('start', '0.web.pay.test'), said).toBe(0);
    expect(await tool('roll', '0.web.pay.test', '2.web.pay.test'), said).toBe(0);
    expect(await tool('undrain', 'bob'), said).toBe(0);
    await expect(tool('stop', '7.web.pay.test')).rejects.toThrow('the fleet has no 7.web.pay.test');
  });

  it('of which a process that was rolled is refused says so at once', async () => {
    await lead();
    await apply('1', 3, '--yes');
    for (const agent of agents) agent.refuses = () => true;
    expect(await tool('roll', '0.web.pay.test')).toBe(1);
    expect(said).toContain('web is not as wanted: 0.web.pay.test: it is not healthy');
  });

  it('is not done in time when nobody leads it, and the command says so', async () => {
    const file = join(folder, 'fleet.yaml');
    const artifact = { id: 'g:web:1', sha256: 'a'.repeat(64) };
    await writeFile(file, JSON.stringify({ services: { web: { artifact, command: ['run'] } } }));
    expect(await tool('apply', file, '--yes', '--timeout', '1')).toBe(1);
    expect(said).toContain('No agent leads the fleet');
  });
});

describe('a host whose agent is away for too long', () => {
  it('is replaced, and left without what it had when it is back', async () => {
    await lead();
    await apply('1', 3, '--yes');
    await agents[1]!.stop();
    const isReplaced = (all: Record<string, string | null>) =>
      /^running g:web:1 (ann|cat)$/.test(all['1.web.pay.test'] ?? '');
    await until(running, isReplaced, 30_000);
    agents[1] = new PaperAgent(await namespace.open(), 1, 'bob');
    await agents[1].start();
    await until(
      () => seeHosts(cloudname, FLEET),
      (hosts) => hosts[1]!.report?.processes.length === 0,
      30_000,
    );
    expect(isReplaced(await running())).toBe(true);
  });
});

describe('two leaders', () => {
  it('of which one only believes that it leads write over nothing that the other has written', async () => {
    await lead();
    await apply('1', 3, '--yes');
    const [host] = await seeHosts(cloudname, FLEET);
    const version = await cloudname.setConfig(
      agents[0]!.coordinate,
      JSON.stringify(host!.desired),
      host!.configVersion,
    );
    expect(version).toBe(host!.configVersion + 1);
    const late = cloudname.setConfig(agents[0]!.coordinate, '{"generation":0,"processes":[]}', host!.configVersion);
    await expect(late).rejects.toMatchObject({ code: 'config_conflict' });
  });
});
