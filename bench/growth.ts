/**
 * `npm run bench:growth`: does the ledger stay as fast as it grows? Two databases with as many accounts, all of them
 * posted to: one with little more in its journal, one with ten million transactions. Both are measured in turn within
 * each round. Then what a balance and a statement take, an engine that has just been started, and the memory of a service
 * that has touched every account. Writes the table in the README unless called with --dry-run.
 * Options: --transactions N (10000000), --accounts N (1000000), --rounds N (5), --seconds N (5), --dry-run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Db } from 'mongodb';
import { createLog } from '../src/log.ts';
import { MongoAccounts } from '../src/mongo/accounts.ts';
import { createClient } from '../src/mongo/client.ts';
import { startEmbeddedReplicaSet } from '../src/mongo/embedded.ts';
import { MongoJournalQueries } from '../src/mongo/journal-queries.ts';
import { memoryOfService } from './growth/memory.ts';
import { GrowthReport } from './growth/report.ts';
import { type Load, measure } from './measure.ts';
import { GROWTH, writeToReadme } from './report.ts';
import type { Side } from './side.ts';
import { addBenchAccounts, engineInProcess } from './sides/engine.ts';
import { accountId, pairTransfer, randomTransfer } from './workload.ts';

const { values: options } = parseArgs({
  options: {
    transactions: { type: 'string', default: '10000000' },
    accounts: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const TRANSACTIONS = Number(options.transactions);
const ACCOUNTS = Number(options.accounts);
const ROUNDS = Number(options.rounds);
const SECONDS = Number(options.seconds);
const BULK = 1000;
const CALLERS = 4;
const READS = 500;
const PROGRESS_EVERY = 250_000;

const log = createLog('warn');
const folder = await mkdtemp(join(tmpdir(), 'kvitt-growth-'));
const set = await startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log });
const client = await createClient(set.uri).connect();
const { version: mongod } = (await client.db('admin').command({ buildInfo: 1 })) as unknown as { version: string };

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Sends so many transfers in bulk; `next` makes the nth. */
async function fill(side: Side, count: number, next: (n: number) => ReturnType<typeof randomTransfer>): Promise<void> {
  const began = performance.now();
  let sent = 0;
  let done = 0;
  const call = async () => {
    while (sent < count) {
      const from = sent;
      const some = Math.min(BULK, count - from);
      sent += some;
      await side.transfer(Array.from({ length: some }, (_, i) => next(from + i)));
      done += some;
      if (done % PROGRESS_EVERY >= some) continue;
      const perSecond = Math.round(done / ((performance.now() - began) / 1000));
      tell(
        `  ${done.toLocaleString('en')} of ${count.toLocaleString('en')}, ${perSecond.toLocaleString('en')}/s so far`,
      );
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

/** An engine over a database of its own in which every account was posted to once. */
async function ledgerWithAccounts(database: string): Promise<Side> {
  tell(`${database}: ${ACCOUNTS.toLocaleString('en')} accounts, each posted to`);
  const side = await engineInProcess(client, database, log, 1, ACCOUNTS);
  await fill(side, ACCOUNTS / 2, (n) => pairTransfer(n));
  return side;
}

/** Milliseconds that each of some reads took. */
async function timesOf(read: (account: string) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < READS; i++) {
    const account = accountId(Math.floor(Math.random() * ACCOUNTS));
    const from = performance.now();
    await read(account);
    times.push(performance.now() - from);
  }
  return times;
}

async function readTimes(db: Db): Promise<{ balance: number[]; statement: number[] }> {
  const journal = new MongoJournalQueries(db);
  return {
    balance: await timesOf((account) => journal.balances([account])),
    statement: await timesOf((account) => journal.entriesOf(account, null, 'older', 10)),
  };
}

const report = new GrowthReport({ transactions: TRANSACTIONS, accounts: ACCOUNTS, rounds: ROUNDS, seconds: SECONDS });
try {
  const fresh = await ledgerWithAccounts('growth_fresh');
  const grown = await ledgerWithAccounts('growth_grown');
  tell(`growth_grown: ${TRANSACTIONS.toLocaleString('en')} transactions more`);
  await fill(grown, TRANSACTIONS, () => randomTransfer('uniform', ACCOUNTS));
  const single: Load = { shape: 'uniform', callers: 64, bulk: 1, accounts: ACCOUNTS };
  const bulk: Load = { shape: 'uniform', callers: CALLERS, bulk: BULK, accounts: ACCOUNTS };
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [name, load] of [
      ['single', single],
      ['bulk', bulk],
    ] as const) {
      const rates = [await measure(fresh, load, SECONDS), await measure(grown, load, SECONDS)] as const;
      report.addRates(name, rates[0], rates[1]);
      tell(
        `${round}/${ROUNDS} ${name}: fresh ${Math.round(rates[0].perSecond)}/s, grown ${Math.round(rates[1].perSecond)}/s`,
      );
    }
  }
  report.addReads(await readTimes(client.db('growth_fresh')), await readTimes(client.db('growth_grown')));
  await Promise.all([fresh.close(), grown.close()]);
  tell('an engine that knows no account yet');
  const cold = await engineInProcess(client, 'growth_grown', log, 1, 0);
  report.addCold(await measure(cold, single, SECONDS));
  await cold.close();
  tell('a service that touches every account');
  await addBenchAccounts(new MongoAccounts(client.db('growth_memory')), 1, ACCOUNTS);
  report.addMemory(
    await memoryOfService({ uri: set.uri, database: 'growth_memory', accounts: ACCOUNTS, folder, tell }),
  );
  const text = report.render(mongod);
  process.stdout.write(`${text}\n`);
  if (!options['dry-run']) await writeToReadme(text, GROWTH);
} finally {
  await client.close();
  await set.stop();
  await rm(folder, { recursive: true, force: true });
}
