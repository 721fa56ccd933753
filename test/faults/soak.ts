/**
 * `npm run soak`, by hand: payments for as long as one likes while faults come one after the other, drawn by a seed. In
 * episodes of a few minutes, each with a database of its own that the checker proves at its end.
 * Settings: MINUTES (30), SEED (drawn and printed).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { seeded } from '../simulation/virtual-world.ts';
import { connectClient } from '../support/database.ts';
import { quietLog } from '../support/log.ts';
import { LiveLoad } from './support/live-load.ts';
import { Network } from './support/network.ts';
import { IMPATIENT, isSecondary, primaryOf, secondariesOf } from './support/replica-set.ts';
import { canInjectAll } from './support/requirements.ts';
import { EngineTaker, WorkerTaker } from './support/takers.ts';

const MINUTES = Number(process.env.MINUTES ?? 30);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000));
const FAULTS_PER_EPISODE = 8;
const MEMBERS = ['member-0', 'member-1', 'member-2'];
const ELECTED_MS_MAX = 40_000;
const PAUSE_MS_MAX = 5_000;
const AFTER_MS = 600_000;

const random = seeded(SEED);
let network: Network | null = null;
let set: EmbeddedReplicaSet;

interface Scene {
  readonly load: LiveLoad;
  readonly workers: readonly WorkerTaker[];
}

beforeAll(async () => {
  network = canInjectAll ? await Network.create(MEMBERS) : null;
  const places = network ? { places: MEMBERS.map((member) => network!.place(member)) } : {};
  set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog, ...places });
});

afterAll(async () => {
  await set?.stop();
  await network?.remove();
});

const member = (index: number) => set.members[index]!;
const name = (index: number) => MEMBERS[index]!;
const othersThan = (index: number) => MEMBERS.filter((_, i) => i !== index);
const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
const pause = () => sleep(200 + random() * PAUSE_MS_MAX);
const aSecondary = async () => pick(await secondariesOf(set));

async function kill(index: number, { load }: Scene): Promise<void> {
  await member(index).kill('SIGKILL');
  await load.progress(10);
  await set.restart(index);
}

async function freeze(indexes: readonly number[]): Promise<void> {
  for (const index of indexes) await member(index).kill('SIGSTOP');
  await pause();
  for (const index of indexes) await member(index).kill('SIGCONT');
}

async function untilReplaced(old: number): Promise<void> {
  await expect.poll(() => set.primaryIndex(), { timeout: ELECTED_MS_MAX }).not.toBe(old);
}

/** Cuts the primary off in some way until there is another. */
async function cutOff(cut: (net: Network, primary: number) => Promise<void>): Promise<void> {
  const old = await primaryOf(set);
  await cut(network!, old);
  await untilReplaced(old);
  await pause();
  await network!.heal();
  await expect.poll(() => isSecondary(set, old).catch(() => false), { timeout: ELECTED_MS_MAX }).toBe(true);
}

async function slowDown(index: number): Promise<void> {
  await network!.slow(name(index));
  await pause();
  await network!.heal();
}

const FAULTS: Record<string, (scene: Scene) => Promise<unknown>> = {
  'the primary is killed': async (scene) => kill(await primaryOf(set), scene),
  'a secondary is killed': async (scene) => kill(await aSecondary(), scene),
  'the primary is frozen past an election': async () => {
    const old = await primaryOf(set);
    await member(old).kill('SIGSTOP');
    await untilReplaced(old);
    await pause();
    await member(old).kill('SIGCONT');
  },
  'the primary is frozen for a moment': async () => freeze([await primaryOf(set)]),
  'a secondary is frozen': async () => freeze([await aSecondary()]),
  'two secondaries are frozen': async () => freeze(await secondariesOf(set)),
  'a service is killed': ({ workers }) => pick(workers).killAndReplace(),
  'a service is frozen': async ({ workers }) => {
    const worker = pick(workers);
    worker.signal('SIGSTOP');
    await pause();
    worker.signal('SIGCONT');
  },
};

const NETWORK_FAULTS: typeof FAULTS = {
  'the primary is cut off from the others': () => cutOff((net, old) => net.cut(name(old), othersThan(old))),
  'the primary is not heard by the others': () => cutOff((net, old) => net.mute(name(old), othersThan(old))),
  'the link of the primary is slow': async () => slowDown(await primaryOf(set)),
  'the link of a secondary is slow': async () => slowDown(await aSecondary()),
};

async function episode(number: number): Promise<number> {
  const database = `soak_${SEED}_${number}`;
  const load = await LiveLoad.over(set.uri, database);
  onTestFinished(() => load.close());
  const workers = [0, 1].map(() => new WorkerTaker({ uri: set.uri, database, limits: IMPATIENT }));
  load.add(...workers, await EngineTaker.start(set.uri, database, IMPATIENT));
  await load.progress(20);
  const faults = { ...FAULTS, ...(network ? NETWORK_FAULTS : {}) };
  for (let i = 0; i < FAULTS_PER_EPISODE; i++) {
    const fault = pick(Object.keys(faults));
    console.info(`episode ${number}, fault ${i + 1} of ${FAULTS_PER_EPISODE}: ${fault}`);
    await faults[fault]!({ load, workers });
    await load.progress(20);
  }
  expect(await load.end(FAULTS_PER_EPISODE)).toEqual([]);
  const operations = load.calls.length + load.reads.length;
  await dropDatabase(database);
  return operations;
}

async function dropDatabase(database: string): Promise<void> {
  const client = await connectClient(set.uri);
  await client.db(database).dropDatabase();
  await client.close();
}

it('nothing is lost or doubled, whatever fails and in whatever order', {
  timeout: MINUTES * 60_000 + AFTER_MS,
}, async () => {
  console.info(`SEED=${SEED} MINUTES=${MINUTES}${network ? '' : ', without faults of the network'}`);
  const began = performance.now();
  let operations = 0;
  let episodes = 0;
  while (performance.now() - began < MINUTES * 60_000) operations += await episode(++episodes);
  const seconds = Math.round((performance.now() - began) / 1000);
  console.info(
    `survived: ${operations} operations, ${episodes * FAULTS_PER_EPISODE} faults, ${seconds} s, SEED=${SEED}`,
  );
});
