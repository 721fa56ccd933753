/**
 * `npm run overload`: finds what a service can take over HTTP, then sends it three times that for ten minutes in an open
 * loop that waits for nobody, and looks at what it accepts, how it refuses, and what it keeps in memory. Then counts
 * each acknowledged payment in the journal. Writes the table in the README unless called with --dry-run.
 * Options: --minutes N (10), --factor N (3), --queue N (4000: QUEUE_COMMANDS_MAX), --dry-run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ServiceProcess } from '../src/demo/service-process.ts';
import { generateApiKey } from '../src/http/auth.ts';
import { createLog } from '../src/log.ts';
import { MongoAccounts } from '../src/mongo/accounts.ts';
import { createClient } from '../src/mongo/client.ts';
import { startEmbeddedReplicaSet } from '../src/mongo/embedded.ts';
import { freePort } from '../src/mongo/free-ports.ts';
import { checkJournal } from './overload/check.ts';
import { Load } from './overload/load.ts';
import type { Second } from './overload/messages.ts';
import { limitsOfSender, render, type Sample } from './overload/report.ts';
import { OVERLOAD, writeToReadme } from './report.ts';
import { addBenchAccounts } from './sides/engine.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    factor: { type: 'string', default: '3' },
    queue: { type: 'string', default: '4000' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const MINUTES = Number(options.minutes);
const FACTOR = Number(options.factor);
const QUEUE = Number(options.queue);
const DATABASE = 'overload';
const CONNECTIONS = [64, 128, 256];
const CAPACITY_ROUNDS = 3;
const CAPACITY_SECONDS = 4;
/** Beyond those that wait in the queue: refused ones on their way, of a second or two. */
const CONNECTIONS_SPARE = 10_000;

const folder = await mkdtemp(join(tmpdir(), 'kvitt-overload-'));
const set = await startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log: createLog('warn') });
const client = await createClient(set.uri).connect();
const db = client.db(DATABASE);
const { version: mongod } = (await client.db('admin').command({ buildInfo: 1 })) as unknown as { version: string };
const apiKey = generateApiKey();
const port = await freePort();
const service = new ServiceProcess(
  `http://127.0.0.1:${port}`,
  {
    MONGODB_URI: set.uri,
    MONGODB_DATABASE: DATABASE,
    HTTP_PORT: String(port),
    BOOTSTRAP_API_KEY: apiKey,
    QUEUE_COMMANDS_MAX: String(QUEUE),
    METRICS_OPEN: 'true',
    LOG_LEVEL: 'warn',
  },
  join(folder, 'service.log'),
);
await service.start();
await addBenchAccounts(new MongoAccounts(db));
const load = new Load({ port, apiKey, connectionsMax: QUEUE + CONNECTIONS_SPARE });
// Whoever is interrupted leaves no processes behind; the members and the sender end with this one by themselves.
process.on('exit', () => void service.end('SIGKILL'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  const capacity = await findCapacity();
  const perSecond = Math.round(FACTOR * capacity);
  const seconds: Second[] = [];
  const samples: Sample[] = [];
  const sampler = setInterval(() => void sample().then((one) => samples.push(one)), 1_000);
  const ended = await load.open({ perSecond, seconds: 60 * MINUTES }, (second) => {
    seconds.push(second);
    progress(second, samples.at(-1));
  });
  clearInterval(sampler);
  for (const example of ended.examples) process.stderr.write(`another answer: ${example}\n`);
  const checked = await checkJournal(db, ended.acknowledged);
  const figures = { minutes: MINUTES, factor: FACTOR, queue: QUEUE, connections: CONNECTIONS, date: today(), mongod };
  const text = render({ ...figures, capacity, seconds, samples, ended, checked });
  process.stdout.write(`${text}\n`);
  for (const limit of limitsOfSender(seconds, perSecond)) process.stdout.write(`The sender was a limit: ${limit}.\n`);
  if (!options['dry-run']) await writeToReadme(text, OVERLOAD);
} finally {
  await load.end();
  await service.end('SIGTERM');
  await client.close();
  await set.stop();
  await rm(folder, { recursive: true, force: true });
}

/** The best that callers get who wait for their answers. */
async function findCapacity(): Promise<number> {
  await load.closed({ connections: CONNECTIONS.at(-1)!, seconds: CAPACITY_SECONDS });
  let best = 0;
  for (let round = 1; round <= CAPACITY_ROUNDS; round++) {
    for (const connections of CONNECTIONS) {
      const perSecond = await load.closed({ connections, seconds: CAPACITY_SECONDS });
      process.stderr.write(
        `capacity ${round}/${CAPACITY_ROUNDS}: ${connections} connections ${perSecond.toFixed(0)}/s\n`,
      );
      best = Math.max(best, perSecond);
    }
  }
  return best;
}

async function sample(): Promise<Sample> {
  const answer = await fetch(`${service.address}/metrics`);
  const metrics = await answer.text();
  const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  return {
    residentMiB: (await service.residentMiB()) ?? Number.NaN,
    heapMiB: figure('nodejs_heap_size_used_bytes') / 2 ** 20,
    loopLagMs: figure('nodejs_eventloop_lag_p99_seconds') * 1000,
  };
}

function progress({ seconds, sent, accepted, refused, others, heldBack, lateMs }: Second, last?: Sample): void {
  const rate = (count: number) => `${Math.round(count / seconds)}/s`;
  const memory = last ? `RSS ${last.residentMiB.toFixed(0)} MiB, lag ${last.loopLagMs.toFixed(0)} ms` : '';
  const counts = `sent ${rate(sent)}, accepted ${rate(accepted)}, refused ${rate(refused)}, others ${others}`;
  process.stderr.write(`${counts}, held back ${heldBack}, late ${lateMs.toFixed(0)} ms; ${memory}\n`);
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
