/** A ladder as it might come out, for reports. */
import type { LadderResult, Layer, LayerResult } from '../../../src/ladder/result.ts';
import { simulatedRun } from './simulated-run.ts';

export function ladderOf(change: Partial<LadderResult> = {}): LadderResult {
  const { resources, latencyMs } = simulatedRun({ seed: 7, seconds: 30 });
  const layer = (layer: Layer, name: string, perSecond: number): LayerResult => {
    const rounds = [perSecond * 0.96, perSecond, perSecond * 1.03];
    return { layer, name, perSecond, rounds, latencyMs: layer === 'database' ? null : latencyMs };
  };
  return {
    object: 'ladder',
    version: 1,
    startedAt: '2026-11-28T13:30:00.000Z',
    machine: { cpus: 2, model: 'Example CPU 2.4 GHz', memoryMiB: 7_936, node: 'v20.19.2' },
    concurrency: 64,
    fixedRate: 500,
    layers: [
      layer('socket', 'echo of bytes', 41_200),
      layer('balancer', 'haproxy', 18_400),
      layer('http', 'an answer that is always the same', 12_900),
      layer('validation', 'schemas', 10_100),
      layer('engine', 'books in memory', 6_240),
      layer('database', 'journal writes', 2_310),
      layer('all', 'Kvitt', 1_980),
    ],
    stack: [
      { name: 'sockets', totalMs: 0.12, addedMs: 0.12 },
      { name: 'haproxy', totalMs: 0.31, addedMs: 0.19 },
      { name: 'HTTP', totalMs: 0.52, addedMs: 0.21 },
      { name: 'validation', totalMs: 0.61, addedMs: 0.09 },
      { name: 'engine', totalMs: 0.98, addedMs: 0.37 },
      { name: 'journal', totalMs: 3.9, addedMs: 2.92 },
    ],
    resources,
    findings: [
      {
        bottleneck: 'disk',
        where: 'mongod primary',
        score: 0.86,
        because: [
          'The journal alone does 2,310 a second, which is 117 % of what all of it does.',
          'The disk was busy 94 % of the time.',
        ],
        remedy: 'Put the journal on a disk of its own, or let more commands share a write.',
      },
      {
        bottleneck: 'service_cpu',
        where: 'service',
        score: 0.31,
        because: ['The service used 0.7 of one core.'],
        remedy: 'Start another instance.',
      },
    ],
    ...change,
  };
}
