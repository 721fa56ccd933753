/**
 * `npm run soak:queue`: a stream of events, a fifth of them sent twice, to two processes that consume them, while one
 * fault after another is drawn by a seed; then the checker. Progress is on standard error. Exit 1, with the seed, when
 * anything is wrong.
 * Options: --events N (100000), --minutes N (then no more are sent; no limit unless told), --seed N (a new one).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { seeded } from '../simulation/virtual-world.ts';
import { compile } from '../support/build.ts';
import { startElasticMq } from '../support/elasticmq.ts';
import { quietLog } from '../support/log.ts';
import { planEvents } from './support/event-plan.ts';
import { QUEUE_FAULTS } from './support/queue-faults.ts';
import { QueueScene } from './support/queue-scene.ts';

const RATE = 0.02;
/** More than this is never in the queue: what is sent is spread over the whole run. */
const BACKLOG = 2_000;
const FAULT_MS_MAX = 8_000;
const REST_MS_MAX = 6_000;
const GOES_ON = 50;
const GOES_ON_MS_MAX = 120_000;
const DRAIN_MS_MAX = 600_000;
const FAULTS_SHOWN = 20;

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '100000' },
    minutes: { type: 'string', default: 'Infinity' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const [EVENTS, MINUTES, SEED] = [options.events, options.minutes, options.seed].map(Number) as [number, number, number];
if (!(EVENTS > 0 && MINUTES > 0 && Number.isInteger(SEED))) throw new Error('--events, --minutes, --seed want numbers');

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function survive(scene: QueueScene, set: Awaited<ReturnType<typeof startEmbeddedReplicaSet>>): Promise<string[]> {
  const random = seeded(SEED);
  const plan = planEvents('soak', EVENTS, random);
  await scene.start();
  for (const { proxy } of scene.consumers) proxy.rate = RATE;
  const waits = async () => {
    while ((await scene.left().catch(() => BACKLOG)) >= BACKLOG) await sleep(200);
  };
  let isSent = false;
  const sending = scene.send(plan, waits).then(() => {
    isSent = true;
  });
  const isOver = async () => isSent && (await scene.left()) === 0;
  const sendUntil = performance.now() + MINUTES * 60_000;
  while (!(await isOver())) {
    if (performance.now() > sendUntil) scene.sender.cease();
    await sleep(random() * REST_MS_MAX);
    const [name, fault] = QUEUE_FAULTS[Math.floor(random() * QUEUE_FAULTS.length)]!;
    const from = performance.now();
    await fault({ scene, set, random }, random() * FAULT_MS_MAX);
    scene.faults++;
    const ended = performance.now();
    await scene.goesOn(GOES_ON, GOES_ON_MS_MAX);
    const [lasted, wentOn] = [ended - from, performance.now() - ended].map((ms) => (ms / 1000).toFixed(1));
    const sent = `${scene.sender.sent.length} of ${EVENTS} events sent`;
    const done = `${sent}, ${await scene.entries()} entries stand, ${await scene.left()} messages in the queue`;
    say(`${scene.faults}: ${name}, ${lasted} s; went on after ${wentOn} s; ${done}`);
  }
  await sending;
  return await scene.end(DRAIN_MS_MAX);
}

say(`soak:queue: ${EVENTS} events, seed ${SEED}`);
const build = await compile();
const server = await startElasticMq({ isDurable: true });
const set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
const scene = await QueueScene.create({
  name: 'queue_soak',
  mongodbUri: set.uri,
  server,
  program: build.program,
  seed: SEED,
});
let found: string[];
try {
  found = await survive(scene, set);
} catch (error) {
  found = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
} finally {
  await server.signal('SIGCONT');
  await scene.close().catch((error: unknown) => say(`not closed: ${error}`));
  await set.stop();
  await server.stop();
}
for (const fault of found.slice(0, FAULTS_SHOWN)) process.stdout.write(`WRONG: ${fault}\n`);
const verdict = found.length === 0 ? 'nothing wrong' : `${found.length} things wrong`;
process.stdout.write(`${scene.summary()}; ${verdict}, seed ${SEED}\n`);
process.exit(found.length === 0 ? 0 : 1);
