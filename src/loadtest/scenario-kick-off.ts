import type { ScenarioInput } from './scenario.ts';

/**
 * The minutes around the first match of a football league: everybody wants the same thing at once, many of them have
 * never been here, and nobody waits for those before. The league itself is one merchant, which gets most of it.
 */
export const kickOff: ScenarioInput = {
  name: 'kick-off',
  description: 'The first match of a league: ten times the load within seconds, new customers, one hot merchant.',
  currency: 'EUR',
  population: { wallets: 5_000, funds: 10_000_000, merchants: 50, merchantSkew: 1.6 },
  journeys: [
    {
      name: 'newcomer',
      weight: 45,
      steps: [
        { do: 'open_wallet' },
        { do: 'top_up', amount: { from: 10_000, to: 20_000 } },
        { do: 'think', seconds: 1 },
        { do: 'buy', amount: { from: 4_900, to: 9_900 } },
        { do: 'check_balance' },
      ],
    },
    {
      name: 'regular',
      weight: 45,
      steps: [{ do: 'check_balance' }, { do: 'think', seconds: 1 }, { do: 'buy', amount: { from: 900, to: 9_900 } }],
    },
    {
      name: 'impatient',
      weight: 8,
      steps: [{ do: 'check_balance' }, { do: 'check_balance' }, { do: 'list_payments' }],
    },
    {
      name: 'regret',
      weight: 2,
      steps: [{ do: 'buy', amount: { from: 4_900, to: 9_900 } }, { do: 'think', seconds: 3 }, { do: 'refund' }],
    },
  ],
  profile: { kind: 'spike', base: 20, peak: 200, before: 15, rise: 5, hold: 20, fall: 10, after: 15 },
};
