import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { foreignCpu } from '../../src/ladder/facts.ts';
import { measure } from '../../src/ladder/loops.ts';
import { paymentRequest } from '../../src/ladder/payment-request.ts';
import { Scrape } from '../../src/ladder/prometheus.ts';
import { Sampler } from '../../src/ladder/sampler.ts';

const TARGET = { kind: 'http', port: 1 } as const;

describe('calls in a closed loop', () => {
  it('are as many as lanes allow, and are counted by how they ended', async () => {
    const call = async (lane: number) => {
      await sleep(10);
      return lane === 0 ? ('ok' as const) : ('refused' as const);
    };
    const measured = await measure(call, { target: TARGET, lanes: 3, seconds: 1, perSecond: null });
    expect(measured.ok).toBeGreaterThan(5);
    expect(measured.ok).toBeLessThan(101);
    expect(measured.refused).toBeGreaterThan(measured.ok);
    expect(measured.latencyMs!.p50).toBeGreaterThan(8);
    expect(measured.unanswered).toBe(0);
  });

  it('tell which lanes were never answered', async () => {
    const call = (lane: number) => (lane === 0 ? sleep(5, 'ok' as const) : new Promise<'ok'>(() => undefined));
    const measured = await measure(call, { target: TARGET, lanes: 4, seconds: 0.5, perSecond: null });
    expect(measured.unanswered).toBe(3);
  });
});

describe('calls at a rate', () => {
  it('are made when they are due, whatever became of those before', async () => {
    const call = async () => sleep(20, 'ok' as const);
    // One lane for each call: on a machine that stood still many are due at once.
    const measured = await measure(call, { target: TARGET, lanes: 200, seconds: 1, perSecond: 200 });
    // Of one lane, and of one call after the other, no more than 50 would be.
    expect(measured.ok).toBeGreaterThan(70);
    expect(measured.ok).toBeLessThanOrEqual(200);
    expect(measured.heldBack).toBe(0);
  });

  it('are held back while all lanes are taken', async () => {
    const call = async () => sleep(100, 'ok' as const);
    const measured = await measure(call, { target: TARGET, lanes: 2, seconds: 0.5, perSecond: 200 });
    // Two lanes have time for five each.
    expect(measured.ok).toBeLessThan(12);
    expect(measured.heldBack).toBeGreaterThan(50);
  });
});

it('requests have one length, whatever they pay', () => {
  const lengths = new Set(Array.from({ length: 1000 }, (_, number) => paymentRequest('0123456789ab', number).length));
  expect(lengths.size).toBe(1);
});

it('a metric is read as it stands, with one label, or summed over all', () => {
  const scrape = new Scrape('# HELP a b\na{x="1",y="2"} 3\na{x="2"} 4.5\nab 7\nc 1e-3\n');
  expect(scrape.value('a')).toBe(7.5);
  expect(scrape.value('a', 'x="1"')).toBe(3);
  expect(scrape.value('c')).toBe(0.001);
  expect(scrape.value('none')).toBe(0);
});

it('series leave out the first look, what is no number, and sources that fail', async () => {
  let looks = 0;
  const sampler = new Sampler([
    () => [
      { of: 'service', name: 'cpu', unit: 'cores', value: ++looks },
      { of: 'service', name: 'claim', unit: 'ms', value: Number.NaN },
    ],
    async () => Promise.reject(new Error('no answer')),
  ]);
  await expect.poll(() => looks).toBeGreaterThan(1);
  const series = await sampler.end();
  expect(series.map(({ name }) => name)).toEqual(['cpu']);
  expect(series[0]!.points.map(([, value]) => value)).toEqual(Array.from({ length: looks - 1 }, (_, n) => n + 2));
});

it('what others use of the machine is what none of ours does', () => {
  const series = (of: string, values: readonly number[]) => {
    return { of, name: 'cpu', unit: 'cores' as const, points: values.map((value, i) => [i, value] as const) };
  };
  const { points } = foreignCpu([
    series('machine', [2, 1.5, 1]),
    series('service', [0.5, 1, 1]),
    series('nginx', [0.5, 0.5]),
  ]);
  expect(points).toEqual([
    [0, 1],
    [1, 0],
  ]);
});
