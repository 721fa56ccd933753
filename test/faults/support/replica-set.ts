import { MongoClient } from 'mongodb';
import { expect, onTestFinished } from 'vitest';
import type { EngineLimits } from '../../../src/ledger/engine.ts';
import type { EmbeddedReplicaSet } from '../../../src/mongo/embedded.ts';
import { LiveLoad } from './live-load.ts';
import { EngineTaker } from './takers.ts';

/** Callers that give up early: what they did not wait for is unknown to them. */
export const IMPATIENT: Partial<EngineLimits> = { callerPatienceMs: 4_000, claimPatienceMs: 4_000 };

/** The index of the primary, as soon as there is one among the members that answer. */
export async function primaryOf(set: EmbeddedReplicaSet): Promise<number> {
  let index: number | null = null;
  await expect.poll(async () => (index = await set.primaryIndex()), { timeout: 60_000 }).not.toBeNull();
  return index!;
}

export async function secondariesOf(set: EmbeddedReplicaSet): Promise<number[]> {
  const first = await primaryOf(set);
  return [0, 1, 2].filter((index) => index !== first);
}

export async function isSecondary(set: EmbeddedReplicaSet, index: number): Promise<boolean> {
  const client = new MongoClient(`mongodb://${set.members[index]!.address}/?directConnection=true`);
  try {
    return (await client.db('admin').command({ hello: 1 })).secondary === true;
  } finally {
    await client.close();
  }
}

export interface LoadPlan {
  readonly engines: number;
  readonly limits?: Partial<EngineLimits>;
}

/** Engines in this process under load, closed at the end of the test. */
export async function loadOn(set: EmbeddedReplicaSet, database: string, plan: LoadPlan): Promise<LiveLoad> {
  const load = await LiveLoad.over(set.uri, database);
  onTestFinished(() => load.close());
  const engines = Array.from({ length: plan.engines }, () => EngineTaker.start(set.uri, database, plan.limits));
  load.add(...(await Promise.all(engines)));
  await load.progress(20);
  return load;
}
