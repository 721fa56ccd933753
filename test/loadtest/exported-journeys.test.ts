/** Journeys with every kind of step, at a rate that changes, run by other tools against a real service. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type ScenarioInput, scenarioSchema } from '../../src/loadtest/scenario.ts';
import type { Payment } from '../service/support/api.ts';
import { listsCaughtUp, useService } from '../service/support/service.ts';
import { heldByMerchants, paymentsOf, prepare } from './support/accounts.ts';
import { installJMeter } from './support/jmeter.ts';
import { isOnPath, runTool } from './support/tools.ts';

/** A JVM that has to share a core takes a while. */
const RUN_MS_MAX = 120_000;
const population = { wallets: 20, funds: 1_000_000, merchants: 10, merchantSkew: 1 };
const amount = { from: 1, to: 500 };

const withAnswers: ScenarioInput['journeys'] = [
  {
    name: 'newcomer',
    weight: 1,
    steps: [
      { do: 'open_wallet' },
      { do: 'top_up', amount: { from: 500, to: 900 } },
      { do: 'think', seconds: 0.05 },
      { do: 'buy', amount },
      { do: 'check_balance' },
      { do: 'list_payments' },
    ],
  },
  {
    name: 'booking',
    weight: 2,
    steps: [{ do: 'authorize', amount }, { do: 'think', seconds: 0.05 }, { do: 'capture' }],
  },
  { name: 'return', weight: 1, steps: [{ do: 'buy', amount }, { do: 'refund' }] },
];

const withoutAnswers: ScenarioInput['journeys'] = [
  { name: 'purchase', weight: 2, steps: [{ do: 'top_up', amount }, { do: 'buy', amount }, { do: 'check_balance' }] },
  { name: 'booking', weight: 1, steps: [{ do: 'authorize', amount }] },
  { name: 'glance', weight: 1, steps: [{ do: 'list_payments' }] },
  { name: 'newcomer', weight: 1, steps: [{ do: 'open_wallet' }] },
];

const CASES = [
  { tool: 'wrk', journeys: withoutAnswers, ends: ['posted', 'authorized'] },
  { tool: 'jmeter', journeys: withAnswers, ends: ['posted', 'captured', 'refunded'] },
  { tool: 'k6', journeys: withAnswers, ends: ['posted', 'captured', 'refunded'] },
] as const;

describe('journeys run by other tools', () => {
  const service = useService();

  beforeAll(() => installJMeter());

  it.each(CASES.filter(({ tool }) => tool !== 'k6' || isOnPath(tool)))(
    'succeed with $tool, and the ledger agrees',
    async ({ tool, journeys, ends }) => {
      const { api, db } = service;
      const scenario = scenarioSchema.parse({
        name: 'journeys',
        description: 'Every kind of step.',
        currency: 'EUR',
        population,
        journeys,
        profile: { kind: 'spike', base: 10, peak: 40, before: 0.5, rise: 0.5, hold: 1, fall: 0.5, after: 0.5 },
      });
      await prepare(api, tool, population);
      const report = await runTool(tool, scenario, { target: api.address, run: tool, seed: 7, key: api.key });
      expect(report.failed).toBe(0);
      await listsCaughtUp(db);
      const payments = await paymentsOf(api, tool, population);
      expect(payments.length).toBeGreaterThan(10);
      expect(new Set(payments.map(({ status }) => status))).toEqual(new Set(ends));
      expect(await heldByMerchants(api, tool, population)).toBe(sumKept(payments));
    },
    RUN_MS_MAX,
  );
});

/** Minor units that were captured and not refunded. */
function sumKept(payments: readonly Payment[]): number {
  return payments.reduce((sum, payment) => sum + Number(payment.amount_captured) - Number(payment.amount_refunded), 0);
}
