/** A replica set whose members wait each time they sync to the disk. */
import { execFileSync } from 'node:child_process';
import { createClient } from '../../../src/mongo/client.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../../src/mongo/embedded.ts';
import type { Place } from '../../../src/mongo/mongod-process.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const HERE: Place = { host: '127.0.0.1', within: [] };

/** So many of the three members are slow. */
export async function startOnSlowDisk(syncMs: number, slow: number): Promise<EmbeddedReplicaSet> {
  const places = [0, 1, 2].map((member) => (member < slow ? { ...HERE, within: slowSync(syncMs) } : HERE));
  const set = await startEmbeddedReplicaSet({ dataDir: null, log: QUIET, places });
  const pids = await Promise.all(set.members.map(({ address }) => pidOf(address)));
  return new Proxy(set, {
    get: (target, name) => (name === 'stop' ? () => stop(target, pids) : Reflect.get(target, name, target)),
  });
}

/** A tracer that is killed leaves what it traced behind: that is ended first. */
async function stop(set: EmbeddedReplicaSet, pids: readonly number[]): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await set.stop();
}

async function pidOf(address: string): Promise<number> {
  const client = await createClient(`mongodb://${address}/?directConnection=true`).connect();
  try {
    return Number((await client.db('admin').command({ serverStatus: 1 })).pid);
  } finally {
    await client.close();
  }
}

function slowSync(ms: number): string[] {
  const calls = 'fdatasync,fsync';
  const inject = `inject=${calls}:delay_enter=${ms * 1000}`;
  return ['strace', '-f', '--seccomp-bpf', '-qq', '-e', `trace=${calls}`, '-e', inject, '-o', '/dev/null'];
}

/** Can a process be traced and delayed here? */
export function canDelaySync(): boolean {
  try {
    execFileSync('strace', [...slowSync(1).slice(1), 'true'], { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
