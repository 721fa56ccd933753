import type { ArtifactRef } from '../artifacts/artifact.ts';
import type { Source, StoreOptions } from '../artifacts/types.ts';
import type { Cloudname } from '../cloudname/cloudname.ts';
import type { Coordinate } from '../cloudname/coordinate.ts';
import { inBatches } from '../cloudname/tree.ts';
import { AgentClient, artifactPath, authorization } from './client.ts';
import { seeHosts } from './hosts.ts';

/** More would hardly help one that so many could not. */
const SOURCES_MAX = 8;
const ASKED_MAX = 200;
const ANSWER_MS_MAX = 3_000;

/** Finds the other agents of the cell that have an artifact; those that do not answer have none. */
export function otherAgents(cloudname: Cloudname, own: Coordinate, token: string): StoreOptions['others'] {
  return async (ref) => {
    const hosts = await seeHosts(cloudname, own);
    const addresses = hosts.flatMap(({ coordinate, address }) =>
      address === null || coordinate === String(own) ? [] : [address],
    );
    const asked = inRandomOrder(addresses).slice(0, ASKED_MAX);
    const sources = await inBatches(asked, (address) => sourceAt(address, token, ref));
    return sources.filter((source) => source !== null).slice(0, SOURCES_MAX);
  };
}

async function sourceAt(address: string, token: string, { id, sha256 }: ArtifactRef): Promise<Source | null> {
  const client = new AgentClient(address, token, ANSWER_MS_MAX);
  try {
    const { artifacts } = await client.artifacts();
    const hasIt = artifacts.some((artifact) => artifact.id === id && artifact.sha256 === sha256);
    return hasIt ? { url: `${address}${artifactPath(id)}`, headers: authorization(token) } : null;
  } catch {
    return null;
  } finally {
    await client.close();
  }
}

/** So that one host is not asked by all. */
function inRandomOrder<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
