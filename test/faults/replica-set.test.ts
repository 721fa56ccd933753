import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { quietLog } from '../support/log.ts';
import { IMPATIENT, isSecondary, type LoadPlan, loadOn, primaryOf, secondariesOf } from './support/replica-set.ts';

const TWO_ENGINES: LoadPlan = { engines: 2, limits: IMPATIENT };
const TEST_MS_MAX = 240_000;

let set: EmbeddedReplicaSet;

beforeAll(async () => {
  set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
});

afterAll(() => set.stop());

/** What one test left behind does not make the next one fail. */
beforeEach(async () => {
  for (const [index, { hasEnded }] of set.members.entries()) if (hasEnded) await set.restart(index);
});

/** Stopped until the test wakes it, at the latest at its end. */
async function freeze(index: number): Promise<void> {
  onTestFinished(() => set.members[index]!.kill('SIGCONT'));
  await set.members[index]!.kill('SIGSTOP');
}

describe('payments within and between books go on and nothing is lost or doubled', { timeout: TEST_MS_MAX }, () => {
  it('when the primary is killed with SIGKILL', async () => {
    const load = await loadOn(set, 'primary_killed', TWO_ENGINES);
    const killed = await primaryOf(set);
    await set.members[killed]!.kill('SIGKILL');
    await load.progress(50);
    await set.restart(killed);
    await load.progress(50);
    expect(await load.end(1)).toEqual([]);
  });

  it('when the primary is stopped with SIGSTOP past an election, and wakes as a secondary', async () => {
    const load = await loadOn(set, 'primary_stopped', TWO_ENGINES);
    const stopped = await primaryOf(set);
    await freeze(stopped);
    expect(await primaryOf(set)).not.toBe(stopped);
    // Slowly: the other secondary goes on reporting to the one that does not answer, until that connection times out,
    // so a majority is known at heartbeats only.
    await load.progress(5);
    await set.members[stopped]!.kill('SIGCONT');
    await load.progress(50);
    await expect.poll(() => isSecondary(set, stopped), { timeout: 60_000 }).toBe(true);
    await load.progress(50);
    expect(await load.end(1)).toEqual([]);
  });

  it('when a secondary is killed with SIGKILL: its callers wait a little longer, and all get their answer', async () => {
    const load = await loadOn(set, 'secondary_killed', { engines: 2 });
    const [killed] = await secondariesOf(set);
    await set.members[killed!]!.kill('SIGKILL');
    await load.progress(100);
    await set.restart(killed!);
    await load.progress(50);
    expect(load.calls).toHaveLength(load.acknowledged().length);
    expect(await load.end(1)).toEqual([]);
  });

  it('when two secondaries are stopped with SIGSTOP: nothing is a success until one wakes', async () => {
    // One engine, which learns nothing by reading what another wrote: it has only the answers to its own writes.
    const load = await loadOn(set, 'two_secondaries_stopped', { engines: 1, limits: IMPATIENT });
    const stopped = await secondariesOf(set);
    for (const index of stopped) await freeze(index);
    // Until then something may have been on its way.
    await sleep(200);
    const from = performance.now();
    await expect
      .poll(() => load.calls.filter(({ calledAt }) => calledAt > from).length, { timeout: 60_000 })
      .toBeGreaterThan(10);
    const until = performance.now();
    for (const index of stopped) await set.members[index]!.kill('SIGCONT');
    const meanwhile = load.calls.filter(({ calledAt, answeredAt }) => calledAt > from && answeredAt < until);
    expect(meanwhile.length).toBeGreaterThan(10);
    expect(new Set(meanwhile.map(({ told }) => told.answer))).not.toContain('posted');
    expect(new Set(meanwhile.map(({ told }) => told.answer))).not.toContain('rejected');
    await load.progress(50);
    expect(load.calls.filter(({ told }) => told.answer === 'unknown')).not.toEqual([]);
    expect(await load.end(2)).toEqual([]);
  });
});
