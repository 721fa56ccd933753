/** One throw-away ZooKeeper for all tests of a run that need no fault in it. */
import type { TestProject } from 'vitest/node';
import { startZooKeeper } from './zookeeper.ts';

const TICK_MS = 200;

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the ZooKeeper that all test files share: use a chroot of your own. */
    zookeeperConnect: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const zookeeper = await startZooKeeper({ tickMs: TICK_MS });
  project.provide('zookeeperConnect', zookeeper.connect);
  return () => zookeeper.stop();
}
