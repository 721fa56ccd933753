import { type Scenario, type ScenarioInput, scenarioSchema } from '../../../src/loadtest/scenario.ts';

/** Purchases at an even rate, unless it is to be otherwise. */
export function scenarioOf(changed: Partial<ScenarioInput> = {}): Scenario {
  return scenarioSchema.parse({
    name: 'test',
    description: 'For a test.',
    currency: 'EUR',
    population: { wallets: 20, funds: 1_000_000, merchants: 3, merchantSkew: 0 },
    journeys: [{ name: 'buy', weight: 1, steps: [{ do: 'buy', amount: { from: 100, to: 200 } }] }],
    profile: { kind: 'constant', perSecond: 50, seconds: 2 },
    arrivals: 'paced',
    ...changed,
  });
}
