// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how specifications name things
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { specHash } from '../../src/processes/spec.ts';
import type { ProcessTable } from '../../src/processes/table.ts';
import type { ProcessReport } from '../../src/processes/types.ts';
import { COORDINATE, spec, World } from './support/world.ts';

let world: World;
let table: ProcessTable;

beforeEach(async () => {
  vi.useFakeTimers();
  world = new World();
  table = await world.open();
});

afterEach(async () => {
  await table.close();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const report = (coordinate = COORDINATE): ProcessReport =>
  table.reports().find((each) => each.coordinate === coordinate)!;

async function reopen(meanwhileMs = 0): Promise<void> {
  await table.close();
  await pass(meanwhileMs);
  table = await world.open();
}

describe('a process that is wanted', () => {
  it('is started, and told of with its ports once it is healthy', async () => {
    table.want([spec('good')]);
    await pass(500);
    const [run] = world.runs.running();
    expect(report()).toMatchObject({
      ...{ state: 'running', pid: run!.pid, artifact: 'no.kvitt:web:1', spec: specHash(spec('good')) },
      ...{ refused: null, restarts: 0, ports: run!.plan.ports },
    });
    expect(world.announcement().told).toEqual(['STARTING', 'RUNNING']);
    expect(world.announcement().last?.ports).toEqual({ http: run!.plan.ports.http });
  });

  it('gets an environment of its own, and nothing of the agent', async () => {
    const env = { GREETING: 'at ${host}:${port.http}, $${kept}, ${instance}', PATH: '/mine' };
    table.want([
      spec('good', '1', { env, command: ['good', '${artifact}/x', '${work}', '${zookeeper}', '${coordinate}'] }),
    ]);
    await pass(500);
    const { plan } = world.runs.running()[0]!;
    const port = plan.ports.http;
    expect(plan.env).toEqual({
      ...{ GREETING: `at host-1:${port}, \${kept}, 1`, PATH: '/mine', LANG: 'C.UTF-8', HOME: `/srv/${COORDINATE}` },
      ...{ COORDINATE, PORT_HTTP: String(port) },
    });
    const folder = '/artifacts/no.kvitt:web:1';
    expect(plan.command).toEqual(['good', `${folder}/x`, `/srv/${COORDINATE}`, 'zoo:2181', COORDINATE]);
    expect(plan.cwd).toBe(folder);
  });

  it('is healthy after a second when nobody says how to ask it', async () => {
    table.want([spec('good', '1', { health: null })]);
    await pass(600);
    expect(report()).toMatchObject({ state: 'starting', spec: null });
    await pass(1_000);
    expect(report().state).toBe('running');
  });

  it('waits for its artifact, and says why', async () => {
    world.badArtifacts.set('no.kvitt:web:1', 'unavailable');
    table.want([spec('good')]);
    await pass(120_000);
    expect(report()).toMatchObject({
      state: 'waiting',
      message: expect.stringMatching(/web:1 .*unavailable.*again in/),
    });
    world.badArtifacts.clear();
    await pass(60_000);
    expect(report().state).toBe('running');
  });

  it('fails at once when its artifact is not the right one', async () => {
    world.badArtifacts.set('no.kvitt:web:1', 'untrusted');
    table.want([spec('good')]);
    await pass(500);
    expect(report()).toMatchObject({ state: 'failed', refused: specHash(spec('good')) });
  });

  it('lets its artifact go when that comes after it was not wanted any more', async () => {
    table.want([spec('good')]);
    await pass(10);
    table.want([]);
    await pass(1_000);
    expect(world.held.get('no.kvitt:web:1')).toBe(0);
    expect(world.runs.all).toEqual([]);
    expect(table.reports()).toEqual([]);
  });

  it('waits for its coordinate', async () => {
    world.claimMs = 0;
    table.want([spec('good')]);
    await pass(10_000);
    expect(world.runs.all).toEqual([]);
    expect(report()).toMatchObject({ state: 'waiting', message: expect.stringContaining('coordinate') });
    world.claimMs = 5_000;
    await pass(500);
    expect(report().state).toBe('running');
  });

  it('claims nothing when the process does that itself', async () => {
    world.claimMs = 0;
    table.want([spec('good', '1', { claim: 'process' })]);
    await pass(500);
    expect(report().state).toBe('running');
    expect(world.announcements.size).toBe(0);
  });

  it.each([
    ['names what is not known', { command: ['good', '${HOME}'] }, /"\$\{HOME\}" is not known/],
    ['names what is not known in what comes after it', { after: ['done', '${port.admin}'] }, /port\.admin/],
    ['is asked at a port it does not have', { health: { port: 'admin' } }, /"admin"/],
    ['names a user that is not there', { user: 'nobody_here' }, /nobody_here/],
    ['names root', { user: 'root' }, /root/],
  ])('is not started when it %s', async (_, more, why) => {
    world.uid = 0;
    await reopen();
    table.want([spec('good', '1', { user: 'web', ...more })]);
    await pass(60_000);
    expect(report()).toMatchObject({ state: 'failed', message: expect.stringMatching(why), pid: null });
    expect(report().refused).not.toBeNull();
    expect(world.runs.all).toEqual([]);
  });

  it('is started when another of that name, which failed, is replaced by one that is right', async () => {
    table.want([spec('good', '1', { command: ['${no}'] })]);
    await pass(500);
    table.want([spec('good', '2')]);
    await pass(500);
    expect(report()).toMatchObject({ state: 'running', refused: null, artifact: 'no.kvitt:web:2' });
  });

  it('is tried again when there was no keeper', async () => {
    world.runs.failures = 2;
    table.want([spec('good')]);
    await pass(200);
    expect(report()).toMatchObject({ state: 'backing_off', message: expect.stringContaining('no keeper') });
    await pass(10_000);
    expect(report()).toMatchObject({ state: 'running', restarts: 2 });
  });

  it('does not get a port that something else has, and not one that was used a moment ago', async () => {
    world.takenPorts.add(20_000);
    table.want([spec('good')]);
    await pass(500);
    expect(report().ports).toEqual({ http: 20_001 });
    table.want([spec('good', '2')]);
    await pass(500);
    expect(report().ports).toEqual({ http: 20_002 });
    table.want([spec('good', '3')]);
    await pass(500);
    expect(report().ports).toEqual({ http: 20_003 });
  });

  it('keeps its ports when it is restarted', async () => {
    table.want([spec('good')]);
    await pass(500);
    const { ports, pid } = report();
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(3_000);
    expect(report().pid).not.toBe(pid);
    expect(report().ports).toEqual(ports);
  });

  it('says that no port is free', async () => {
    for (let port = 20_000; port <= 20_009; port++) world.takenPorts.add(port);
    table.want([spec('good')]);
    await pass(500);
    expect(report().message).toMatch(/20000 to 20009/);
  });
});

describe('a command before a process', () => {
  it('runs to its end first, as what it comes before', async () => {
    table.want([spec('good', '1', { before: ['done', '${port.http}'], limits: { files: 99 } })]);
    await pass(80);
    expect(world.runs.running()).toEqual([]);
    await pass(1_000);
    const [before] = world.runs.helpers();
    const { plan } = world.runs.running()[0]!;
    expect(before!.plan).toMatchObject({
      command: ['done', String(plan.ports.http)],
      env: plan.env,
      limits: { files: 99 },
    });
    expect(world.runs.kept).not.toContain(before);
    expect(report().state).toBe('running');
  });

  it('that fails is a failed start', async () => {
    table.want([spec('good', '1', { before: ['broken'], restart: { max: 2 } })]);
    await pass(60_000);
    expect(report()).toMatchObject({ state: 'failed', message: expect.stringMatching(/"before" ended with code 3/) });
    expect(world.runs.helpers().length).toBe(3);
    expect(world.runs.mains()).toEqual([]);
  });

  it('that takes too long is killed', async () => {
    table.want([spec('good', '1', { before: ['deaf'], patience: 5, restart: { max: 0 } })]);
    await pass(7_000);
    expect(report()).toMatchObject({ state: 'failed', message: expect.stringMatching(/longer than 5 s/) });
    expect(world.runs.helpers()[0]!.end?.signal).toBe('SIGKILL');
  });

  it('is killed when the process is not wanted any more', async () => {
    table.want([spec('good', '1', { before: ['deaf'] })]);
    await pass(1_000);
    table.want([]);
    await pass(1_000);
    expect(world.runs.helpers()[0]!.end).not.toBeNull();
    expect(world.runs.removed).toEqual([COORDINATE]);
    expect(table.reports()).toEqual([]);
  });
});

describe('a process that is to end', () => {
  it('is told of as draining, ends after its command, and stays in the table', async () => {
    table.want([spec('good', '1', { after: ['done'] })]);
    await pass(500);
    table.want([spec('good', '1', { after: ['done'], run: false })]);
    await pass(50);
    expect(world.announcement().last?.state).toBe('DRAINING');
    expect(report().state).toBe('stopping');
    expect(world.runs.running().length).toBe(1);
    await pass(500);
    expect(world.runs.running()).toEqual([]);
    expect(world.announcement().isReleased).toBe(true);
    expect(report()).toMatchObject({ state: 'stopped', pid: null, artifact: null });
    expect(world.held.get('no.kvitt:web:1')).toBe(0);
    table.want([spec('good', '1', { after: ['done'] })]);
    await pass(1_000);
    expect(report().state).toBe('running');
  });

  it('ends also when its command fails, or takes too long', async () => {
    table.want([spec('good', '1', { after: ['deaf'], patience: 3 })]);
    await pass(500);
    table.want([]);
    await pass(2_000);
    expect(world.runs.running().length).toBe(1);
    await pass(2_000);
    expect(world.runs.running()).toEqual([]);
    expect(table.reports()).toEqual([]);
  });

  it('is wanted again before it ended: it is started after that', async () => {
    table.want([spec('deaf')]);
    await pass(500);
    table.want([]);
    await pass(5_000);
    table.want([spec('deaf')]);
    await pass(5_000);
    expect(world.runs.mains().length).toBe(1);
    await pass(10_000);
    expect(world.runs.mains().length).toBe(2);
    expect(world.runs.removed).toEqual([]);
    expect(report().state).toBe('running');
  });

  it('is forgotten with all it has when it is not wanted', async () => {
    table.want([spec('good')]);
    await pass(500);
    table.want([]);
    await pass(500);
    expect(world.runs.kept).toEqual([]);
    expect(world.runs.removed).toEqual([COORDINATE]);
    expect(table.artifactsInUse()).toEqual(new Set());
  });
});

describe('a process that ends by itself', () => {
  it('is started again, later each time, until it was too often', async () => {
    const starts: number[] = [];
    world.runs.onEvent = (what) => void (what === 'start' && starts.push(Date.now()));
    table.want([spec('crash', '1', { restart: { max: 4, backoff: 1, ceiling: 3 } })]);
    await pass(300_000);
    const gaps = starts.slice(1).map((at, i) => Math.floor((at - starts[i]!) / 1000));
    expect(gaps).toEqual([1, 2, 3, 3]);
    expect(report()).toMatchObject({
      state: 'failed',
      refused: specHash(spec('crash', '1', { restart: { max: 4, backoff: 1, ceiling: 3 } })),
    });
    expect(report().message).toMatch(/ended with code 1/);
    expect(world.announcement().last).toEqual({ state: 'ERROR', ports: {} });
  });

  it('is started too often also when each start takes long', async () => {
    table.want([spec('sick', '1', { restart: { max: 3, period: 10 }, health: { port: 'http', startup: 60 } })]);
    await pass(600_000);
    expect(report()).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/not healthy within 60 s: said no/),
    });
    expect(world.runs.mains().length).toBe(4);
    expect(world.runs.running()).toEqual([]);
  });

  it('that failed is left alone until it is restarted, or another revision is wanted', async () => {
    const failing = (revision: number) => spec('crash', '1', { restart: { max: 0 }, revision });
    table.want([failing(0)]);
    await pass(1_000);
    table.want([failing(0)]);
    await pass(60_000);
    expect(world.runs.mains().length).toBe(1);
    await table.restart(COORDINATE);
    await pass(1_000);
    expect(world.runs.mains().length).toBe(2);
    expect(report().state).toBe('failed');
    table.want([failing(1)]);
    await pass(1_000);
    expect(world.runs.mains().length).toBe(3);
  });

  it('is started for ever when it is healthy for long each time', async () => {
    table.want([spec('good', '1', { restart: { max: 1, period: 60 } })]);
    for (let i = 1; i <= 10; i++) {
      await pass(70_000);
      expect(report()).toMatchObject({ state: 'running', restarts: i - 1 });
      world.runs.running()[0]!.finish({ code: 0, signal: null, why: null });
    }
  });

  it('is restarted when it was unhealthy several times in a row', async () => {
    table.want([spec('good')]);
    await pass(1_000);
    const [run] = world.runs.running();
    run!.isHealthy = false;
    await pass(1_900);
    run!.isHealthy = true;
    await pass(5_000);
    expect(run!.end).toBeNull();
    run!.isHealthy = false;
    await pass(2_500);
    expect(run!.end).not.toBeNull();
    expect(report()).toMatchObject({
      state: 'backing_off',
      message: expect.stringMatching(/unhealthy 3 times in a row: said no/),
    });
    expect(world.announcement().last).toEqual({ state: 'ERROR', ports: {} });
    await pass(5_000);
    expect(report()).toMatchObject({ state: 'running', restarts: 1 });
  });

  it('says so within its reports, and listeners hear of it', async () => {
    const states: string[] = [];
    table.onChange(() => states.push(report().state));
    table.want([spec('crash', '1', { restart: { max: 1 } })]);
    await pass(60_000);
    expect(new Set(states)).toEqual(new Set(['waiting', 'starting', 'backing_off', 'failed']));
  });
});

describe('restarting', () => {
  it('ends what runs and starts it again', async () => {
    table.want([spec('good')]);
    await pass(500);
    const { pid } = report();
    const restarted = table.restart(COORDINATE);
    await pass(20);
    await restarted;
    expect(world.runs.running()).toEqual([]);
    await pass(500);
    expect(report()).toMatchObject({ state: 'running', restarts: 0 });
    expect(report().pid).not.toBe(pid);
  });

  it('is refused for what is not here', async () => {
    await expect(table.restart('9.no.such.thing')).rejects.toThrow(RangeError);
  });

  it('leaves what is not to run as it is', async () => {
    table.want([spec('good', '1', { run: false })]);
    await pass(500);
    await table.restart(COORDINATE);
    await pass(500);
    expect(report().state).toBe('stopped');
    expect(world.runs.all).toEqual([]);
  });

  it('comes to an end when the table is closed meanwhile', async () => {
    table.want([spec('deaf')]);
    await pass(500);
    const restarted = table.restart(COORDINATE);
    await pass(100);
    await table.close();
    await restarted;
    table = await world.open();
  });
});
