import { describe, expect, it } from 'vitest';
import { zipfWeights } from '../../src/loadtest/choice.ts';
import { exportScenario } from '../../src/loadtest/export.ts';
import type { Scenario, ScenarioInput } from '../../src/loadtest/scenario.ts';
import { arrivalsOf, arrivalTimes, segmentsOf } from '../../src/loadtest/segments.ts';
import { countsOf, expectAcceptable, expectShares } from './support/calls.ts';
import { AMOUNT, aScenario, TARGET } from './support/scenarios.ts';
import { runWrkScript } from './support/wrk-script.ts';

const KEY = 'a-key-of-the-test';
const CALLS_MAX = 100_000;

const MIXED: ScenarioInput['journeys'] = [
  {
    name: 'purchase',
    weight: 3,
    steps: [
      { do: 'top_up', amount: AMOUNT },
      { do: 'think', seconds: 1 },
      { do: 'buy', amount: AMOUNT },
    ],
  },
  { name: 'booking', weight: 1, steps: [{ do: 'authorize', amount: AMOUNT }] },
  { name: 'glance', weight: 1, steps: [{ do: 'check_balance' }, { do: 'list_payments' }] },
  { name: 'newcomer', weight: 1, steps: [{ do: 'open_wallet' }] },
];

function scriptOf(scenario: Scenario): string {
  const [file] = exportScenario(scenario, 'wrk', TARGET);
  return file!.text;
}

function callsOf(scenario: Scenario, callsMax = CALLS_MAX) {
  return runWrkScript(scriptOf(scenario), KEY, callsMax);
}

describe('a script for wrk', () => {
  it('sends calls that the API accepts, each under a key of its own', async () => {
    const calls = await callsOf(
      aScenario({ journeys: MIXED, profile: { kind: 'constant', perSecond: 100, seconds: 10 } }),
    );
    for (const call of calls) expectAcceptable(call, KEY);
    const keys = calls.flatMap(({ headers }) => headers['idempotency-key'] ?? []);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('chooses journeys by their weights', async () => {
    const calls = await callsOf(
      aScenario({ journeys: MIXED, profile: { kind: 'constant', perSecond: 400, seconds: 10 } }),
    );
    const count = (holds: (call: (typeof calls)[number]) => boolean) => calls.filter(holds).length;
    const journeys = [
      count(({ body }) => body?.includes('"source":"world:EUR"') === true),
      count(({ body }) => body?.includes('"capture":"manual"') === true),
      count(({ path }) => path.endsWith('/balance')),
      count(({ path }) => path === '/v1/accounts'),
    ];
    expectShares(journeys, [3, 1, 1, 1]);
    expect(calls.length).toBe(journeys.reduce((sum, all) => sum + all, 0) + journeys[0]! + journeys[2]!);
  });

  it('chooses merchants by the law of Zipf, wallets evenly, and amounts within their bounds', async () => {
    const calls = await callsOf(aScenario({ profile: { kind: 'constant', perSecond: 400, seconds: 10 } }));
    const bodies = calls.map(({ body }) => JSON.parse(body!));
    const merchants = countsOf(bodies.map(({ destination }) => destination));
    expectShares(
      Array.from({ length: 8 }, (_, index) => merchants.get(`lt:r1:m:${index}`) ?? 0),
      zipfWeights(8, 1),
    );
    const wallets = countsOf(bodies.map(({ source }) => source));
    expectShares(
      Array.from({ length: 50 }, (_, index) => wallets.get(`lt:r1:w:${index}`) ?? 0),
      new Array(50).fill(1),
    );
    for (const { amount } of bodies) expect(amount >= AMOUNT.from && amount <= AMOUNT.to).toBe(true);
  });

  it.each<Exclude<Scenario['profile'], { kind: 'closed' }>>([
    { kind: 'constant', perSecond: 33.3, seconds: 4 },
    { kind: 'ramp', from: 0, to: 100, seconds: 5 },
    {
      kind: 'steps',
      steps: [
        { perSecond: 50, seconds: 2 },
        { perSecond: 0, seconds: 2 },
        { perSecond: 100, seconds: 2 },
      ],
    },
    { kind: 'spike', base: 10, peak: 200, before: 2, rise: 0, hold: 2, fall: 1, after: 2 },
    { kind: 'recorded', rates: [10, 80, 20, 50], seconds: 6 },
  ])('sends each call when the profile $kind says', async (profile) => {
    const calls = await callsOf(aScenario({ profile }));
    const due = [...arrivalTimes(segmentsOf(profile), 0, () => 1)];
    expect(calls.length).toBe(due.length);
    // A delay of wrk is whole milliseconds.
    calls.forEach(({ at }, index) => {
      expect(at - due[index]! * 1_000).toBeGreaterThan(-0.01);
      expect(at - due[index]! * 1_000).toBeLessThan(1.01);
    });
  });

  it('has independent arrivals where the scenario has', async () => {
    const profile = { kind: 'ramp', from: 100, to: 300, seconds: 20 } as const;
    const calls = await callsOf(aScenario({ profile, arrivals: 'poisson' }));
    const expected = arrivalsOf(segmentsOf(profile));
    expect(Math.abs(calls.length - expected)).toBeLessThan(5 * Math.sqrt(expected));
    const counts = countsOf(calls.map(({ at }) => Math.floor(at / 5_000)));
    expectShares(
      [0, 1, 2, 3].map((part) => counts.get(part) ?? 0),
      [125, 175, 225, 275],
    );
  });

  it('sends without pause for a closed profile, one connection for each user', async () => {
    const closed = aScenario({ journeys: MIXED!.slice(1), profile: { kind: 'closed', users: 9, seconds: 5 } });
    const calls = await callsOf(closed, 500);
    expect(calls.length).toBe(500);
    for (const call of calls) expectAcceptable(call, KEY);
    expect(scriptOf(closed)).toMatch(/ -t1 -c9 -d5s /);
  });

  it('holds no key, and wants one', async () => {
    expect(scriptOf(aScenario())).not.toContain(KEY);
    await expect(runWrkScript(scriptOf(aScenario()), '', 1)).rejects.toThrow('KVITT_API_KEY must hold an API key');
  });
});
