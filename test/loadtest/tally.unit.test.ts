import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merged, quantileMs } from '../../src/loadtest/distribution.ts';
import { newHistogram, pack, percentilesOf, record, unpack } from '../../src/loadtest/latencies.ts';
import type { Ended, Piece } from '../../src/loadtest/messages.ts';
import { Recorder } from '../../src/loadtest/recorder.ts';
import { bucketFrom, bucketOf, type Counts, OUTCOMES, type Percentiles } from '../../src/loadtest/result.ts';
import { OPERATIONS } from '../../src/loadtest/scenario.ts';
import { addUp, Tally } from '../../src/loadtest/tally.ts';

interface Event {
  readonly generator: number;
  readonly at: number;
  readonly operation: (typeof OPERATIONS)[number];
  readonly outcome: (typeof OUTCOMES)[number];
  readonly latencyMs: number;
  readonly lagMs: number;
  /** What was counted is told before it. */
  readonly isTold: boolean;
}

const GENERATORS = 3;
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({
    generator: fc.nat(GENERATORS - 1),
    at: fc.double({ min: -0.01, max: 12, noNaN: true }),
    operation: fc.constantFrom(...OPERATIONS),
    outcome: fc.constantFrom(...OUTCOMES),
    latencyMs: fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 9e6, noNaN: true })),
    lagMs: fc.double({ min: -0.5, max: 2_000, noNaN: true }),
    isTold: fc.boolean(),
  }),
  { maxLength: 150 },
);

function pieceOf(recorder: Recorder, at: number, outstanding = 0): Piece {
  return { at, seconds: recorder.takeSeconds(), calls: null, outstanding, cores: 0, busy: 0 };
}

function endedOf(recorder: Recorder): Ended {
  const journeys = { begun: 0, ended: 0, brokenOff: 0 };
  return { operations: recorder.operations(), examples: recorder.examples(), journeys, settled: 0 };
}

/** As several generators count and tell it. */
function carriedOut(all: readonly Event[]): { tally: Tally; ended: Ended[] } {
  const tally = new Tally();
  const recorders = Array.from({ length: GENERATORS }, () => new Recorder());
  for (const { generator, at, operation, outcome, latencyMs, lagMs, isTold } of all) {
    const recorder = recorders[generator]!;
    if (isTold) tally.add(generator, pieceOf(recorder, at));
    recorder.arrived(at);
    if (outcome !== 'held_back') recorder.sent(at, lagMs);
    recorder.ended(operation, at, outcome, outcome === 'held_back' ? null : latencyMs);
  }
  for (const [generator, recorder] of recorders.entries()) tally.add(generator, pieceOf(recorder, 12));
  return { tally, ended: recorders.map(endedOf) };
}

/** What was packed knows its maximum to a thousandth, as all else. */
function about(exact: Percentiles): Percentiles {
  const [mean, max] = [
    expect.closeTo(exact.mean, 3),
    expect.toSatisfy((ms: number) => ms >= exact.max && ms <= 1.001 * exact.max + 0.001),
  ];
  return { ...exact, mean, max };
}

function sumOf(many: readonly Counts[]): Counts {
  const sums = OUTCOMES.map((outcome) => [outcome, many.reduce((sum, counts) => sum + counts[outcome], 0)]);
  return Object.fromEntries(sums) as Counts;
}

describe('what generators count', () => {
  test('is conserved: calls, operations and seconds have the same counts', () => {
    fc.assert(
      fc.property(events, (all) => {
        const { tally, ended } = carriedOut(all);
        const { counts, operations } = addUp(ended);
        const timeline = tally.timeline();
        for (const outcome of OUTCOMES) {
          expect(counts[outcome]).toBe(all.filter((event) => event.outcome === outcome).length);
        }
        expect(sumOf(operations.map((one) => one.counts))).toEqual(counts);
        expect(sumOf(timeline.map((one) => one.counts))).toEqual(counts);
        expect(timeline.reduce((sum, { arrivals }) => sum + arrivals, 0)).toBe(all.length);
        expect(timeline.map(({ at }) => at)).toEqual(timeline.map((_, index) => index));
      }),
      { numRuns: 20 },
    );
  });

  test('has a latency for every call that was sent, in the histograms and in the seconds alike', () => {
    fc.assert(
      fc.property(events, (all) => {
        const { tally, ended } = carriedOut(all);
        const sent = all.filter(({ outcome }) => outcome !== 'held_back');
        const inSeconds = merged(tally.timeline().map(({ latencies }) => latencies));
        expect(inSeconds.reduce((sum, [, calls]) => sum + calls, 0)).toBe(sent.length);
        const { operations, latencyMs } = addUp(ended);
        const inHistograms = operations.reduce((sum, { histogram }) => sum + unpack(histogram).totalCount, 0);
        expect(inHistograms).toBe(sent.length);
        expect(latencyMs === null).toBe(sent.length === 0);
      }),
      { numRuns: 20 },
    );
  });

  test('of several generators has the percentiles of one that had counted it all', () => {
    fc.assert(
      fc.property(events, (all) => {
        const whole = newHistogram();
        for (const { outcome, latencyMs } of all) if (outcome !== 'held_back') record(whole, latencyMs);
        const { latencyMs } = addUp(carriedOut(all).ended);
        const exact = percentilesOf(whole);
        if (exact === null || latencyMs === null) expect(latencyMs).toBe(exact);
        else expect(latencyMs).toEqual(about(exact));
      }),
      { numRuns: 20 },
    );
  });

  test('shows how much is unanswered at the end of each second, over all generators', () => {
    const tally = new Tally();
    const recorder = new Recorder();
    for (let second = 0; second < 5; second++) recorder.arrived(second + 0.5);
    for (const [at, outstanding] of [
      [1.001, 3],
      [2.002, 4],
      [3.4, 5],
      [5.003, 7],
    ] as const) {
      tally.add(0, pieceOf(recorder, at, outstanding));
      tally.add(1, pieceOf(new Recorder(), at + 0.05, 10));
    }
    expect(tally.timeline().map(({ outstanding }) => outstanding)).toEqual([13, 14, 15, 15, 17]);
  });

  test('of a run of days is still shown', () => {
    const tally = new Tally();
    const none = { counts: [], latencies: [], lags: [], lagMsMax: 0, latencyMsMax: 0, arrivals: 1 };
    const seconds = Array.from({ length: 130_000 }, (_, at) => ({ ...none, at }));
    tally.add(0, { at: 130_000, seconds, calls: null, outstanding: 0, cores: 0, busy: 0 });
    expect(tally.end).toBe(130_000);
  });

  test('keeps a few examples of each kind, and no more', () => {
    const recorder = new Recorder();
    for (let call = 0; call < 1_000; call++) {
      recorder.example({ operation: 'buy', outcome: call % 2 ? 'failed' : 'refused', answer: `${call}` });
    }
    expect(recorder.examples()).toHaveLength(10);
  });
});

describe('histograms', () => {
  test('survive being packed, and tell percentiles to a thousandth', () => {
    const histogram = newHistogram();
    for (let ms = 1; ms <= 10_000; ms++) record(histogram, ms);
    const unpacked = percentilesOf(unpack(pack(histogram)))!;
    expect(unpacked).toEqual(about(percentilesOf(histogram)!));
    for (const [share, found] of [
      [0.5, unpacked.p50],
      [0.9, unpacked.p90],
      [0.99, unpacked.p99],
      [0.999, unpacked.p999],
    ]) {
      expect(Math.abs(found! - share! * 10_000)).toBeLessThan(0.001 * share! * 10_000 + 1);
    }
  });

  test.each([-5, 0, 1e12])('count a latency of %d ms at the end of their range', (ms) => {
    const histogram = newHistogram();
    record(histogram, ms);
    expect(histogram.totalCount).toBe(1);
  });

  test('of buckets are at most a bucket off', () => {
    const latency = fc.integer({ min: 1, max: 600_000_000 });
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (all, share) => {
          const pairs = merged(all.map((us) => [[bucketOf(us), 1]] as const));
          const exact = [...all].sort((a, b) => a - b)[Math.ceil(share * all.length) - 1]!;
          const found = 1000 * quantileMs(pairs, share)!;
          expect(found).toBeGreaterThanOrEqual(exact / 1.0443);
          expect(found).toBeLessThanOrEqual(exact * 1.0443 + 1);
        },
      ),
    );
  });

  test('of buckets know the lowest latency of each', () => {
    for (let bucket = 1; bucket < 400; bucket++) {
      expect(bucketOf(bucketFrom(bucket) * 1.000_001)).toBe(bucket);
      expect(bucketOf(bucketFrom(bucket) * 0.999_999)).toBe(bucket - 1);
    }
  });
});
