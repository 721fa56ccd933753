import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { Attempts, Restarts } from '../../src/processes/restarts.ts';
import { spec } from './support/world.ts';

const policy = { max: 3, period: 10, backoff: 1, ceiling: 4 };
const never = null;

describe('restarts', () => {
  it('come later each time, up to the ceiling', () => {
    const restarts = new Restarts({ ...policy, max: 9 }, () => 0);
    expect([1, 2, 3, 4].map((at) => restarts.failed(at, 1))).toEqual([1_000, 2_000, 4_000, 4_000]);
    expect(restarts.count).toBe(4);
  });

  it('are spread at random, never later than the ceiling', () => {
    expect(new Restarts(policy, () => 0.999).failed(0, 1)).toBeCloseTo(800, -1);
    expect(new Restarts({ ...policy, backoff: 3_600 }, () => 0).failed(0, 1)).toBe(4_000);
  });

  it('are not made when none is allowed', () => {
    expect(new Restarts({ ...policy, max: 0 }, () => 0).failed(0, never)).toBeNull();
  });

  it('begin anew after it was healthy for a period', () => {
    const restarts = new Restarts(policy, () => 0);
    for (const at of [1, 2, 3]) restarts.failed(at, 1);
    expect(restarts.failed(4, 10_000)).toBe(1_000);
    expect([5, 6].map((at) => restarts.failed(at, 1))).toEqual([2_000, 4_000]);
    expect(restarts.failed(7, 1)).toBeNull();
  });

  it('end when it is never healthy, however long that takes', () => {
    const restarts = new Restarts(policy, () => 0);
    const answers = [1, 2, 3, 4].map((n) => restarts.failed(n * 60_000, never));
    expect(answers).toEqual([1_000, 2_000, 4_000, null]);
  });

  const ends = fc.array(
    fc.record({ afterMs: fc.integer({ min: 0, max: 8_000 }), healthyForMs: fc.option(fc.nat({ max: 15_000 })) }),
    {
      maxLength: 60,
    },
  );
  test.prop([ends])('are never more than allowed within any period', (all) => {
    const restarts = new Restarts(policy, Math.random);
    let now = 0;
    const made: number[] = [];
    for (const { afterMs, healthyForMs } of all) {
      now += afterMs + (healthyForMs ?? 0);
      const delayMs = restarts.failed(now, healthyForMs);
      if (delayMs === null) break;
      expect(delayMs).toBeGreaterThan(0);
      expect(delayMs).toBeLessThanOrEqual(4_000);
      if (healthyForMs !== null && healthyForMs >= 10_000) made.length = 0;
      made.push(now);
      expect(made.filter((at) => now - at < 10_000).length).toBeLessThanOrEqual(policy.max);
    }
  });
});

describe('attempts', () => {
  const of = (hash: string) => ({ hash, spec: spec('good') });

  it('begin anew with another specification', () => {
    const attempts = new Attempts(() => 0);
    attempts.failed(of('a'), Date.now(), 1);
    attempts.failed(of('a'), Date.now(), 1);
    expect(attempts.waitMs(of('a'))).toBeGreaterThan(1_000);
    expect(attempts.waitMs(of('b'))).toBe(0);
    attempts.failed(of('b'), Date.now(), 1);
    expect(attempts.count).toBe(1);
  });

  it('are not put off for longer than the ceiling when the clock was set back', () => {
    const attempts = new Attempts(() => 0);
    attempts.failed(of('a'), Date.now() + 86_400_000, 1);
    expect(attempts.waitMs(of('a'))).toBe(30_000);
  });
});
