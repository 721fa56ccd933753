import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { generateApiKey } from '../../src/http/auth.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { quietLog } from '../support/log.ts';
import { LiveLoad } from './support/live-load.ts';
import { Network } from './support/network.ts';
import { primaryOf, secondariesOf } from './support/replica-set.ts';
import { canInjectAll } from './support/requirements.ts';
import { ServiceTaker } from './support/service-taker.ts';
import { Watch } from './support/watch.ts';

const TEST_MS_MAX = 150_000;
/** Few, so that they are soon taken. */
const QUEUE_COMMANDS_MAX = 100;
/** How much more is sent than can be taken. */
const FACTOR = 3;
const RUSH_MS = 2_000;
/** Longer than an election, than a key is known without asking the database, and than callers in the queue wait. */
const STALL_MS = 23_000;
/** What one waits at most who is refused, on a busy machine. Callers in the queue wait for 20 s. */
const REFUSAL_MS_MAX = 15_000;
const RESIDENT_MIB_MAX = 384;
const MEMBERS = ['member-0', 'member-1', 'member-2'];

/** A service under load in a closed loop, and how many payments a second it took. */
async function serviceUnderLoad(uri: string, database: string) {
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-overload-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const load = await LiveLoad.over(uri, database);
  onTestFinished(() => load.close());
  const settings = { QUEUE_COMMANDS_MAX: String(QUEUE_COMMANDS_MAX) };
  const service = await ServiceTaker.start({ uri, database, apiKey: generateApiKey(), folder, settings });
  load.add(service);
  await load.progress(50);
  const before = load.acknowledged().length;
  await sleep(1_000);
  return { load, service, perSecond: load.acknowledged().length - before };
}

function expectRefusedAtOnce({ refusedAfterMs }: ServiceTaker, watch: Watch): void {
  expect(Math.max(...refusedAfterMs)).toBeLessThan(REFUSAL_MS_MAX);
  expect(watch.faults).toEqual([]);
  expect(watch.residentMiB).toBeLessThan(RESIDENT_MIB_MAX);
}

describe('a service that is sent three times what it can take', { timeout: TEST_MS_MAX }, () => {
  let set: EmbeddedReplicaSet;

  beforeAll(async () => {
    set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
  });

  afterAll(() => set.stop());

  it('refuses at once what it has no room for while MongoDB stalls, and goes on when it wakes', async () => {
    const { load, service, perSecond } = await serviceUnderLoad(set.uri, 'overload_stalled');
    const watch = new Watch(service);
    // Before the rush, which leaves this process little time to ask.
    const stalled = await secondariesOf(set);
    const endRush = load.rush(0, FACTOR * perSecond);
    await sleep(RUSH_MS);

    const wake = async () => {
      for (const index of stalled) await set.members[index]!.kill('SIGCONT');
    };
    onTestFinished(wake);
    for (const index of stalled) await set.members[index]!.kill('SIGSTOP');
    const from = performance.now();
    const refusedBefore = service.refusedAfterMs.length;
    await sleep(STALL_MS);
    const until = performance.now();
    const refused = service.refusedAfterMs.length - refusedBefore;
    await wake();
    const meanwhile = load.calls.filter(({ calledAt, answeredAt }) => calledAt > from && answeredAt < until);
    expect(meanwhile.filter(({ told }) => told.answer === 'posted' || told.answer === 'rejected')).toEqual([]);
    expect(refused).toBeGreaterThan(meanwhile.length / 2);
    // Those in the queue were told in the end, too; all of them may have come before the stall.
    const told = load.calls.filter(({ answeredAt }) => answeredAt > from && answeredAt < until);
    expect(told.filter(({ calledAt, answeredAt }) => answeredAt - calledAt > REFUSAL_MS_MAX)).not.toEqual([]);

    await load.progress(20);
    await endRush();
    await load.progress(50);
    await watch.end();
    expectRefusedAtOnce(service, watch);
    expect(await load.end(stalled.length)).toEqual([]);
  });
});

describe.runIf(canInjectAll)('a service over a slow link to the primary', { timeout: TEST_MS_MAX }, () => {
  it('takes what it can of three times what it could before, and refuses the rest at once', async () => {
    const network = await Network.create(MEMBERS);
    onTestFinished(() => network.remove());
    const places = MEMBERS.map((member) => network.place(member));
    const set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog, places });
    onTestFinished(() => set.stop());
    const { load, service, perSecond } = await serviceUnderLoad(set.uri, 'overload_slow');
    const watch = new Watch(service);
    await network.slow(MEMBERS[await primaryOf(set)]!);
    const endRush = load.rush(0, FACTOR * perSecond);
    await load.progress(50);
    await sleep(RUSH_MS);
    expect(service.refusedAfterMs).not.toEqual([]);
    await network.heal();
    await endRush();
    await load.progress(50);
    await watch.end();
    expectRefusedAtOnce(service, watch);
    expect(await load.end(1)).toEqual([]);
  });
});
