import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it, onTestFinished } from 'vitest';
import { BALANCERS } from '../../src/ladder/balancer.ts';
import { LAYERS, type LadderResult } from '../../src/ladder/result.ts';
import { ladderCommand } from '../../src/ladder/tool.ts';
import { ladderParts } from '../../src/wiring/ladder.ts';
import { quietLog } from '../support/log.ts';
import { has } from './support/programs.ts';

/** That the slowest machine keeps: what does not keep it has no latency to be compared. */
const RATE = 10;

it.runIf(BALANCERS.every(has))(
  'measures each layer alone and all together, and keeps what it found',
  {
    timeout: 180_000,
  },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvitt-test-ladder-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const kept: [string, LadderResult][] = [];
    const printed: LadderResult[] = [];
    const command = ladderCommand({
      ladder: () => ladderParts({ environment: process.env, log: quietLog, uri: inject('mongodbUri') }),
      print: (result) => printed.push(result),
      text: () => '',
      write: async (result, where) => {
        kept.push([where, result]);
        return [];
      },
    });
    const argv = [
      '--seconds',
      '1',
      '--rounds',
      '1',
      '--concurrency',
      '8',
      '--rate',
      String(RATE),
      '--balancer',
      'nginx',
    ];
    await command.parseAsync([...argv, '--out', folder, '--json'], { from: 'user' });

    const [result] = printed;
    expect(kept).toEqual([[folder, result]]);
    expect(result).toMatchObject({ object: 'ladder', version: 1, concurrency: 8, fixedRate: RATE });
    const { layers, stack, resources, findings } = result!;
    expect(new Set(layers.map(({ layer }) => layer))).toEqual(new Set(LAYERS));
    expect(layers.filter(({ layer }) => layer === 'balancer').map(({ name }) => name)).toEqual(['nginx', 'haproxy']);
    expect(layers.filter(({ layer }) => layer === 'all')).toHaveLength(2);
    for (const { perSecond, rounds } of layers) {
      expect(perSecond).toBeGreaterThan(0);
      expect(rounds).toHaveLength(1);
    }
    expect(layers.find(({ layer }) => layer === 'socket')!.latencyMs!.p50).toBeGreaterThan(0);
    expect(stack.at(-1)!.name).toBe('together');
    for (const { addedMs } of stack) expect(addedMs).toBeGreaterThanOrEqual(0);
    const sampled = new Set(resources.map(({ of }) => of));
    for (const of of ['machine', 'service', 'generator', 'nginx', 'mongod primary']) expect(sampled).toContain(of);
    expect(findings.length).toBeGreaterThan(0);
  },
);
