import type { ScenarioInput } from './scenario.ts';

/** The simplest there is, which every tool can send: for comparing tools, finding the capacity, and first looks. */
export const payments: ScenarioInput = {
  name: 'payments',
  description: 'Payments from many wallets to many merchants at an even rate, one call each.',
  currency: 'EUR',
  population: { wallets: 1_000, funds: 100_000_000, merchants: 100, merchantSkew: 0 },
  journeys: [{ name: 'buy', weight: 1, steps: [{ do: 'buy', amount: { from: 100, to: 5_000 } }] }],
  profile: { kind: 'constant', perSecond: 200, seconds: 30 },
  arrivals: 'paced',
};
