import { describe, expect, it } from 'vitest';
import { NotComparableError } from '../../src/loadtest/comparable.ts';
import { compareRuns } from '../../src/loadtest/compare.ts';
import type { Change, Comparison, Figure } from '../../src/loadtest/comparison.ts';
import type { RunResult } from '../../src/loadtest/result.ts';
import { type Simulated, scenarioOf, simulatedRun } from './support/simulated-run.ts';

function run(seed: number, how: Partial<Simulated> = {}, change: Partial<RunResult> = {}): RunResult {
  return simulatedRun({ ...how, seed, change });
}

function of(comparison: Comparison, figure: Figure): Change {
  return comparison.changes.find((one) => one.figure === figure)!;
}

describe('a comparison of one run a side', () => {
  const slower = compareRuns([run(1)], [run(2, { factor: 1.5 })]);

  it('finds what changed, by how much, and that it is no chance', () => {
    const p50 = of(slower, 'p50');
    expect(p50).toMatchObject({ scale: 'ratio', verdict: 'worse', operation: null });
    expect(p50.change).toBeCloseTo(p50.after / p50.before, 9);
    expect(p50.interval![0]).toBeLessThan(1.5);
    expect(p50.interval![1]).toBeGreaterThan(1.5);
    expect(p50.adjustedPValue).toBeLessThan(0.05);
    expect(p50.adjustedPValue).toBeGreaterThanOrEqual(p50.pValue!);
    expect(of(slower, 'per_second').verdict).toBe('not_significant');
    expect(of(compareRuns([run(2, { factor: 1.5 })], [run(1)]), 'p50').verdict).toBe('better');
  });

  it('says that it speaks about these runs only', () => {
    expect(slower).toMatchObject({ method: 'blocks', warmupSeconds: 5, seconds: 55, warnings: [] });
    expect(slower.blockSeconds).toBeGreaterThanOrEqual(5);
    expect(slower.notes.join(' ')).toContain('speaks about these runs only');
  });

  it('is the same each time, and another with another seed', () => {
    expect(compareRuns([run(1)], [run(2, { factor: 1.5 })])).toEqual(slower);
    const other = compareRuns([run(1)], [run(2, { factor: 1.5 })], { seed: 2 });
    expect(of(other, 'p50').pValue).not.toBe(of(slower, 'p50').pValue);
  });

  it('finds no difference of a run from itself, and says that it is on both sides', () => {
    const same = compareRuns([run(1)], [run(1)]);
    expect(new Set(same.changes.map(({ verdict }) => verdict))).toEqual(new Set(['not_significant', 'not_tested']));
    expect(same.changes.every(({ pValue }) => pValue === 1 || pValue === null)).toBe(true);
    expect(same.warnings).toEqual(['A run is on both sides.']);
  });

  it('takes the share of errors as a difference, as there may have been none', () => {
    const worse = of(compareRuns([run(1)], [run(2, { errorShare: 0.05 })]), 'error_share');
    expect(worse).toMatchObject({ scale: 'difference', before: 0 });
    expect(worse.change).toBeCloseTo(worse.after, 12);
  });

  it('leaves the first seconds out', () => {
    const cold = (seed: number) => run(seed, { shape: (at) => (at < 10 ? 0.1 : 1) });
    const rate = (warmupSeconds: number) =>
      of(compareRuns([cold(1)], [cold(2)], { warmupSeconds }), 'per_second').before;
    expect(rate(10)).toBeGreaterThan(rate(0) * 1.1);
  });

  it('does not test operations, of which no seconds are kept', () => {
    const operations = slower.changes.filter(({ figure }) => figure === 'operation_p99');
    expect(operations.map(({ operation }) => operation)).toContain('buy');
    expect(operations.every(({ verdict, interval }) => verdict === 'not_tested' && interval === null)).toBe(true);
  });

  it('leaves p99.9 out where too few calls took longer', () => {
    const few = compareRuns([run(1, { perSecond: 40 })], [run(2, { perSecond: 40 })]);
    expect(of(few, 'p999')).toBeUndefined();
    expect(of(few, 'p99')).toBeDefined();
    expect(few.notes.join(' ')).toContain('p99.9 is left out');
  });

  it('tests nothing of runs that are too short, and says so', () => {
    const short = compareRuns([run(1, { seconds: 20 })], [run(2, { seconds: 20 })]);
    expect(short.changes.every(({ verdict }) => verdict === 'not_tested')).toBe(true);
    expect(short.notes.join(' ')).toContain('too short');
    expect(() => compareRuns([run(1, { seconds: 4 })], [run(2, { seconds: 4 })])).toThrow('nothing is left');
  });

  it('has no latencies of runs that were never answered', () => {
    const none = run(1, { perSecond: 0 });
    expect(compareRuns([none], [none]).changes).toEqual([]);
  });

  it('takes hours in slots of several seconds', () => {
    const long = (seed: number) => run(seed, { seconds: 8_000, perSecond: 2 });
    expect(of(compareRuns([long(1)], [long(2)], { resamples: 50 }), 'p50').verdict).toBe('not_significant');
  });
});

describe('a comparison of three runs a side', () => {
  const runs = (from: number, how: Partial<Simulated>) => [0, 1, 2].map((at) => run(from + at, how));

  it('takes each run as one observation, operations too', () => {
    const comparison = compareRuns(runs(1, {}), runs(11, { factor: 1.5 }));
    expect(comparison).toMatchObject({ method: 'runs', blockSeconds: null });
    expect(of(comparison, 'p50').verdict).toBe('worse');
    expect(of(comparison, 'operation_p99').verdict).toBe('worse');
    expect(comparison.notes.join(' ')).toContain('Each run is one observation');
    expect(comparison.notes.join(' ')).not.toContain('these runs only');
  });

  it('of errors that only some runs had takes means of shares', () => {
    const [first, ...others] = runs(1, {});
    const comparison = compareRuns([first!, ...others], [run(20, { errorShare: 0.05 }), ...runs(30, {})]);
    expect(of(comparison, 'error_share')).toMatchObject({ before: 0, verdict: 'not_significant' });
  });
});

describe('runs that should not be compared', () => {
  it.each<[string, Partial<RunResult>]>([
    ['the scenario’s profile', { scenario: scenarioOf(60) }],
    ['scenario kick-off and other', { scenario: { ...scenarioOf(50), name: 'other' } }],
    ['the scenario’s arrivals', { scenario: { ...scenarioOf(50), arrivals: 'paced' } }],
  ])('are refused when they differ in %s, and doubted when forced', (said, change) => {
    const [a, b] = [run(1), run(2, {}, change)];
    const words = said.replace('’', "'");
    expect(() => compareRuns([a], [b])).toThrow(NotComparableError);
    expect(() => compareRuns([a], [b])).toThrow(words);
    expect(compareRuns([a], [b], { force: true }).warnings).toEqual([`The runs are not of the same load: ${words}.`]);
  });

  it('are refused when there are none', () => {
    expect(() => compareRuns([], [run(1)])).toThrow('a run on each side');
  });

  it('may be described otherwise', () => {
    const described = run(2, {}, { scenario: { ...scenarioOf(50), description: 'In other words.' } });
    expect(compareRuns([run(1)], [described]).warnings).toEqual([]);
  });

  it('are doubted when one is not valid, has lost money, or is of another machine, Node or generator', () => {
    const { machine, ledger } = run(1);
    const odd = run(
      2,
      {},
      {
        validity: { valid: false, reasons: ['the generator was late'] },
        ledger: { ...ledger, ok: false },
        machine: { ...machine, cpus: 4, node: 'v22.1.0' },
        generators: { processes: 2, outstandingMax: 2_000 },
      },
    );
    const { warnings } = compareRuns([run(1)], [odd]);
    expect(warnings).toHaveLength(5);
    for (const said of ['the generator was late', 'ledger of run lt_2 is wrong', 'machines', 'Node', 'generators']) {
      expect(warnings.join(' ')).toContain(said);
    }
  });
});
