/** One scenario at a fixed rate, run by several tools: they must agree, and the ledger must have what they say. */
import { beforeAll, describe, expect, it } from 'vitest';
import { EXPORT_TOOLS } from '../../src/loadtest/export.ts';
import { OUTCOMES } from '../../src/loadtest/result.ts';
import { Run } from '../../src/loadtest/run.ts';
import { scenarioSchema } from '../../src/loadtest/scenario.ts';
import type { Api, Payment } from '../service/support/api.ts';
import { listsCaughtUp, useService } from '../service/support/service.ts';
import { heldByMerchants, paymentsOf, prepare } from './support/accounts.ts';
import { installJMeter } from './support/jmeter.ts';
import { type Aim, isOnPath, runTool, type ToolReport } from './support/tools.ts';

const PER_SECOND = 50;
const SECONDS = 15;
/** A JVM that has to share a core takes a while. */
const RUN_MS_MAX = 120_000;
const FUNDS = 1_000_000;
const AGREEMENT = 0.1;
const SEED = 7;
/** Enough for two seconds in which nothing is answered, as on a machine that others use as well. */
const CONNECTIONS = 100;
const RETRIES = 2;

const scenario = scenarioSchema.parse({
  name: 'agreement',
  description: 'One purchase for each user, at a fixed rate.',
  currency: 'EUR',
  population: { wallets: 20, funds: FUNDS, merchants: 10, merchantSkew: 1 },
  journeys: [{ name: 'purchase', weight: 1, steps: [{ do: 'buy', amount: { from: 1, to: 500 } }] }],
  profile: { kind: 'constant', perSecond: PER_SECOND, seconds: SECONDS },
  arrivals: 'paced',
});

/** What a side says, and under which name it has paid. */
interface SideReport extends ToolReport {
  readonly run: string;
}

interface Side {
  readonly name: string;
  run(aim: Omit<Aim, 'run'>, api: Api): Promise<SideReport>;
}

let attempts = 0;
const SIDES: readonly Side[] = [
  { name: 'kvitt', run: ownReport },
  // k6 is in no distribution: it takes part where it is installed.
  ...EXPORT_TOOLS.filter((tool) => tool !== 'k6' || isOnPath(tool)).map((tool) => ({
    name: tool,
    run: async (aim: Omit<Aim, 'run'>, api: Api) => {
      const run = `${tool}${attempts++}`;
      await prepare(api, run, scenario.population);
      return { run, ...(await runTool(tool, scenario, { ...aim, run })) };
    },
  })),
];

async function ownReport({ target, key, seed }: Omit<Aim, 'run'>): Promise<SideReport> {
  const run = new Run({ scenario, addresses: [target], apiKey: key, queue: null, processes: 1, seed });
  const { counts, ledger } = await run.carryOut();
  expect(ledger.faults).toEqual([]);
  const failed = OUTCOMES.reduce((sum, outcome) => sum + (outcome === 'ok' ? 0 : counts[outcome]), 0);
  return { run: run.id, answered: counts.ok, failed };
}

describe('a fixed rate, by several tools', () => {
  const service = useService();
  const rates = new Map<string, number>();

  beforeAll(() => installJMeter());

  it.each(SIDES)(
    'is held by $name, and the ledger has each payment once',
    // A machine that is busy with something else is no disagreement: then it is looked at again.
    { timeout: RUN_MS_MAX, retry: RETRIES },
    async ({ name, run: send }) => {
      const { api, db } = service;
      const report = await send({ target: api.address, seed: SEED, connections: CONNECTIONS, key: api.key }, api);
      expect(report.failed).toBe(0);
      await listsCaughtUp(db);
      const payments = await paymentsOf(api, report.run, scenario.population);
      expect(payments.length).toBe(report.answered);
      expect(new Set(payments.map(({ reference }) => reference)).size).toBe(payments.length);
      expect(await heldByMerchants(api, report.run, scenario.population)).toBe(
        payments.reduce((sum, { amount }) => sum + Number(amount), 0),
      );
      rates.set(name, rateOf(payments));
      expectAgreement(rates.get(name)!, PER_SECOND);
    },
  );

  it('is the same by all of them', () => {
    expect(rates.size).toBe(SIDES.length);

    for (const one of rates.values()) {
      for (const other of rates.values()) expectAgreement(one, other);
    }
  });
});

function expectAgreement(one: number, other: number): void {
  expect(Math.abs(one / other - 1)).toBeLessThan(AGREEMENT);
}

/**
 * Payments a second, by the times at which the ledger made them: the slope of the straight line that fits best, which a
 * machine that stands still for a second, and then catches up, hardly tilts.
 */
function rateOf(payments: readonly Payment[]): number {
  const times = payments.map(({ created_at }) => Date.parse(created_at)).sort((a, b) => a - b);
  const middle = (times.length - 1) / 2;
  const mean = times.reduce((sum, time) => sum + time - times[0]!, 0) / times.length + times[0]!;
  const together = times.reduce((sum, time, index) => sum + (time - mean) * (index - middle), 0);
  const alone = times.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
  return (1_000 * alone) / together;
}
