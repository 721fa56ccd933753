import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { zipfWeights } from '../../src/loadtest/choice.ts';
import { exportScenario } from '../../src/loadtest/export.ts';
import type { Scenario } from '../../src/loadtest/scenario.ts';
import { arrivalsOf, secondsOf, segmentsOf } from '../../src/loadtest/segments.ts';
import { countsOf, expectAcceptable, expectShares } from './support/calls.ts';
import { runK6Script } from './support/k6-script.ts';
import { AMOUNT, aScenario, EVERY_STEP, openProfile, TARGET } from './support/scenarios.ts';

const KEY = 'a-key-of-the-test';

function scriptOf(scenario: Scenario): string {
  const [file] = exportScenario(scenario, 'k6', TARGET);
  return file!.text;
}

describe('a script for k6', () => {
  it('sends calls that the API accepts, each under a key of its own', async () => {
    const { calls, sleeps } = await runK6Script(scriptOf(aScenario({ journeys: EVERY_STEP })), KEY, 400);
    for (const call of calls.flat()) expectAcceptable(call, KEY);
    const keys = calls.flat().flatMap(({ headers }) => headers['idempotency-key'] ?? []);
    expect(new Set(keys).size).toBe(keys.length);
    const newcomers = calls.filter(([first]) => first!.path === '/v1/accounts');
    expectShares([newcomers.length, calls.length - newcomers.length], [1, 3]);
    expect(sleeps.length).toBe(newcomers.length);
    expect(newcomers[0]!.map(({ path }) => path.replace(/pay_\d+|lt:[^/]+/, '*'))).toEqual([
      '/v1/accounts',
      '/v1/payments',
      '/v1/payments',
      '/v1/payments/*/refund',
      '/v1/accounts/*/balance',
    ]);
  });

  it('goes on with what a journey has made', async () => {
    const { calls } = await runK6Script(scriptOf(aScenario({ journeys: EVERY_STEP })), KEY, 50);
    const [opened, filled, bought] = calls
      .find(([first]) => first!.path === '/v1/accounts')!
      .map(({ body }) => JSON.parse(body!));
    expect([filled.source, filled.destination, bought.source]).toEqual(['world:EUR', opened.id, opened.id]);
    const [held, captured] = calls.find(([first]) => first!.body!.includes('manual'))!;
    const place = calls.flat().indexOf(held!) + 1;
    expect(captured!.path).toBe(`/v1/payments/pay_${place}/capture`);
  });

  it('breaks a journey off at what was not answered as a success', async () => {
    const { calls } = await runK6Script(scriptOf(aScenario({ journeys: EVERY_STEP })), KEY, 50, () => 422);
    for (const journey of calls) expect(journey.length).toBe(1);
  });

  it('chooses merchants by the law of Zipf, wallets evenly, and amounts within their bounds', async () => {
    const { calls } = await runK6Script(scriptOf(aScenario()), KEY, 4_000);
    const bodies = calls.flat().map(({ body }) => JSON.parse(body!));
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

  it('holds no key, and wants one', async () => {
    const script = scriptOf(aScenario());
    expect(script).not.toContain(KEY);
    await expect(runK6Script(script, '', 1)).rejects.toThrow('KVITT_API_KEY must hold an API key');
  });

  it('has executors with as many arrivals as the profile, over the same time', async () => {
    await fc.assert(
      fc.property(openProfile, (profile) => {
        const { arrivals, seconds } = planned(scriptOf(aScenario({ profile })));
        const segments = segmentsOf(profile);
        expect(seconds).toBeCloseTo(secondsOf(segments), 1);
        // Rates are rounded to thousandths, times to milliseconds.
        expect(Math.abs(arrivals - arrivalsOf(segments))).toBeLessThan(2);
      }),
    );
  });

  it('has as many users as a closed profile', () => {
    const script = scriptOf(aScenario({ profile: { kind: 'closed', users: 12, seconds: 30 } }));
    expect(optionsOf(script).scenarios.users).toEqual({ executor: 'constant-vus', vus: 12, duration: '30000ms' });
    expect(optionsOf(script).thresholds).not.toHaveProperty('dropped_iterations');
  });
});

function optionsOf(script: string) {
  return JSON.parse(/^export const options = (\{[\s\S]*?^\});$/m.exec(script)![1]!);
}

/** As k6 plays it: a stage leads from the rate of the one before to its own. */
function planned(script: string): { arrivals: number; seconds: number } {
  const { executor, rate, duration, startRate, stages, timeUnit } = optionsOf(script).scenarios.users;
  const unit = Number.parseFloat(timeUnit);
  const isConstant = executor === 'constant-arrival-rate';
  let from = isConstant ? rate : startRate;
  let arrivals = 0;
  let seconds = 0;
  for (const stage of isConstant ? [{ target: rate, duration }] : stages) {
    const length = Number.parseFloat(stage.duration) / (stage.duration.endsWith('ms') ? 1_000 : 1);
    arrivals += (((from + stage.target) / 2) * length) / unit;
    seconds += length;
    from = stage.target;
  }
  return { arrivals, seconds };
}
