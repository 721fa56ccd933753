import { describe, expect, test } from 'vitest';
import type { ResourceSeries, SecondResult } from '../../src/loadtest/result.ts';
import { type Measured, validityOf } from '../../src/loadtest/validity.ts';

const LATENCY = { mean: 6, p50: 5, p90: 8, p95: 9, p99: 20, p999: 30, max: 40 };

function second(at: number, lag: number, latency = 5): SecondResult {
  return {
    at,
    lagMs: { p50: lag, p99: lag, max: lag },
    latencyMs: { p50: latency, p90: latency, p99: latency, p999: latency, max: latency },
  } as SecondResult;
}

function busy(...shares: number[]): ResourceSeries {
  const points = shares.map((share, at) => [at + 1, share] as const);
  return { of: 'generator 1', name: 'event loop busy', unit: 'share', points };
}

function reasonsOf(measured: Partial<Measured>): readonly string[] {
  const quiet = { lagMs: { p99: 1 }, latencyMs: LATENCY, timeline: [second(0, 1)], series: [busy(0.2)] };
  const { valid, reasons } = validityOf({ ...quiet, ...measured });
  expect(valid).toBe(reasons.length === 0);
  return reasons;
}

describe('a run is valid', () => {
  test.each<[string, Partial<Measured>]>([
    ['when the generator was in time', {}],
    ['when it was late by little', { lagMs: { p99: 9 } }],
    ['when it was late by little of what was measured', { lagMs: { p99: 200 }, latencyMs: { ...LATENCY, p99: 1_000 } }],
    ['when nothing was answered', { latencyMs: null, timeline: [] }],
    ['when it was busy for a moment', { series: [busy(0.99, 0.99, 0.5, 0.99, 0.99)] }],
    ['when a stall was that of the service', { timeline: [second(0, 110, 3_000)] }],
  ])('%s', (_, measured) => {
    expect(reasonsOf(measured)).toEqual([]);
  });
});

describe('a run is not valid', () => {
  test.each<[string, Partial<Measured>, RegExp]>([
    ['when one call in a hundred was late', { lagMs: { p99: 50 } }, /sent 50\.0 ms late or later; up to 10\.0 ms/],
    ['when it was late and nothing was answered', { lagMs: { p99: 11 }, latencyMs: null }, /sent 11\.0 ms late/],
    [
      'when it stood still for a second',
      { timeline: [second(0, 1), second(1, 500, 505)] },
      /In 1 s most calls .* second 1\./,
    ],
    [
      'when it had no time to spare',
      { series: [busy(0.5, 0.96, 1, 0.97)] },
      /generator 1 had no time to spare from second 2 on/,
    ],
  ])('%s', (_, measured, reason) => {
    expect(reasonsOf(measured)).toEqual([expect.stringMatching(reason)]);
  });
});
