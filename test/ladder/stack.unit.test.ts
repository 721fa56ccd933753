import { describe, expect, it } from 'vitest';
import type { Layer, LayerResult } from '../../src/ladder/result.ts';
import { stackOf } from '../../src/ladder/stack.ts';

function layer(layer: Layer, p50: number | null, name: string = layer): LayerResult {
  const latencyMs = p50 === null ? null : { mean: p50, p50, p90: p50, p95: p50, p99: p50, p999: p50, max: p50 };
  return { layer, name, perSecond: 1, rounds: [1], latencyMs };
}

const LAYERS = [
  layer('socket', 1),
  layer('balancer', 5, 'nginx'),
  layer('balancer', 4, 'haproxy'),
  layer('http', 3),
  layer('validation', 6),
  layer('engine', 12),
  layer('database', 10),
];

describe('where the time of a call goes', () => {
  it('is layer upon layer, and at last what they cost each other', () => {
    const steps = stackOf([...LAYERS, layer('all', 30)], 'haproxy');
    expect(steps.map(({ name, totalMs, addedMs }) => [name, addedMs, totalMs])).toEqual([
      ['socket', 1, 1],
      ['HTTP', 2, 3],
      ['validation', 3, 6],
      ['haproxy', 1, 7],
      ['MongoDB', 10, 17],
      ['engine', 2, 19],
      ['together', 11, 30],
    ]);
  });

  it('has no step for a balancer that calls went past', () => {
    expect(stackOf(LAYERS, null).map(({ name }) => name)).toEqual([
      'socket',
      'HTTP',
      'validation',
      'MongoDB',
      'engine',
    ]);
  });

  it('leaves out what could not keep up, and never takes time away', () => {
    const slow = LAYERS.map((one) => (one.layer === 'engine' ? layer('engine', null) : one));
    const steps = stackOf([...slow, layer('all', 9)], 'haproxy');
    expect(steps.map(({ name }) => name)).not.toContain('engine');
    expect(steps.at(-1)).toEqual({ name: 'together', totalMs: 9, addedMs: 0 });
  });
});
