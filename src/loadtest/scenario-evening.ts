import type { ScenarioInput } from './scenario.ts';

/** What a streaming service sees on any evening: many look, some pay, a few are new, hardly any want their money back. */
export const evening: ScenarioInput = {
  name: 'evening',
  description: 'An ordinary evening, in steps up and down: regulars who look and buy, new customers, refunds.',
  currency: 'EUR',
  population: { wallets: 5_000, funds: 10_000_000, merchants: 200, merchantSkew: 1 },
  journeys: [
    {
      name: 'look',
      weight: 30,
      steps: [{ do: 'check_balance' }, { do: 'think', seconds: 2 }, { do: 'list_payments' }],
    },
    {
      name: 'buy',
      weight: 50,
      steps: [
        { do: 'check_balance' },
        { do: 'think', seconds: 2 },
        { do: 'buy', amount: { from: 390, to: 2_990 } },
        { do: 'check_balance' },
      ],
    },
    {
      name: 'rent',
      weight: 12,
      steps: [{ do: 'authorize', amount: { from: 390, to: 990 } }, { do: 'think', seconds: 3 }, { do: 'capture' }],
    },
    {
      name: 'newcomer',
      weight: 6,
      steps: [
        { do: 'open_wallet' },
        { do: 'think', seconds: 2 },
        { do: 'top_up', amount: { from: 5_000, to: 10_000 } },
        { do: 'think', seconds: 2 },
        { do: 'buy', amount: { from: 390, to: 2_990 } },
        { do: 'check_balance' },
      ],
    },
    {
      name: 'regret',
      weight: 2,
      steps: [{ do: 'buy', amount: { from: 390, to: 2_990 } }, { do: 'think', seconds: 5 }, { do: 'refund' }],
    },
  ],
  profile: {
    kind: 'steps',
    steps: [
      { perSecond: 40, seconds: 20 },
      { perSecond: 80, seconds: 20 },
      { perSecond: 120, seconds: 20 },
      { perSecond: 60, seconds: 20 },
    ],
  },
};
