import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ProcessSpec, specHash } from '../../src/processes/spec.ts';
import type { ProcessTable } from '../../src/processes/table.ts';
import { COORDINATE, MIB, spec, World } from './support/world.ts';

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
const report = (coordinate = COORDINATE) => table.reports().find((each) => each.coordinate === coordinate)!;
const versions = () => world.runs.running().map(({ plan }) => plan.source.artifact.id.split(':')[2]);

async function reopen(meanwhileMs = 0): Promise<void> {
  await table.close();
  await pass(meanwhileMs);
  table = await world.open();
}

async function runFirst(first: ProcessSpec): Promise<number> {
  table.want([first]);
  await pass(500);
  expect(report().state).toBe('running');
  return report().pid!;
}

/** Leaves a roll behind as an agent does that dies in its midst. */
async function dieWhileRolling(old: ProcessSpec, next: ProcessSpec, isOldHealthy = true): Promise<void> {
  await runFirst(old);
  const healthy = next.command[0] === 'good';
  table.want([{ ...next, command: ['sick'] }]);
  await pass(1_000);
  const younger = world.runs.running()[1]!;
  Object.assign(younger.plan, { source: next });
  await table.close();
  world.runs.running()[0]!.isHealthy = isOldHealthy;
  younger.isHealthy = healthy;
  table = await world.open();
}

describe('a table that is opened', () => {
  it('finds what runs, and leaves it untouched when the same is wanted', async () => {
    const pid = await runFirst(spec('good'));
    await reopen(3_600_000);
    await pass(1_000);
    expect(report()).toMatchObject({ state: 'running', pid, spec: specHash(spec('good')) });
    expect(world.announcement().last).toEqual({ state: 'RUNNING', ports: report().ports });
    table.want([spec('good')]);
    await pass(60_000);
    expect(report()).toMatchObject({ state: 'running', pid });
    expect(world.runs.all.length).toBe(1);
    expect(world.held.get('no.kvitt:web:1')).toBe(2);
  });

  it('ends nothing before it was told what is wanted', async () => {
    await runFirst(spec('good'));
    await reopen();
    await pass(3_600_000);
    expect(world.runs.running().length).toBe(1);
    table.want([]);
    await pass(1_000);
    expect(world.runs.running().length).toBe(0);
    expect(world.runs.removed).toEqual([COORDINATE]);
  });

  it('rolls what it found when another version is wanted', async () => {
    const pid = await runFirst(spec('good'));
    await reopen();
    table.want([spec('sick', '2')]);
    await pass(10_000);
    expect(report()).toMatchObject({ state: 'running', pid, refused: specHash(spec('sick', '2')) });
    table.want([spec('good', '3')]);
    await pass(1_000);
    expect(versions()).toEqual(['3']);
  });

  it('restarts what it found and ends, also before it was told', async () => {
    await runFirst(spec('good'));
    await reopen();
    await pass(1_000);
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(5_000);
    expect(report()).toMatchObject({ state: 'running', restarts: 1 });
  });

  it('does not start what an agent before it told to end, before it is wanted', async () => {
    await runFirst(spec('deaf'));
    table.want([]);
    await pass(1_000);
    await reopen();
    await pass(60_000);
    expect(world.runs.running()).toEqual([]);
    expect(report().state).toBe('stopped');
    table.want([]);
    await pass(1_000);
    expect(table.reports()).toEqual([]);
    expect(world.runs.removed).toEqual([COORDINATE]);
  });

  it('counts what ended meanwhile, and starts it when it is wanted', async () => {
    await runFirst(spec('good'));
    await table.close();
    world.runs.running()[0]!.finish({ code: 4, signal: null, why: null });
    table = await world.open();
    await pass(10_000);
    expect(world.runs.running()).toEqual([]);
    expect(report()).toMatchObject({ state: 'stopped', message: expect.stringMatching(/code 4/), restarts: 1 });
    table.want([spec('good')]);
    await pass(1_000);
    expect(report()).toMatchObject({ state: 'running', restarts: 1 });
  });

  it('knows of what was stopped by an agent before it, so that nothing of it is left when it is not wanted', async () => {
    await runFirst(spec('good'));
    table.want([spec('good', '1', { run: false })]);
    await pass(1_000);
    await reopen();
    table.want([]);
    await pass(1_000);
    expect(world.runs.kept).toEqual([]);
    expect(world.runs.removed).toEqual([COORDINATE]);
  });

  it('gives one that it found as long to answer as one that was healthy', async () => {
    const pid = await runFirst(spec('good'));
    await table.close();
    const [run] = world.runs.running();
    await pass(60_000);
    run!.isHealthy = false;
    table = await world.open();
    table.want([spec('good')]);
    await pass(2_000);
    run!.isHealthy = true;
    await pass(5_000);
    expect(report()).toMatchObject({ state: 'running', pid });
  });

  it('does not choose ports of what it found', async () => {
    await runFirst(spec('good'));
    await reopen();
    table.want([spec('good'), spec('good', '1', { coordinate: '2.web.ann.oslo' })]);
    await pass(1_000);
    expect(report().ports).toEqual({ http: 20_000 });
    expect(report('2.web.ann.oslo').ports).toEqual({ http: 20_001 });
  });

  it('ends commands that were left over, once it was told', async () => {
    table.want([spec('good', '1', { before: ['done'] })]);
    await pass(40);
    const [helper] = world.runs.helpers();
    const forget = vi.spyOn(world.runs, 'forget').mockResolvedValue();
    const kill = vi.spyOn(helper!, 'kill').mockResolvedValue({ code: null, signal: 'SIGKILL', why: null, at: '' });
    await table.close();
    kill.mockRestore();
    forget.mockRestore();
    table = await world.open();
    table.want([spec('good')]);
    await pass(2_000);
    expect(helper!.end).not.toBeNull();
    expect(world.runs.kept).not.toContain(helper);
    expect(report().state).toBe('running');
  });
});

describe('two runs of one coordinate that are found', () => {
  it.each([
    ['the new one, which is healthy and wanted', 'good', '2', ['2']],
    ['the old one, as the new one is not healthy', 'sick', '2', ['1']],
    ['the old one, as that is wanted', 'good', '1', ['1']],
  ])('become one: %s', async (_, program, wanted, left) => {
    const old = spec('good');
    const next = spec(program, '2');
    await dieWhileRolling(old, next);
    await pass(2_000);
    expect(world.runs.running().length).toBe(2);
    const before = world.runs.mains().length;
    table.want([wanted === '1' ? old : next]);
    await pass(10_000);
    expect(versions()).toEqual(left);
    expect(world.runs.mains().length).toBe(before);
    expect(report().refused).toBe(program === 'good' ? null : specHash(next));
  });

  it('become one of a third version, and there is always one that is healthy', async () => {
    await dieWhileRolling(spec('good'), spec('good', '2'));
    let least = 9;
    world.runs.onEvent = () => {
      least = Math.min(least, world.runs.running().length);
    };
    table.want([spec('good', '3')]);
    await pass(5_000);
    expect(versions()).toEqual(['3']);
    expect(least).toBe(1);
  });

  it('become the new one when the old one is unhealthy', async () => {
    await dieWhileRolling(spec('good'), spec('good', '2'), false);
    table.want([spec('sick', '3')]);
    await pass(60_000);
    expect(versions()).toEqual(['2']);
    expect(report()).toMatchObject({ state: 'running', refused: specHash(spec('sick', '3')) });
  });
});

describe('a process that must run in one place only', () => {
  const once = (version = '1', more = {}) => spec('good', version, { cutoff: 'kill', ...more });

  it('is not started without a lease', async () => {
    world.leaseMs = 0;
    table.want([once()]);
    await pass(60_000);
    expect(world.runs.all).toEqual([]);
    expect(report()).toMatchObject({ state: 'waiting', message: expect.stringContaining('lease') });
    world.leaseMs = 4_000;
    await pass(1_000);
    expect(world.runs.running()[0]!.plan.leaseMs).toBe(4_000);
  });

  it('has its lease renewed with what is left of the shorter of both', async () => {
    world.claimMs = 3_000;
    await runFirst(once());
    await pass(60_000);
    const [run] = world.runs.running();
    expect(run!.end).toBeNull();
    expect(new Set(run!.renewals)).toEqual(new Set([3_000]));
    expect(run!.renewals.length).toBeGreaterThan(200);
  });

  it('gains nothing when its agent stands still while it renews the lease', async () => {
    await runFirst(once());
    const [run] = world.runs.running();
    world.stillMs = 100;
    const before = run!.renewals.length;
    await pass(300);
    world.stillMs = 0;
    const ages = run!.renewalAges.slice(before);
    expect(ages.length).toBeGreaterThan(0);
    expect(Math.min(...ages)).toBeGreaterThan(50);
  });

  it('begins with what was left of the lease when it was asked for', async () => {
    world.stillMs = 100;
    await runFirst(once());
    world.stillMs = 0;
    expect(world.runs.running()[0]!.leaseAgeMs).toBeGreaterThan(50);
  });

  it('has a short lease renewed more often', async () => {
    world.leaseMs = 300;
    await runFirst(once());
    const [run] = world.runs.running();
    const before = run!.renewals.length;
    await pass(300);
    expect(run!.renewals.length - before).toBeGreaterThanOrEqual(9);
  });

  it('has none of the coordinate when it claims that itself', async () => {
    world.claimMs = 0;
    await runFirst(once('1', { claim: 'process' }));
    expect(world.runs.running()[0]!.plan.leaseMs).toBe(5_000);
  });

  it('is ended by its keeper when the lease is gone, and started when it is back, which is no failure', async () => {
    const pid = await runFirst(once('1', { restart: { max: 0 } }));
    world.leaseMs = 0;
    await pass(10_000);
    expect(world.runs.running()).toEqual([]);
    expect(report()).toMatchObject({ state: 'waiting', message: expect.stringContaining('lease') });
    world.leaseMs = 5_000;
    await pass(5_000);
    expect(report()).toMatchObject({ state: 'running', restarts: 0, refused: null });
    expect(report().pid).not.toBe(pid);
  });

  it('is not started again and again when its lease is so short that it always ends', async () => {
    world.leaseMs = 10;
    table.want([once('1', { restart: { backoff: 1 } })]);
    await pass(20_000);
    expect(world.runs.mains().length).toBeLessThan(21);
  });

  it('that was found has its lease renewed before anything is wanted', async () => {
    const pid = await runFirst(once());
    await reopen(2_000);
    await pass(60_000);
    expect(report()).toMatchObject({ state: 'running', pid });
  });

  it('ends when nobody looks after it', async () => {
    await runFirst(once());
    await table.close();
    await pass(6_000);
    expect(world.runs.running()).toEqual([]);
    table = await world.open();
  });
});

describe('memory pressure', () => {
  const of = (instance: number, more: object) => spec('good', '1', { coordinate: `${instance}.web.ann.oslo`, ...more });

  it('ends who uses more than expected, says so with figures, and waits for the memory to come back', async () => {
    table.want([
      of(1, { value: 1, memory: { expected: '100MiB' } }),
      of(2, { value: 10, memory: { expected: '100MiB', peak: '200MiB' } }),
      of(3, { value: 20, memory: { expected: '100MiB' } }),
    ]);
    await pass(1_000);
    for (const [instance, used] of [
      [1, 100],
      [2, 900],
      [3, 900],
    ] as const) {
      world.runs.running(`${instance}.web.ann.oslo`)[0]!.usageNow = {
        memoryBytes: used * MIB,
        cpuMs: 0,
        memoryKills: 0,
      };
    }
    await pass(2_000);
    const pids = () => table.reports().map(({ pid }) => pid);
    const before = pids();
    world.availableBytes = 120 * MIB;
    await pass(1_100);
    expect(report('2.web.ann.oslo')).toMatchObject({
      state: 'backing_off',
      message: expect.stringMatching(
        /120 MiB of memory available.* 512 MiB; used 900 MiB, of 200 MiB expected, value 10/,
      ),
    });
    await pass(3_000);
    expect(report('3.web.ann.oslo').pid).toBe(before[2]);
    await pass(3_000);
    expect(report('3.web.ann.oslo').pid).not.toBe(before[2]);
    world.availableBytes = 8_192 * MIB;
    await pass(10_000);
    expect(pids()[0]).toBe(before[0]);
    expect(table.reports().map(({ state }) => state)).toEqual(['running', 'running', 'running']);
    expect(world.logged.some((line) => line.includes('memory pressure'))).toBe(true);
  });

  it('is seen though the keeper of one does not answer', async () => {
    table.want([of(1, {}), of(2, {})]);
    await pass(1_000);
    vi.spyOn(world.runs.running('1.web.ann.oslo')[0]!, 'usage').mockReturnValue(new Promise(() => {}));
    await pass(3_000);
    world.runs.running('2.web.ann.oslo')[0]!.usageNow = { memoryBytes: 7 * MIB, cpuMs: 0, memoryKills: 0 };
    await pass(3_000);
    expect(report('2.web.ann.oslo').memory_bytes).toBe(7 * MIB);
  });

  it('is seen in reports, with the cores that are used', async () => {
    await runFirst(spec('good'));
    const [run] = world.runs.running();
    run!.usageNow = { memoryBytes: 3 * MIB, cpuMs: 1_000, memoryKills: 0 };
    await pass(2_000);
    run!.usageNow = { memoryBytes: 5 * MIB, cpuMs: 2_000, memoryKills: 0 };
    await pass(2_000);
    expect(report()).toMatchObject({ memory_bytes: 5 * MIB, cpu: expect.closeTo(0.5), limits: { memory: 'none' } });
  });
});

describe('many processes', () => {
  it('are looked after side by side', async () => {
    world.ports = { from: 20_000, to: 20_999 };
    await reopen();
    const specs = (version: string) =>
      Array.from({ length: 100 }, (_, i) =>
        spec(i % 10 === 0 ? 'deaf' : 'good', version, { coordinate: `${i}.web.ann.oslo` }),
      );
    table.want(specs('1'));
    await pass(1_000);
    table.want(specs('2'));
    await pass(30_000);
    expect(new Set(table.reports().map(({ state, artifact }) => `${state} ${artifact}`))).toEqual(
      new Set(['running no.kvitt:web:2']),
    );
    const ports = table.reports().map((each) => each.ports.http);
    expect(new Set(ports).size).toBe(100);
    table.want([]);
    await pass(30_000);
    expect(table.reports()).toEqual([]);
  });
});
