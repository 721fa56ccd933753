import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  apart,
  clockText,
  linear,
  linePath,
  logarithmic,
  logTicks,
  roundTicks,
  stepArea,
  timeTicks,
} from '../../src/html/chart.ts';
import { ticksUpTo } from '../../src/html/picture.ts';

const amounts = fc.double({ min: 1e-4, max: 1e9, noNaN: true });

describe('scales', () => {
  it('put the ends at the ends, and what is below a logarithmic one at its beginning', () => {
    const [x, y] = [linear(0, 10, 50, 150), logarithmic(1, 100, 200, 0)];
    expect([x(0), x(5), x(10)]).toEqual([50, 100, 150]);
    expect([y(1), y(100), y(0)]).toEqual([200, 0, 200]);
    expect(y(10)).toBeCloseTo(100, 9);
  });

  it('of a single value are no division by nothing', () => {
    expect(linear(3, 3, 10, 20)(3)).toBe(10);
  });
});

describe('ticks', () => {
  it('are round, begin at 0, are few, and reach what is shown', () => {
    fc.assert(
      fc.property(amounts, (most) => {
        const ticks = roundTicks(most);
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)!).toBeGreaterThanOrEqual(most * (1 - 1e-6));
        expect(ticks.at(-2)!).toBeLessThan(most);
        expect(ticks.length).toBeGreaterThanOrEqual(3);
        expect(ticks.length).toBeLessThanOrEqual(6);
      }),
    );
    expect(roundTicks(0)).toEqual([0, 1]);
    expect(roundTicks(0.7)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
  });

  it('of counts are whole numbers', () => {
    fc.assert(
      fc.property(fc.nat(1e9), (most) => {
        const { ticks, top } = ticksUpTo(most);
        expect(ticks.every(Number.isInteger)).toBe(true);
        expect(top).toBeGreaterThanOrEqual(most);
      }),
    );
  });

  it('of a logarithmic axis lie within it, and are not too many', () => {
    fc.assert(
      fc.property(amounts, fc.double({ min: 3, max: 1e6, noNaN: true }), (low, times) => {
        const ticks = logTicks(low, low * times);
        expect(ticks.length).toBeGreaterThan(0);
        expect(ticks.length).toBeLessThanOrEqual(8);
        expect(ticks.every((tick) => tick >= low && tick <= low * times)).toBe(true);
      }),
    );
    expect(logTicks(0.9, 60)).toEqual([1, 2, 5, 10, 20, 50]);
    expect(logTicks(0.09, 2_000)).toEqual([0.1, 1, 10, 100, 1_000]);
  });

  it('of time are whole seconds, minutes or hours', () => {
    expect(timeTicks(60)).toEqual([0, 10, 20, 30, 40, 50, 60]);
    expect(timeTicks(3_600).map(clockText)).toEqual(['0:00', '10:00', '20:00', '30:00', '40:00', '50:00', '1:00:00']);
    expect(timeTicks(1)).toEqual([0, 1]);
    expect(timeTicks(30 * 86_400).at(-1)).toBe(30 * 86_400);
  });
});

describe('lines and areas', () => {
  it('are interrupted where there is nothing, and show a point alone', () => {
    expect(linePath([[0, 1], [10, 2], null, [30, 4], null])).toBe('M0 1L10 2M26 4h8');
    expect(linePath([null, null])).toBe('');
  });

  it('go up and down in steps', () => {
    const bars = [
      { from: 0, to: 10, low: 100, high: 50 },
      { from: 10, to: 20, low: 100, high: 30 },
    ];
    expect(stepArea(bars)).toBe('M0 100L0 50H10L10 30H20L20 100H10L10 100H0Z');
    expect(stepArea([])).toBe('');
  });
});

describe('labels', () => {
  it('are moved apart, in their order, and stay where there is room for them', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 8 }), (places) => {
        const moved = apart(places, 15, 0, 300);
        const sorted = [...moved].sort((a, b) => a - b);
        sorted.slice(1).forEach((place, at) => {
          expect(place - sorted[at]!).toBeGreaterThanOrEqual(15 - 1e-9);
        });
        expect(moved.every((place) => place >= -1e-9 && place <= 300 + 1e-9)).toBe(true);
        expect(apart([10, 200], 15, 0, 300)).toEqual([10, 200]);
      }),
    );
  });
});
