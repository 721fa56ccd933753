import { scaled } from '../../../src/loadtest/profile.ts';
import { type Scenario, scenarioSchema } from '../../../src/loadtest/scenario.ts';

const THINK_SECONDS = 0.02;

/** A scenario with few accounts and users who think quickly, at a low rate for a short time. */
export function small(scenario: Scenario, to: { rate: number; seconds: number }): Scenario {
  const journeys = scenario.journeys.map(({ steps, ...journey }) => ({
    ...journey,
    steps: steps.map((step) => (step.do === 'think' ? { ...step, seconds: THINK_SECONDS } : step)),
  }));
  const population = { ...scenario.population, wallets: 20, merchants: 5 };
  return scenarioSchema.parse(scaled({ ...scenario, journeys, population }, to));
}
