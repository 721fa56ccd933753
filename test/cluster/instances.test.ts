import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import type { Book } from '../../src/client/client.ts';
import { isSettled } from '../faults/support/load.ts';
import { Api, type List } from '../service/support/api.ts';
import { startZooKeeper } from '../support/zookeeper.ts';
import { evenlyLed } from './support/led.ts';
import { BOOKS, INSTANCES, instancesUnderLoad, type Scene, SESSION_MS } from './support/scene.ts';

const TEST_MS_MAX = 240_000;

function underLoad(database: string, zookeeper = inject('zookeeperConnect')): Promise<Scene> {
  return instancesUnderLoad({ mongodbUri: inject('mongodbUri'), zookeeper, database });
}

function summary(timesMs: number[]): string {
  const sorted = timesMs.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]?.toFixed(0);
  return `${sorted.length} requests, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${sorted.at(-1)?.toFixed(0)} ms`;
}

describe('instances that share their books', { timeout: TEST_MS_MAX }, () => {
  it('lead as many each, publish where they are, and are deployed anew one by one without a failed or slow request', async () => {
    const { load, services, cloudname } = await underLoad('cluster_deployed');
    const web = await cloudname.resolver.resolve('http.all.kvitt.pay.test');
    expect(web.map(({ port }) => `http://127.0.0.1:${port}`).sort()).toEqual(
      services.map(({ address }) => address).sort(),
    );
    const told = await Promise.all(
      services.map(({ address, plan }) => new Api(address, plan.apiKey).read<List<Book>>('/v1/books')),
    );
    const leaders = told.map(({ data }) => data.map(({ leader }) => leader));
    expect(leaders).toEqual([leaders[0], leaders[0], leaders[0]]);
    expect(new Set(leaders[0]).size).toBe(INSTANCES);
    const times = (fromMs: number, toMs: number) => {
      const between = load.calls.filter(({ calledAt }) => calledAt > fromMs && calledAt < toMs);
      return summary(between.map((call) => call.answeredAt - call.calledAt));
    };
    const from = performance.now();
    await sleep(1_000);
    const moving = performance.now();
    for (const service of services) {
      expect(await service.deploy()).toBe(0);
      await evenlyLed(cloudname, { instances: INSTANCES, books: BOOKS });
      await load.progress(20);
    }
    expect(await load.end(INSTANCES)).toEqual([]);
    expect(load.calls.filter(({ told }) => !isSettled(told))).toEqual([]);
    expect(load.readsFailed).toBe(0);
    console.info(
      `before: ${times(from, moving)}; with instances started and ended: ${times(moving, performance.now())}`,
    );
  });

  it('go on when one is killed, lose and double nothing, and lead its books once its session has ended', async () => {
    const { load, services, cloudname } = await underLoad('cluster_killed');
    await services[0]!.process.end('SIGKILL');
    const killedAt = performance.now();
    await load.progress(20, [1, 2]);
    const wentOnMs = performance.now() - killedAt;
    await evenlyLed(cloudname, { instances: 2, books: BOOKS });
    const tookMs = performance.now() - killedAt;
    console.info(
      `paid on ${wentOnMs.toFixed(0)} ms, led anew ${tookMs.toFixed(0)} ms after the kill, with a session of ${SESSION_MS} ms`,
    );
    await services[0]!.killAndReplace();
    await evenlyLed(cloudname, { instances: INSTANCES, books: BOOKS });
    await load.progress(20);
    expect(await load.end(1)).toEqual([]);
    // On a quiet machine it is the session's time; a busy one takes longer for everything.
    expect(tookMs).toBeLessThan(10 * SESSION_MS);
  });

  it('go on when one stands still for longer than its session, which goes on by itself afterwards', async () => {
    const { load, services, cloudname } = await underLoad('cluster_frozen');
    services[1]!.process.signal('SIGSTOP');
    await load.progress(20, [0, 2]);
    await evenlyLed(cloudname, { instances: 2, books: BOOKS });
    services[1]!.process.signal('SIGCONT');
    await evenlyLed(cloudname, { instances: INSTANCES, books: BOOKS });
    await load.progress(20);
    expect(await load.end(1)).toEqual([]);
  });

  it('go on while ZooKeeper is away, and share the books again when it is back', async () => {
    const own = await startZooKeeper();
    onTestFinished(() => own.stop());
    const { load, cloudname } = await underLoad('cluster_without_zookeeper', own.connect);
    await own.server.kill();
    await sleep(SESSION_MS + 2_000);
    const from = performance.now();
    await load.progress(50);
    const away = load.calls.filter(({ calledAt }) => calledAt > from);
    expect(away.filter(({ told }) => !isSettled(told))).toEqual([]);
    await own.server.start();
    await evenlyLed(cloudname, { instances: INSTANCES, books: BOOKS });
    await load.progress(20);
    expect(await load.end(1)).toEqual([]);
  });
});
