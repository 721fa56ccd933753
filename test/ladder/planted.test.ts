/** Bottlenecks that are put there on purpose, each of which must be named, and by its own numbers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { BALANCERS } from '../../src/ladder/balancer.ts';
import type { LadderParts } from '../../src/ladder/parts.ts';
import type { LadderResult } from '../../src/ladder/result.ts';
import { type LadderOptions, runLadder } from '../../src/ladder/sequence.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { type LadderSetup, ladderParts } from '../../src/wiring/ladder.ts';
import { compile } from '../support/build.ts';
import { quietLog } from '../support/log.ts';
import { CpuGroup } from './support/cpu-group.ts';
import { has } from './support/programs.ts';
import { canDelaySync, startOnSlowDisk } from './support/slow-disk.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Other tests run on the same cores: what is measured here goes first, so that they are not what is found. */
const PREFERENCE = 64;
const SYNC_MS = 20;
const QUOTA_CORES = 0.2;
/** Of others, above which a machine is not ours and it is right to say so. */
const FOREIGN_CORES_MAX = 0.3;

const canDelay = canDelaySync();
const canGroup = CpuGroup.isPossible();

function needs(isThere: boolean, what: string): boolean {
  if (!isThere) console.warn(`a planted bottleneck is not tested here: this machine has no ${what}`);
  return isThere;
}

/** Answers how to end it, when nothing runs any more that was started meanwhile. */
function goFirst(): () => void {
  const group = CpuGroup.create();
  group.prefer(PREFERENCE);
  const leave = group.enter();
  return () => {
    leave();
    group.remove();
  };
}

describe('the ladder', () => {
  let set: EmbeddedReplicaSet;
  let leave = () => {};

  beforeAll(async () => {
    if (canGroup) leave = goFirst();
    set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
  });

  afterAll(async () => {
    await set.stop();
    leave();
  });

  /** They start in half the time. */
  async function compiled(programs: LadderParts['programs']): Promise<LadderParts['programs']> {
    const { folder } = await compile();
    const built = ({ pathname }: URL) => pathToFileURL(join(folder, relative(ROOT, pathname).replace(/\.ts$/, '.js')));
    const { http, validation, inner, service } = programs;
    return { http: built(http), validation: built(validation), inner: built(inner), service: built(service) };
  }

  async function measured(options: Partial<LadderOptions>, setup: Partial<LadderSetup> = {}): Promise<LadderResult> {
    const folder = await mkdtemp(join(tmpdir(), 'kvitt-test-ladder-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const parts = ladderParts({ environment: process.env, log: quietLog, uri: set.uri, ...setup });
    return runLadder(
      { ...parts, programs: await compiled(parts.programs) },
      {
        ...{ layers: ['all'], seconds: 2.5, rounds: 1, concurrency: 64, rate: 0, balancer: 'none' },
        ...{ balancerConnectionsMax: 4096, folder, onProgress: () => undefined },
        ...options,
      },
    );
  }

  it.runIf(has('haproxy'))('names haproxy that lets two callers in at a time', async () => {
    const { findings } = await measured({ balancer: 'haproxy', balancerConnectionsMax: 2 });
    expect(findings[0]).toMatchObject({ bottleneck: 'balancer', where: 'haproxy' });
    expect(findings[0]!.because.join(' ')).toMatch(/had 2 of at most 2 connections/);
  });

  it.runIf(has('nginx'))('names nginx that has too few connections', async () => {
    const { findings } = await measured({ balancer: 'nginx', balancerConnectionsMax: 8 });
    expect(findings[0]).toMatchObject({ bottleneck: 'balancer', where: 'nginx' });
  });

  it('names a pool of one connection to MongoDB', async () => {
    const { findings } = await measured({}, { uriOptions: 'maxPoolSize=1' });
    expect(findings[0]).toMatchObject({ bottleneck: 'pool', where: 'service' });
    expect(findings[0]!.because.join(' ')).toMatch(/waited for a connection/);
  });

  it.runIf(needs(canDelay, 'strace'))('names a disk that is slow to sync on a majority', async () => {
    const slow = await startOnSlowDisk(SYNC_MS, 2);
    onTestFinished(() => slow.stop());
    const { findings } = await measured({}, { uri: slow.uri });
    expect(findings[0]).toMatchObject({ bottleneck: 'disk', where: 'mongod majority' });
  });

  it.runIf(needs(canGroup, 'control group for CPU'))('names a CPU that is withheld by a quota', async () => {
    const group = CpuGroup.create();
    onTestFinished(() => group.remove());
    group.bound(QUOTA_CORES);
    group.prefer(PREFERENCE);
    const { findings } = await measured({}, { serviceWithin: group.within });
    expect(findings[0]).toMatchObject({ bottleneck: 'cpu_starved', where: 'service' });
    expect(findings[0]!.because.join(' ')).toMatch(/A quota of 0.20 cores/);
  });

  it('names commands in flight that are at their bound', async () => {
    const { findings } = await measured({}, { settings: { QUEUE_COMMANDS_MAX: '10' } });
    expect(findings[0]).toMatchObject({ bottleneck: 'admission', where: 'service' });
  });

  it.each(['none', ...BALANCERS.filter(has)] as const)(
    'names the CPU when nothing is planted, behind %s',
    async (balancer) => {
      const { findings, resources } = await measured({ balancer });
      const others = resources.find(({ name }) => name === 'cpu of others')!.points.map(([, cores]) => cores);
      const foreign = others.reduce((sum, cores) => sum + cores, 0) / others.length;
      const right = ['service_cpu', 'database_cpu', ...(foreign > FOREIGN_CORES_MAX ? ['cpu_starved'] : [])];
      expect(right).toContain(findings[0]!.bottleneck);
      expect(findings[0]!.score).toBeGreaterThan(0.3);
    },
  );
});
