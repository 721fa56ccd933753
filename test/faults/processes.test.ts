import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { LiveLoad } from './support/live-load.ts';
import { canInjectAll } from './support/requirements.ts';
import { SkewedClock } from './support/skewed-clock.ts';
import { WorkerTaker } from './support/takers.ts';
import type { WorkerSurroundings } from './support/worker-process.ts';

const TEST_MS_MAX = 120_000;
const FIVE_MINUTES_S = 300;

/** Services of which each is a process of its own, all leading the same books at once. */
async function workersUnderLoad(database: string, surroundings: readonly WorkerSurroundings[]) {
  const uri = inject('mongodbUri');
  const load = await LiveLoad.over(uri, database);
  onTestFinished(() => load.close());
  const workers = surroundings.map((one) => new WorkerTaker({ uri, database }, one));
  load.add(...workers);
  await load.progress(20);
  return { load, workers };
}

describe('services that are processes of their own', { timeout: TEST_MS_MAX }, () => {
  it('stay right when two lead the same books all the time', async () => {
    const { load } = await workersUnderLoad('two_leaders', [{}, {}]);
    await load.progress(1_000);
    expect(await load.end(1)).toEqual([]);
  });

  it('lose and double nothing when they are killed with SIGKILL, one after the other, and replaced', async () => {
    const { load, workers } = await workersUnderLoad('services_killed', [{}, {}]);
    for (const worker of workers) {
      await worker.killAndReplace();
      await load.progress(50);
    }
    expect(await load.end(workers.length)).toEqual([]);
  });

  it('lose and double nothing when one is stopped with SIGSTOP, and wakes after the other went on', async () => {
    const { load, workers } = await workersUnderLoad('service_stopped', [{}, {}]);
    onTestFinished(() => workers[0]!.signal('SIGCONT'));
    workers[0]!.signal('SIGSTOP');
    await load.progress(200, [1]);
    workers[0]!.signal('SIGCONT');
    await load.progress(50);
    expect(await load.end(1)).toEqual([]);
  });

  it.runIf(canInjectAll)('bear a clock that is five minutes ahead of the other, and set back, and forth', async () => {
    const clock = await SkewedClock.create(FIVE_MINUTES_S);
    onTestFinished(() => clock.remove());
    const { load } = await workersUnderLoad('clock_skewed', [{ environment: clock.environment }, {}]);
    const jumps = [-FIVE_MINUTES_S, FIVE_MINUTES_S, 0];
    for (const offSeconds of jumps) {
      await clock.set(offSeconds);
      await load.progress(50);
    }
    // The fault was real: a block came from the future, and no later one from before it.
    const times = (await load.blocks()).map(({ at }) => at);
    expect(Math.max(...times)).toBeGreaterThan(Date.now() + 1000 * (FIVE_MINUTES_S - TEST_MS_MAX / 1000));
    expect(await load.end(1 + jumps.length)).toEqual([]);
  });
});
