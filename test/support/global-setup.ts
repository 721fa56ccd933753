/** One throw-away replica set for all integration tests of a run. */
import type { TestProject } from 'vitest/node';
import { startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { quietLog } from './log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the replica set that all test files share: use a database of your own. */
    mongodbUri: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const replicaSet = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
  project.provide('mongodbUri', replicaSet.uri);
  return () => replicaSet.stop();
}
