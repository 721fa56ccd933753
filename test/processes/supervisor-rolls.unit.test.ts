import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { specHash } from '../../src/processes/spec.ts';
import type { ProcessTable } from '../../src/processes/table.ts';
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
const report = () => table.reports()[0]!;
const artifactsRunning = () => world.runs.running().map(({ plan }) => plan.source.artifact.id.split(':')[2]);

async function runFirst(first = spec('good')): Promise<number> {
  table.want([first]);
  await pass(500);
  expect(report().state).toBe('running');
  return report().pid!;
}

describe('a new version', () => {
  it('is healthy, with ports of its own, before the old one ends', async () => {
    await runFirst();
    const old = world.runs.running()[0]!;
    let bothRan = false;
    world.runs.onEvent = (what, run) => {
      if (what === 'end' && run === old) bothRan = report().state === 'running' && world.runs.running().length === 1;
    };
    table.want([spec('good', '2')]);
    await pass(500);
    expect(bothRan).toBe(true);
    expect(artifactsRunning()).toEqual(['2']);
    expect(report()).toMatchObject({ state: 'running', refused: null, spec: specHash(spec('good', '2')), restarts: 0 });
    expect(report().ports).not.toEqual(old.plan.ports);
    expect(world.announcement().last).toEqual({ state: 'RUNNING', ports: report().ports });
    expect(world.announcement().told).toEqual(['STARTING', 'RUNNING', 'RUNNING']);
    expect(world.held.get('no.kvitt:web:1')).toBe(0);
  });

  it.each([
    ['does not become healthy', 'sick', {}],
    ['ends', 'crash', {}],
    ['has a command before it that fails', 'good', { before: ['broken'] }],
    ['names what is not known', 'good', { env: { WHAT: '$' + '{what}' } }],
  ])('that %s leaves the old one untouched, and is not tried again', async (_, program, more) => {
    const pid = await runFirst();
    const next = spec(program, '2', more);
    table.want([next]);
    await pass(1_000);
    await pass(7_000);
    expect(report()).toMatchObject({ state: 'running', pid, refused: specHash(next), spec: specHash(spec('good')) });
    expect(report().message).toContain(`${specHash(next)} was refused`);
    expect(artifactsRunning()).toEqual(['1']);
    const tried = world.runs.all.length;
    table.want([next]);
    await pass(60_000);
    expect(world.runs.all.length).toBe(tried);
    expect(world.announcement().told).toEqual(['STARTING', 'RUNNING']);
    table.want([spec('good', '3')]);
    await pass(500);
    expect(report()).toMatchObject({ state: 'running', refused: null, spec: specHash(spec('good', '3')) });
  });

  it('whose artifact cannot be had is refused in the end, also when it is to replace the old one', async () => {
    const pid = await runFirst();
    world.badArtifacts.set('no.kvitt:web:2', 'unavailable');
    table.want([spec('good', '2', { update: 'replace' })]);
    await pass(10_000);
    expect(report()).toMatchObject({ state: 'rolling', pid });
    await pass(60_000);
    expect(report()).toMatchObject({ state: 'running', pid, message: expect.stringMatching(/web:2 is unavailable/) });
  });

  it('that was refused is tried again on restart', async () => {
    await runFirst();
    table.want([spec('sick', '2')]);
    await pass(10_000);
    const tried = world.runs.mains().length;
    await Promise.all([table.restart(COORDINATE), pass(20_000)]);
    expect(world.runs.mains().length).toBe(tried + 2);
    expect(artifactsRunning()).toEqual(['1']);
    expect(report()).toMatchObject({ state: 'running', refused: specHash(spec('sick', '2')) });
  });

  it('gives way to one that is wanted instead, before it is healthy', async () => {
    const pid = await runFirst();
    table.want([spec('sick', '2')]);
    await pass(1_000);
    expect(artifactsRunning()).toEqual(['1', '2']);
    table.want([spec('good', '3')]);
    await pass(1_000);
    expect(artifactsRunning()).toEqual(['3']);
    expect(report().refused).toBeNull();
    expect(pid).not.toBe(report().pid);
  });

  it('gives way to the old one when that is wanted again', async () => {
    const pid = await runFirst();
    table.want([spec('sick', '2')]);
    await pass(1_000);
    table.want([spec('good')]);
    await pass(1_000);
    expect(artifactsRunning()).toEqual(['1']);
    expect(report()).toMatchObject({ state: 'running', pid, refused: null });
  });

  it('takes over when the old one ends meanwhile', async () => {
    await runFirst();
    table.want([spec('good', '2', { before: ['done'] })]);
    await pass(60);
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(1_000);
    expect(artifactsRunning()).toEqual(['2']);
    expect(report().state).toBe('running');
  });

  it('that fails after the old one ended brings the old one back', async () => {
    await runFirst();
    table.want([spec('sick', '2')]);
    await pass(1_000);
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(100);
    expect(report()).toMatchObject({ state: 'starting', message: expect.stringMatching(/code 1/), spec: null });
    expect(world.announcement().last).toEqual({ state: 'ERROR', ports: {} });
    await pass(10_000);
    expect(artifactsRunning()).toEqual(['1']);
    expect(report()).toMatchObject({ state: 'running', refused: specHash(spec('sick', '2')) });
  });

  it.each([
    ['is to replace it', {}, { update: 'replace' }],
    ['follows one that must never run twice', { cutoff: 'kill' }, { cutoff: 'kill' }],
    ['needs the same port', { ports: { http: 8080 } }, { ports: { http: 8080 } }],
    ['needs the port that was chosen for the old one', {}, { ports: { http: 20_000 } }],
    ['claims its coordinate by itself', {}, { claim: 'process' }],
    ['has its coordinate claimed by the agent', { claim: 'process' }, {}],
  ])('starts after the end of the old one when it %s', async (_, older, newer) => {
    await runFirst(spec('good', '1', older));
    let most = 0;
    world.runs.onEvent = () => {
      most = Math.max(most, world.runs.running().length);
    };
    table.want([spec('good', '2', newer)]);
    await pass(1_000);
    expect(most).toBe(1);
    expect(artifactsRunning()).toEqual(['2']);
    expect(report()).toMatchObject({ state: 'running', refused: null });
  });

  it('that replaces the old one and is not healthy is rolled back', async () => {
    await runFirst();
    const next = spec('sick', '2', { update: 'replace' });
    table.want([next]);
    await pass(1_000);
    expect(report()).toMatchObject({ state: 'rolling', spec: null });
    await pass(10_000);
    expect(artifactsRunning()).toEqual(['1']);
    expect(report()).toMatchObject({ state: 'running', refused: specHash(next) });
    expect(world.announcement().last).toEqual({ state: 'RUNNING', ports: report().ports });
  });

  it('that was rolled back, and then the old one fails too, is failed in the end', async () => {
    await runFirst(spec('good', '1', { restart: { max: 1 } }));
    const next = spec('sick', '2', { update: 'replace' });
    table.want([next]);
    await pass(10_000);
    for (let i = 0; i < 2; i++) {
      world.runs.running()[0]!.finish({ code: 9, signal: null, why: null });
      await pass(5_000);
    }
    expect(report()).toMatchObject({
      state: 'failed',
      refused: specHash(next),
      message: expect.stringMatching(/code 9/),
    });
    expect(artifactsRunning()).toEqual([]);
  });

  it('of what never was healthy replaces it at once', async () => {
    table.want([spec('sick', '1')]);
    await pass(1_000);
    table.want([spec('good', '2')]);
    await pass(1_000);
    expect(artifactsRunning()).toEqual(['2']);
    expect(report()).toMatchObject({ state: 'running', restarts: 0 });
  });

  it('that waits for its artifact does not hide that the old one ended, nor keep it from coming back', async () => {
    await runFirst();
    world.badArtifacts.set('no.kvitt:web:2', 'unavailable');
    table.want([spec('good', '2')]);
    await pass(3_000);
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(10);
    expect(world.announcement().last).toEqual({ state: 'ERROR', ports: {} });
    expect(report()).toMatchObject({ state: 'waiting', pid: null, spec: null });
    await pass(60_000);
    expect(report()).toMatchObject({ state: 'running', artifact: 'no.kvitt:web:1' });
  });

  it('that was refused does not change the ports of the old one', async () => {
    await runFirst();
    const { ports } = report();
    table.want([spec('sick', '2')]);
    await pass(10_000);
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(5_000);
    expect(report()).toMatchObject({ state: 'running', ports });
  });

  it('begins without restarts', async () => {
    await runFirst();
    world.runs.running()[0]!.finish({ code: 1, signal: null, why: null });
    await pass(5_000);
    expect(report().restarts).toBe(1);
    table.want([spec('sick', '2')]);
    await pass(10_000);
    expect(report().restarts).toBe(1);
    table.want([spec('good', '3')]);
    await pass(1_000);
    expect(report()).toMatchObject({ state: 'running', restarts: 0 });
  });

  it('waits for its lease beside the old one', async () => {
    await runFirst(spec('good', '1'));
    world.leaseMs = 0;
    table.want([spec('good', '2', { cutoff: 'kill' })]);
    await pass(60_000);
    expect(artifactsRunning()).toEqual(['1']);
    expect(report()).toMatchObject({ state: 'rolling', message: expect.stringContaining('lease') });
    world.leaseMs = 5_000;
    await pass(1_000);
    expect(artifactsRunning()).toEqual(['2']);
  });

  it('is what several in quick succession end with', async () => {
    for (let version = 1; version <= 8; version++) {
      table.want([spec('good', String(version))]);
      await pass(37 * version);
    }
    await pass(2_000);
    expect(artifactsRunning()).toEqual(['8']);
    expect([...world.held.entries()].filter(([, count]) => count !== 0)).toEqual([['no.kvitt:web:8', 1]]);
  });
});
