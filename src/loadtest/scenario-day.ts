import type { ScenarioInput } from './scenario.ts';

/** Shares of the busiest hour, from midnight to midnight: quiet nights, a hill at noon, the peak after dinner. */
const HOURS = [18, 10, 6, 4, 3, 5, 12, 22, 30, 34, 38, 46, 52, 48, 44, 42, 46, 55, 68, 86, 100, 92, 64, 36, 18];

/** A whole day in two minutes; subscriptions are renewed through the queue while customers use the API. */
export const day: ScenarioInput = {
  name: 'day',
  description: 'A day, scaled to two minutes: customers over the API, renewals as events through the queue.',
  currency: 'EUR',
  population: { wallets: 5_000, funds: 10_000_000, merchants: 200, merchantSkew: 1.1 },
  journeys: [
    { name: 'renewal', weight: 35, steps: [{ do: 'buy', amount: { from: 990, to: 1_990 }, via: 'queue' }] },
    {
      name: 'buy',
      weight: 40,
      steps: [{ do: 'check_balance' }, { do: 'think', seconds: 1 }, { do: 'buy', amount: { from: 390, to: 2_990 } }],
    },
    { name: 'look', weight: 15, steps: [{ do: 'list_payments' }] },
    {
      name: 'newcomer',
      weight: 8,
      steps: [
        { do: 'open_wallet' },
        { do: 'top_up', amount: { from: 5_000, to: 10_000 } },
        { do: 'buy', amount: { from: 390, to: 2_990 } },
      ],
    },
    {
      name: 'regret',
      weight: 2,
      steps: [{ do: 'buy', amount: { from: 390, to: 2_990 } }, { do: 'think', seconds: 2 }, { do: 'refund' }],
    },
  ],
  profile: { kind: 'recorded', rates: HOURS.map((share) => 1.5 * share), seconds: 120 },
};
