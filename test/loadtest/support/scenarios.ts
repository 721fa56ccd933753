import * as fc from 'fast-check';
import type { ExportOptions } from '../../../src/loadtest/export.ts';
import { type Profile, type Scenario, type ScenarioInput, scenarioSchema } from '../../../src/loadtest/scenario.ts';

export const TARGET: ExportOptions = { target: 'http://127.0.0.1:8080', run: 'r1', seed: 7 };
export const AMOUNT = { from: 100, to: 199 };

/** One purchase for each user, ten a second, unless told otherwise. */
export function aScenario(more: Partial<ScenarioInput> = {}): Scenario {
  return scenarioSchema.parse({
    name: 'tested',
    description: 'A test.',
    currency: 'EUR',
    population: { wallets: 50, funds: 1_000_000, merchants: 8, merchantSkew: 1 },
    journeys: [{ name: 'purchase', weight: 1, steps: [{ do: 'buy', amount: AMOUNT }] }],
    profile: { kind: 'constant', perSecond: 10, seconds: 10 },
    arrivals: 'paced',
    ...more,
  });
}

/** Every kind of step that is not of the queue. */
export const EVERY_STEP: ScenarioInput['journeys'] = [
  {
    name: 'newcomer',
    weight: 1,
    steps: [
      { do: 'open_wallet' },
      { do: 'top_up', amount: AMOUNT },
      { do: 'think', seconds: 0.5 },
      { do: 'buy', amount: AMOUNT },
      { do: 'refund' },
      { do: 'check_balance' },
    ],
  },
  {
    name: 'booking',
    weight: 3,
    steps: [{ do: 'authorize', amount: AMOUNT }, { do: 'capture' }, { do: 'list_payments' }],
  },
];

const rate = fc.double({ min: 0, max: 200, noNaN: true });
const seconds = fc.double({ min: 0.1, max: 10, noNaN: true });

/** All kinds of rates that are open. */
export const openProfile: fc.Arbitrary<Exclude<Profile, { kind: 'closed' }>> = fc.oneof(
  fc.record({ kind: fc.constant('constant' as const), perSecond: rate, seconds }),
  fc.record({ kind: fc.constant('ramp' as const), from: rate, to: rate, seconds }),
  fc.record({
    kind: fc.constant('steps' as const),
    steps: fc.array(fc.record({ perSecond: rate, seconds }), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('spike' as const),
    base: rate,
    peak: rate,
    before: seconds,
    rise: fc.oneof(seconds, fc.constant(0)),
    hold: seconds,
    fall: seconds,
    after: seconds,
  }),
  fc.record({ kind: fc.constant('recorded' as const), rates: fc.array(rate, { minLength: 2, maxLength: 6 }), seconds }),
);
