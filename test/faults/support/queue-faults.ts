import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedReplicaSet } from '../../../src/mongo/embedded.ts';
import type { Random } from '../../simulation/virtual-world.ts';
import type { ConsumingProcess } from './consuming-process.ts';
import type { QueueScene } from './queue-scene.ts';
import { STEPS } from './queue-steps.ts';

const MANY_CALLS = 0.5;
/** There may be no message that leads to this step: then the process is killed wherever it is. */
const STEP_MS_MAX = 10_000;

/** What faults can happen to. */
export interface QueueSurroundings {
  readonly scene: QueueScene;
  readonly set: EmbeddedReplicaSet;
  readonly random: Random;
}

/** Something goes wrong for so long, and is then as before. */
type Fault = (around: QueueSurroundings, ms: number) => Promise<void>;

function oneConsumer({ scene, random }: QueueSurroundings): ConsumingProcess {
  return scene.consumers[Math.floor(random() * scene.consumers.length)]!;
}

export const QUEUE_FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  [
    'many calls fail',
    async ({ scene }, ms) => {
      const before = scene.consumers.map(({ proxy }) => proxy.rate);
      for (const { proxy } of scene.consumers) proxy.rate = MANY_CALLS;
      await sleep(ms);
      for (const [n, { proxy }] of scene.consumers.entries()) proxy.rate = before[n]!;
    },
  ],
  [
    'the server of the queue is killed',
    async ({ scene: { plan } }, ms) => {
      await plan.server.signal('SIGKILL');
      await sleep(ms / 4);
      await plan.server.restart();
    },
  ],
  [
    'the server of the queue is frozen',
    async ({ scene: { plan } }, ms) => {
      await plan.server.signal('SIGSTOP');
      await sleep(ms);
      await plan.server.signal('SIGCONT');
    },
  ],
  [
    'a consumer is frozen',
    async (around, ms) => {
      const { process } = oneConsumer(around);
      process.signal('SIGSTOP');
      await sleep(ms);
      process.signal('SIGCONT');
    },
  ],
  [
    'a consumer is killed',
    async (around) => {
      const consumer = oneConsumer(around);
      await consumer.process.end('SIGKILL');
      await consumer.start();
    },
  ],
  [
    'a consumer is ended',
    async (around) => {
      const consumer = oneConsumer(around);
      const code = await consumer.process.end('SIGTERM');
      if (code !== 0) throw new Error(`a consumer that was ended with SIGTERM exited with ${code}`);
      await consumer.start();
    },
  ],
  ...STEPS.map(([name, action, step]): readonly [string, Fault] => [
    `a consumer is killed ${name}`,
    async (around) => {
      const consumer = oneConsumer(around);
      const { sprung } = consumer.proxy.trap(action, step);
      await Promise.race([sprung, sleep(STEP_MS_MAX)]);
      await consumer.process.end('SIGKILL');
      consumer.proxy.disarm();
      await consumer.start();
    },
  ]),
  [
    'the primary of the database is killed',
    async ({ set }, ms) => {
      const primary = (await set.primaryIndex()) ?? 0;
      await set.members[primary]!.kill('SIGKILL');
      await sleep(ms);
      await set.restart(primary);
    },
  ],
];
