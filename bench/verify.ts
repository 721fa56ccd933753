/**
 * `npm run bench:verify`: how fast a journal is verified. First a journal in memory, of payments of two postings in blocks of
 * a thousand: replayed by columns, and with every block decoded, in turn within each round. Then a ledger that the engine
 * wrote to an embedded replica set: each part of verification by itself, all of it, and an increment. Prints tables and
 * writes nothing, but for what `--out` names.
 * Options: --entries N (300000), --accounts N,N (2000,20000,100000), --rounds N (5), --stored N (200000; 0: none),
 * --out FILE.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLog } from '../src/log.ts';
import { MongoAudit } from '../src/mongo/audit.ts';
import { createClient } from '../src/mongo/client.ts';
import { startEmbeddedReplicaSet } from '../src/mongo/embedded.ts';
import { MongoVerifications } from '../src/mongo/verifications.ts';
import { verify, verifyIncrement } from '../src/verification/verify.ts';
import { createBalancesFollower, createPaymentsFollower } from '../src/wiring/followers.ts';
import { median } from './measure.ts';
import type { Side } from './side.ts';
import { engineInProcess } from './sides/engine.ts';
import { makeJournal } from './verify/journal.ts';
import { rateOf } from './verify/replays.ts';
import { type Parts, timeParts } from './verify/stored.ts';
import { randomTransfer } from './workload.ts';

const { values: options } = parseArgs({
  options: {
    entries: { type: 'string', default: '300000' },
    accounts: { type: 'string', default: '2000,20000,100000' },
    rounds: { type: 'string', default: '5' },
    stored: { type: 'string', default: '200000' },
    out: { type: 'string' },
  },
});
const ENTRIES = Number(options.entries);
const ROUNDS = Number(options.rounds);
const STORED = Number(options.stored);
const PER_BLOCK = 1_000;
const STORED_ACCOUNTS = 20_000;
const CALLERS = 4;

const count = (value: number) => Math.round(value).toLocaleString('en');
const lines: string[] = [];
function say(line = ''): void {
  lines.push(line);
  process.stdout.write(`${line}\n`);
}

function inMemory(): void {
  say(`In memory, ${count(ENTRIES)} entries, blocks of ${PER_BLOCK}, one core; entries/s, medians of ${ROUNDS} rounds`);
  say();
  say('| accounts | by columns | every block decoded | times |');
  say('|---|---|---|---|');
  for (const accounts of options.accounts.split(',').map(Number)) {
    const journal = makeJournal(accounts, ENTRIES, PER_BLOCK);
    const rates = { columns: [] as number[], decoded: [] as number[] };
    // The first run compiles.
    rateOf(journal, false);
    for (let round = 0; round < ROUNDS; round++) {
      rates.decoded.push(rateOf(journal, true));
      rates.columns.push(rateOf(journal, false));
    }
    const [columns, decoded] = [median(rates.columns), median(rates.decoded)];
    say(`| ${count(accounts)} | ${count(columns)} | ${count(decoded)} | ${(columns / decoded).toFixed(1)} |`);
  }
}

async function fill(side: Side, transfers: number): Promise<void> {
  let sent = 0;
  const call = async () => {
    while (sent < transfers) {
      sent += PER_BLOCK;
      await side.transfer(Array.from({ length: PER_BLOCK }, () => randomTransfer('uniform', STORED_ACCOUNTS)));
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

async function stored(): Promise<void> {
  const log = createLog('warn');
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-verify-'));
  const set = await startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log });
  const client = await createClient(set.uri).connect();
  try {
    const db = client.db('verify');
    const side = await engineInProcess(client, 'verify', log, 1, STORED_ACCOUNTS);
    const behind = async () => {
      await createPaymentsFollower(1, db, log).catchUp(0);
      await createBalancesFollower(1, db, log).catchUp(0);
    };
    await fill(side, STORED);
    await behind();
    const runs: Parts[] = [];
    for (let round = 0; round < ROUNDS; round++) runs.push(await timeParts(db));
    const [audit, memory] = [new MongoAudit(db), new MongoVerifications(db)];
    const { ok } = await verify(audit, { memory });
    await fill(side, STORED / 2);
    await behind();
    await side.close();
    const known = (await memory.load())!;
    const increments: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const report = await verifyIncrement(audit, memory, {});
      if (!ok || !report.ok) throw new Error('the ledger is not sound');
      increments.push(report.durationMs);
      await memory.save(known);
    }
    say();
    say(
      `In an embedded replica set, ${count(STORED)} payments, ${count(STORED_ACCOUNTS)} accounts; medians of ${ROUNDS} rounds`,
    );
    say();
    say('| part | ms | entries/s |');
    say('|---|---|---|');
    for (const name of Object.keys(runs[0]!)) row(name, median(runs.map((run) => run[name]!)), STORED);
    row(`an increment of ${count(STORED / 2)}`, median(increments), STORED / 2);
  } finally {
    await client.close();
    await set.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function row(name: string, ms: number, entries: number): void {
  say(`| ${name} | ${count(ms)} | ${count(entries / (ms / 1_000))} |`);
}

say(`${cpus()[0]!.model}, ${cpus().length} cores, Node.js ${process.version}`);
say();
inMemory();
if (STORED > 0) await stored();
if (options.out !== undefined) await writeFile(options.out, `${lines.join('\n')}\n`);
