/** That comparisons are right about chance: many simulated pairs of runs, always the same ones. */
import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/loadtest/compare.ts';
import type { Comparison, Figure } from '../../src/loadtest/comparison.ts';
import { type Simulated, simulatedRun } from './support/simulated-run.ts';

const CASES = 200;
const OPTIONS = { resamples: 200 } as const;

function isChanged({ changes }: Comparison, figure?: Figure): boolean {
  return changes.some((one) => ['better', 'worse'].includes(one.verdict) && (figure ?? one.figure) === one.figure);
}

/** The share of pairs in which a comparison said so. */
function shareOf(
  cases: number,
  says: (comparison: Comparison) => boolean,
  runsEach: number,
  before: Partial<Simulated>,
  after: Partial<Simulated>,
): number {
  let count = 0;
  for (let at = 0; at < cases; at++) {
    const runs = (side: number, how: Partial<Simulated>) =>
      Array.from({ length: runsEach }, (_, run) => simulatedRun({ ...how, seed: 1 + at * 1_000 + side * 100 + run }));
    if (says(compareRuns(runs(0, before), runs(1, after), OPTIONS))) count++;
  }
  return count / cases;
}

describe('one run a side', () => {
  it.each([
    ['seconds that are not alike', { likeness: 0 }],
    ['seconds that are alike', { likeness: 0.6, drift: 0.1 }],
    ['seconds that are very much alike', { likeness: 0.85, drift: 0.1, seconds: 120, perSecond: 100 }],
    ['errors in bursts', { errorShare: 0.02 }],
    ['a rate that rises', { shape: (at: number) => 0.2 + at / 40 }],
  ])('of the same is hardly ever called changed: %s', (_name, how: Partial<Simulated>) => {
    expect(shareOf(CASES, isChanged, 1, how, how)).toBeLessThanOrEqual(0.08);
  });

  it.each([
    ['all calls', { factor: 1.2 }],
    ['the slowest calls only', { tailFactor: 1.2 }],
  ])('finds a p99 that rose by 20 per cent: %s', (_name, slower: Partial<Simulated>) => {
    const how = { seconds: 90, perSecond: 300 };
    const found = (comparison: Comparison) => isChanged(comparison, 'p99');
    expect(shareOf(60, found, 1, how, { ...how, ...slower })).toBeGreaterThanOrEqual(0.8);
  });
});

describe('several runs a side', () => {
  const how = { runSpread: 0.08, seconds: 40, perSecond: 200 };

  it('of the same are hardly ever called changed, although runs differ', () => {
    expect(shareOf(100, isChanged, 4, how, how)).toBeLessThanOrEqual(0.08);
  });

  it('would be called changed far too often, were they compared one by one', () => {
    expect(shareOf(50, isChanged, 1, how, how)).toBeGreaterThan(0.3);
  });

  it('find a p99 that rose by 20 per cent', () => {
    const alike = { ...how, runSpread: 0.04 };
    const found = (comparison: Comparison) => isChanged(comparison, 'p99');
    expect(shareOf(40, found, 6, alike, { ...alike, factor: 1.2 })).toBeGreaterThanOrEqual(0.8);
  });
});
