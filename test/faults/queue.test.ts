import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { seeded } from '../simulation/virtual-world.ts';
import { type Build, compile } from '../support/build.ts';
import { type ElasticMq, startElasticMq } from '../support/elasticmq.ts';
import { type EventPlan, type PlanOptions, planEvents, planPairs } from './support/event-plan.ts';
import { QueueScene, type ScenePlan } from './support/queue-scene.ts';
import { STEPS } from './support/queue-steps.ts';
import { until } from './support/until.ts';

const TEST_MS_MAX = 240_000;
const WAIT_MS_MAX = 60_000;
const DRAIN_MS_MAX = 120_000;
const SEED = 1;

let server: ElasticMq;
let build: Build;

beforeAll(async () => {
  [server, build] = await Promise.all([startElasticMq({ isDurable: true }), compile()]);
});

afterAll(() => server.stop());

async function sceneOf(name: string, more: Partial<ScenePlan> = {}): Promise<QueueScene> {
  const { program } = build;
  const mongodbUri = inject('mongodbUri');
  const scene = await QueueScene.create({ name, mongodbUri, server, program, seed: SEED, ...more });
  onTestFinished(() => scene.close());
  return scene;
}

async function isSurvived(scene: QueueScene, sending: Promise<void>): Promise<void> {
  await sending;
  expect(await scene.end(DRAIN_MS_MAX)).toEqual([]);
  console.info(scene.summary());
}

function plan(name: string, events: number, options: PlanOptions = {}): EventPlan {
  return planEvents(name, events, seeded(SEED), options);
}

describe('each event has its effect once, and each that has none is a dead letter', { timeout: TEST_MS_MAX }, () => {
  it('when calls of the queue fail, at random and all for a while', async () => {
    const scene = await sceneOf('queue_calls_fail');
    await scene.start();
    for (const { proxy } of scene.consumers) proxy.rate = 0.05;
    const sending = scene.send(plan('calls', 400));
    await scene.goesOn(120, WAIT_MS_MAX);
    for (const { proxy } of scene.consumers) proxy.rate = 0.9;
    await sleep(1_000);
    for (const { proxy } of scene.consumers) proxy.rate = 0.05;
    await scene.goesOn(120, WAIT_MS_MAX);
    await isSurvived(scene, sending);
  });

  it('when the server of the queue is killed with SIGKILL, twice', async () => {
    const scene = await sceneOf('queue_server_killed');
    await scene.start();
    const sending = scene.send(plan('server', 400));
    for (let kill = 0; kill < 2; kill++) {
      await scene.goesOn(100, WAIT_MS_MAX);
      await server.signal('SIGKILL');
      scene.faults++;
      await sleep(500);
      await server.restart();
    }
    await scene.goesOn(60, WAIT_MS_MAX);
    await isSurvived(scene, sending);
  });

  it('when a consumer is stopped with SIGSTOP beyond the visibility of its messages, and wakes', async () => {
    const scene = await sceneOf('queue_consumer_frozen');
    const [frozen] = scene.consumers;
    await scene.start();
    const { sprung, release } = frozen!.proxy.trap(/^DeleteMessage/, 'before');
    await scene.send(plan('frozen', 200));
    await sprung;
    frozen!.process.signal('SIGSTOP');
    scene.faults++;
    // The other one has done what this one has not deleted.
    await scene.drained(WAIT_MS_MAX);
    const sending = scene.send(plan('woken', 200));
    frozen!.process.signal('SIGCONT');
    release();
    await isSurvived(scene, sending);
  });

  it('when a consumer is killed with SIGKILL at each step', async () => {
    const scene = await sceneOf('queue_consumer_killed', { consumers: 1 });
    const [consumer] = scene.consumers;
    await scene.start();
    for (const [name, action, step] of STEPS) {
      const killed = consumer!.killAt(action, step);
      await scene.send(plan(name.replaceAll(' ', '-'), 50, { poisonous: 0.1 }));
      await killed;
      scene.faults++;
      await consumer!.start();
    }
    await isSurvived(scene, Promise.resolve());
  });

  it('when a consumer is ended with SIGTERM, and what it had in hand can be received at once', async () => {
    const settings = { SQS_VISIBILITY_TIMEOUT_SECONDS: '600' };
    const scene = await sceneOf('queue_consumer_ended', { settings });
    const [ended, next] = scene.consumers;
    await ended!.start();
    await scene.send(plan('ended', 100));
    await scene.goesOn(50, WAIT_MS_MAX);
    const { sprung, release } = ended!.proxy.trap(/^ReceiveMessage$/, 'after');
    await scene.send(plan('given-back', 100));
    await sprung;
    const code = ended!.process.end('SIGTERM');
    const log = () => readFile(ended!.process.logFile, 'utf8');
    await until('it is ending', async () => (await log()).includes('"ending"'), WAIT_MS_MAX);
    release();
    expect(await code).toBe(0);
    scene.faults++;
    const { visible, hidden } = await scene.size();
    expect(visible).toBeGreaterThan(0);
    expect(hidden).toBe(0);
    await next!.start();
    await isSurvived(scene, Promise.resolve());
  });

  it('when two consumers receive copies of the same messages at the same moment', async () => {
    const scene = await sceneOf('queue_pairs');
    const traps = scene.consumers.map(({ proxy }) => proxy.trap(/^ReceiveMessage$/, 'after'));
    await scene.start();
    await scene.send(planPairs('pair', 200, seeded(SEED)));
    await Promise.all(traps.map(({ sprung }) => sprung));
    for (const { release } of traps) release();
    await isSurvived(scene, Promise.resolve());
    const [one, other] = scene.consumers.map(({ proxy }) => proxy.handedOut);
    expect([...one!].filter((body) => other!.has(body)).length).toBeGreaterThan(0);
  });
});
