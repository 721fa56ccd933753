/**
 * `npm run bench:loadtest`: what this service and a peer can take that does the same over native multi-document
 * transactions, behind the same routes and with the same users: the highest rate at which 99 of 100 calls are answered
 * within the time wanted. Sides take turns; the books of both are compared with what users were told after every run.
 * Writes the table in the README unless called with --dry-run.
 * Options: --rounds N (3), --seconds N (6), --p99-ms N (250), --only NAME, --out FOLDER (none), --dry-run.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareLocal } from '../src/demo/local.ts';
import { ServiceProcess } from '../src/demo/service-process.ts';
import {
  type CapacityPlan,
  intervalOfSearches,
  LedgerBroken,
  type Search,
  search,
  trialOf,
} from '../src/loadtest/capacity.ts';
import { scaled } from '../src/loadtest/profile.ts';
import { Run } from '../src/loadtest/run.ts';
import type { Scenario } from '../src/loadtest/scenario.ts';
import { findScenario } from '../src/loadtest/scenarios.ts';
import { createClient } from '../src/mongo/client.ts';
import { freePort } from '../src/mongo/free-ports.ts';
import { median } from './measure.ts';
import { LOADTEST, machine, number, writeToReadme } from './report.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    'p99-ms': { type: 'string', default: '250' },
    only: { type: 'string' },
    out: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const ROUNDS = Number(options.rounds);
const SECONDS = Number(options.seconds);
const P99_MS = Number(options['p99-ms']);
const ERRORS = 0.001;
const WALLETS = 1_000;
const FIRST_RATE = 50;
const NATIVE = ['--max-semi-space-size=32', '--import', 'tsx', 'bench/native/server.ts'];

interface Load {
  readonly name: string;
  readonly about: string;
  readonly scenario: Scenario;
}

interface Side {
  readonly name: string;
  readonly address: string;
  readonly searches: Map<string, Search[]>;
}

const payments = await findScenario('payments');
const kickOff = await findScenario('kick-off');
const LOADS: readonly Load[] = [
  { name: 'payments', about: 'payments to 100 merchants alike, one call each', scenario: payments },
  {
    name: 'hot merchant',
    about: 'the same to 100 merchants, of whom one gets 45 %',
    scenario: { ...payments, population: { ...payments.population, merchantSkew: 1.6 } },
  },
  {
    name: 'kick-off',
    about: 'the scenario `kick-off` at its peak: newcomers, top-ups, purchases, looks, refunds',
    scenario: { ...kickOff, profile: { kind: 'constant', perSecond: FIRST_RATE, seconds: SECONDS } },
  },
];

const local = await prepareLocal({ LOG_LEVEL: 'warn', METRICS_OPEN: 'true' });
const port = String(await freePort());
const peer = new ServiceProcess(
  `http://127.0.0.1:${port}`,
  { ...local.environment, HTTP_PORT: port, MONGODB_DATABASE: 'native' },
  join(local.folder, 'native.log'),
  NATIVE,
);
const sides: readonly Side[] = [
  { name: 'Kvitt', address: local.service.address, searches: new Map() },
  { name: 'native transactions', address: peer.address, searches: new Map() },
];
// Whoever is interrupted leaves no processes behind; the members end with this one by themselves.
process.on('exit', () => {
  void peer.end('SIGKILL');
  void local.service.end('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  await Promise.all([local.service.start(), peer.start()]);
  const loads = LOADS.filter(({ name }) => options.only === undefined || name.includes(options.only));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const load of loads) {
      for (const side of sides) await searchOnce(side, load, round);
    }
  }
  const text = render(loads, await mongodVersion());
  process.stdout.write(`${text}\n`);
  if (!options['dry-run']) await writeToReadme(text, LOADTEST);
} finally {
  await peer.end('SIGTERM');
  await local.close();
}

async function searchOnce({ name, address, searches }: Side, { name: loadName, scenario }: Load, round: number) {
  const plan: CapacityPlan = {
    target: { p99Ms: P99_MS, errorShare: ERRORS },
    ...{ from: FIRST_RATE, max: 20_000, tolerance: 0.05, searches: ROUNDS, warmUpSeconds: 2 },
  };
  const population = { ...scenario.population, wallets: WALLETS };
  const before = searches.get(loadName) ?? [];
  const attempt = async (rate: number) => {
    const run = new Run({
      scenario: scaled({ ...scenario, population }, { rate, seconds: SECONDS }),
      ...{ addresses: [address], apiKey: local.apiKey, queue: null, processes: 1, label: `${name}, ${loadName}` },
    });
    const result = await run.carryOut();
    if (!result.ledger.ok) throw new LedgerBroken(result.ledger.faults);
    await keep(`${name}-${loadName}-${round}-${rate.toFixed(0)}`, result);
    const trial = trialOf(result, rate, plan);
    const verdict = `p99 ${number(trial.p99Ms)} ms, errors ${(100 * trial.errorShare).toFixed(2)} %`;
    process.stderr.write(`${round}/${ROUNDS} ${loadName}, ${name}: ${number(rate)} journeys/s, ${verdict}\n`);
    return trial;
  };
  searches.set(loadName, [...before, await search(plan, attempt, before.at(-1)?.rate || null)]);
}

async function keep(name: string, result: unknown): Promise<void> {
  if (options.out === undefined) return;
  await mkdir(options.out, { recursive: true });
  await writeFile(join(options.out, `${name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}.json`), JSON.stringify(result));
}

async function mongodVersion(): Promise<string> {
  const client = await createClient(local.set.uri).connect();
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  await client.close();
  return String(version);
}

function render(loads: readonly Load[], mongod: string): string {
  const rows = loads.flatMap(({ name, about }) => {
    const rates = sides.map(({ searches }) => searches.get(name)!.map(({ rate }) => rate));
    const ratio = rates[0]!.map((rate, round) => rate / rates[1]![round]!);
    return sides.map((side, index) => {
      const found = side.searches.get(name)!;
      const calls = median(found.map(({ callsPerSecond }) => callsPerSecond));
      const by = found.some(({ endedBy }) => endedBy === 'generator') ? ' (the generator was the limit)' : '';
      const compared = index === 0 ? `×${number(median(ratio))} (${ratio.map(number).join(', ')})` : '';
      const cells = [index === 0 ? about : '', side.name, interval(found) + by, number(calls), compared];
      return `| ${cells.join(' | ')} |`;
    });
  });
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine()}, MongoDB ${mongod},`,
    `three members, the service and the generator on the same machine. ${ROUNDS} searches a side, in turn; runs of ${SECONDS} s, of`,
    `which the first two do not count; p99 within ${P99_MS} ms from when a call was due, errors within ${100 * ERRORS} %.`,
    'After every run each payment that was acknowledged was found exactly once, and every balance was right.',
    '',
    '| users | side | journeys/s: median (95 % interval) | calls/s | ratio: median (each) |',
    '|---|---|---:|---:|---:|',
    ...rows,
  ].join('\n');
}

function interval(searches: readonly Search[]): string {
  const found = intervalOfSearches(searches);
  const around = found === null ? '' : ` (${number(found.low)} – ${number(found.high)})`;
  return `${number(median(searches.map(({ rate }) => rate)))}${around}`;
}
