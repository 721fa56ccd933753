import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedReplicaSet } from '../../../src/mongo/embedded.ts';
import type { Network } from './network.ts';
import { primaryOf, secondariesOf } from './replica-set.ts';
import type { SkewedClock } from './skewed-clock.ts';
import type { WorkerTaker } from './takers.ts';

export const MEMBERS = ['member-0', 'member-1', 'member-2'];
/** The host of the last of the workers. */
export const SERVICE = 'service';
const CLOCK_OFF_S_MAX = 600;

/** What faults can happen to. */
export interface Scene {
  readonly set: EmbeddedReplicaSet;
  readonly workers: readonly WorkerTaker[];
  /** `null`: this machine can make none, and there are no partitions. */
  readonly network: Network | null;
  /** Of the first worker; `null`: this machine can make none. */
  readonly clock: SkewedClock | null;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** Something goes wrong for so long, and is then as before. */
type Fault = (scene: Scene, ms: number) => Promise<void>;

async function freeze({ set }: Scene, indices: readonly number[], ms: number): Promise<void> {
  for (const index of indices) await set.members[index]!.kill('SIGSTOP');
  await sleep(ms);
  for (const index of indices) await set.members[index]!.kill('SIGCONT');
}

async function kill({ set }: Scene, index: number, ms: number): Promise<void> {
  await set.members[index]!.kill('SIGKILL');
  await sleep(ms);
  await set.restart(index);
}

async function oneSecondary({ set, random }: Scene): Promise<number> {
  return (await secondariesOf(set))[random() < 0.5 ? 0 : 1]!;
}

function oneWorker({ workers, random }: Scene): WorkerTaker {
  return workers[Math.floor(random() * workers.length)]!;
}

const EVERYWHERE: Record<string, Fault> = {
  'the primary is killed': async (scene, ms) => kill(scene, await primaryOf(scene.set), ms),
  'the primary is frozen': async (scene, ms) => freeze(scene, [await primaryOf(scene.set)], ms),
  'a secondary is killed': async (scene, ms) => kill(scene, await oneSecondary(scene), ms),
  'a secondary is frozen': async (scene, ms) => freeze(scene, [await oneSecondary(scene)], ms),
  'two secondaries are frozen': async (scene, ms) => freeze(scene, await secondariesOf(scene.set), ms),
  'a service is killed': async (scene) => oneWorker(scene).killAndReplace(),
  'a service is frozen': async (scene, ms) => {
    const worker = oneWorker(scene);
    worker.signal('SIGSTOP');
    await sleep(ms);
    worker.signal('SIGCONT');
  },
};

/** Cuts or slows something, for so long. */
function inNetwork(begin: (network: Network, primary: string, others: string[]) => Promise<void>): Fault {
  return async ({ set, network }, ms) => {
    const primary = MEMBERS[await primaryOf(set)]!;
    const others = MEMBERS.filter((one) => one !== primary);
    await begin(network!, primary, others);
    await sleep(ms);
    await network!.heal();
  };
}

const WITH_NETWORK: Record<string, Fault> = {
  'the primary is cut off': inNetwork((network, primary, others) => network.cut(primary, others)),
  'the primary is not heard': inNetwork((network, primary, others) => network.mute(primary, others)),
  'the primary hears nobody': inNetwork(async (network, primary, others) => {
    for (const other of others) await network.mute(other, [primary]);
  }),
  'a service is cut off': inNetwork((network) => network.cut(SERVICE, MEMBERS)),
  'the link of the primary is slow': inNetwork((network, primary) => network.slow(primary)),
  'the link of a secondary is slow': inNetwork((network, _primary, [other]) => network.slow(other!)),
};

const WITH_CLOCK: Record<string, Fault> = {
  'the clock of a service jumps': ({ clock, random }) => clock!.set(Math.round((2 * random() - 1) * CLOCK_OFF_S_MAX)),
};

/** All that this scene can suffer, by what happens. */
export function faultsFor({ network, clock }: Scene): [name: string, fault: Fault][] {
  return Object.entries({ ...EVERYWHERE, ...(network && WITH_NETWORK), ...(clock && WITH_CLOCK) });
}
