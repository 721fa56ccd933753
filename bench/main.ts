/**
 * `npm run bench`: all ways to move money, side by side on one replica set, in turn within each round, so that a
 * machine that gets slower slows all of them. Writes the table in the README unless called with --dry-run.
 * Options: --rounds N (5), --seconds N (4), --only PATTERN, --dry-run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ServiceProcess } from '../src/demo/service-process.ts';
import { generateApiKey } from '../src/http/auth.ts';
import { createLog } from '../src/log.ts';
import { MongoAccounts } from '../src/mongo/accounts.ts';
import { createClient } from '../src/mongo/client.ts';
import { startEmbeddedReplicaSet } from '../src/mongo/embedded.ts';
import { freePort } from '../src/mongo/free-ports.ts';
import { type Load, type Measured, measure, median } from './measure.ts';
import { NativeAccounts } from './native/accounts.ts';
import { type Ratio, type Row, ratioOf, render, writeToReadme } from './report.ts';
import type { Side } from './side.ts';
import { blindInsert } from './sides/blind.ts';
import { addBenchAccounts, engineInProcess } from './sides/engine.ts';
import { overHttp } from './sides/http.ts';
import { nativeTransactions } from './sides/native.ts';
import { textbookTwoPhaseCommit } from './sides/textbook.ts';
import { ACCOUNTS, accountId, BOOKS, type Shape } from './workload.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const ROUNDS = Number(options.rounds);
const SECONDS = Number(options.seconds);
const only = new RegExp(options.only);
const NATIVE_SERVER = ['--import', 'tsx', fileURLToPath(new URL('./native/server.ts', import.meta.url))];

interface Run {
  readonly id: string;
  readonly side: Side;
  readonly load: Load;
}

const SHAPES: Record<Shape, string> = {
  uniform: 'uniform accounts',
  hot: 'one hot account',
  within: 'each transfer within a book',
  across: 'each transfer between two books',
};

const log = createLog('warn');
const folder = await mkdtemp(join(tmpdir(), 'kvitt-bench-'));
const set = await startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log });
const client = await createClient(set.uri, { maxPoolSize: 600 }).connect();
const { version: mongod } = (await client.db('admin').command({ buildInfo: 1 })) as unknown as { version: string };

/** `program` undefined: the service itself. */
function serverProcess(database: string, port: number, program?: readonly string[]): ServiceProcess {
  const environment = {
    MONGODB_URI: set.uri,
    MONGODB_DATABASE: database,
    HTTP_PORT: String(port),
    BOOTSTRAP_API_KEY: key,
    LOG_LEVEL: 'warn',
  };
  return new ServiceProcess(`http://127.0.0.1:${port}`, environment, join(folder, `${database}.log`), program);
}

const key = generateApiKey();
const service = serverProcess('bench_http', await freePort());
await service.start();
await addBenchAccounts(new MongoAccounts(client.db('bench_http')));
const nativeServer = serverProcess('bench_native_http', await freePort(), NATIVE_SERVER);
await nativeServer.start();
await addNativeAccounts();

const native = await nativeTransactions(client, 'bench_native');
const textbook = await textbookTwoPhaseCommit(client, 'bench_textbook');
const blind = await blindInsert(client, 'bench_blind');
const engine = await engineInProcess(client, 'bench_engine', log);
const fourBooks = await engineInProcess(client, 'bench_four_books', log, BOOKS);
const http = (connections: number) =>
  overHttp('the engine over HTTP, one payment a request', service.address, key, connections);
const nativeHttp = overHttp('native transactions over HTTP', nativeServer.address, key, 64);
const [http64, http256] = [http(64), http(256)];

const load = (shape: Load['shape'], callers: number, bulk = 1): Load => ({ shape, callers, bulk });
const runs: Run[] = [
  { id: 'textbook-uniform', side: textbook, load: load('uniform', 64) },
  { id: 'textbook-hot', side: textbook, load: load('hot', 64) },
  { id: 'native-uniform', side: native, load: load('uniform', 64) },
  { id: 'native-hot', side: native, load: load('hot', 64) },
  { id: 'engine-uniform', side: engine, load: load('uniform', 64) },
  { id: 'blind-uniform', side: blind, load: load('uniform', 64) },
  { id: 'books-uniform', side: fourBooks, load: load('uniform', 64) },
  { id: 'books-within', side: fourBooks, load: load('within', 64) },
  { id: 'books-across', side: fourBooks, load: load('across', 64) },
  { id: 'books-hot', side: fourBooks, load: load('hot', 64) },
  { id: 'engine-hot', side: engine, load: load('hot', 64) },
  { id: 'engine-512', side: engine, load: load('uniform', 512) },
  { id: 'books-512', side: fourBooks, load: load('uniform', 512) },
  { id: 'engine-bulk', side: engine, load: load('uniform', 4, 1000) },
  { id: 'blind-bulk', side: blind, load: load('uniform', 4, 1000) },
  { id: 'native-http', side: nativeHttp, load: load('uniform', 64) },
  { id: 'http-64', side: http64, load: load('uniform', 64) },
  { id: 'http-256', side: http256, load: load('uniform', 256) },
].filter(({ id }) => only.test(id));

const results = new Map<string, Measured[]>(runs.map(({ id }) => [id, []]));
try {
  for (const { side, load } of runs) await measure(side, load, 1);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const { id, side, load } of runs) {
      const measured = await measure(side, load, SECONDS);
      results.get(id)!.push(measured);
      const { perSecond, p50Ms, p99Ms } = measured;
      process.stderr.write(
        `${round}/${ROUNDS} ${id.padEnd(18)} ${Math.round(perSecond).toString().padStart(7)}/s  p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms\n`,
      );
    }
  }
  const text = render(rows(), ratios(), { mongod, date: today(), rounds: ROUNDS, seconds: SECONDS });
  process.stdout.write(`${text}\n`);
  if (!options['dry-run']) await writeToReadme(text);
} finally {
  await Promise.all(
    [engine, fourBooks, native, textbook, blind, http64, http256, nativeHttp].map((side) => side.close()),
  );
  await nativeServer.end('SIGTERM');
  await service.end('SIGTERM');
  await client.close();
  await set.stop();
  await rm(folder, { recursive: true, force: true });
}

/** As {@link addBenchAccounts}. */
async function addNativeAccounts(): Promise<void> {
  const accounts = new NativeAccounts(client.db('bench_native_http'));
  const limits = { currency: 'EUR', minBalance: -1_000_000_000_000n };
  await Promise.all(Array.from({ length: ACCOUNTS }, (_, i) => accounts.create({ id: accountId(i), ...limits })));
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function rows(): Row[] {
  return runs.map(({ id, side, load: { shape, callers, bulk } }) => {
    const all = results.get(id)!;
    return {
      side: side.name,
      load: `${callers} callers${bulk > 1 ? ` × ${bulk.toLocaleString('en')}` : ''}, ${SHAPES[shape]}`,
      perSecond: median(all.map(({ perSecond }) => perSecond)),
      p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
    };
  });
}

function ratios(): Ratio[] {
  const wanted: [what: string, a: string, b: string, atLeast: number | null][] = [
    ['engine × native transactions, uniform', 'engine-uniform', 'native-uniform', 12],
    ['engine × native transactions, hot account', 'engine-hot', 'native-hot', 100],
    ['engine × textbook two-phase commit, uniform', 'engine-uniform', 'textbook-uniform', null],
    ['engine × blind insert, 64 callers', 'engine-uniform', 'blind-uniform', 0.75],
    ['engine × blind insert, bulk', 'engine-bulk', 'blind-bulk', null],
    ['four books × one book, 64 callers, uniform', 'books-uniform', 'engine-uniform', 0.5],
    ['four books × one book, 64 callers, each transfer within a book', 'books-within', 'engine-uniform', null],
    ['four books × one book, 64 callers, each between two books', 'books-across', 'engine-uniform', null],
    ['four books × one book, 64 callers, one hot account', 'books-hot', 'engine-hot', null],
    ['four books × one book, 512 callers', 'books-512', 'engine-512', null],
    ['HTTP × native transactions over HTTP, 64 connections', 'http-64', 'native-http', 5],
  ];
  const bulk = results.get('engine-bulk')?.map(({ perSecond }) => perSecond) ?? [];
  const absolute = bulk.length === 0 ? [] : [ratioOf('engine in bulk, transfers a second', bulk, 35_000)];
  const relative = wanted.flatMap(([what, a, b, atLeast]) => {
    const [as, bs] = [results.get(a), results.get(b)];
    if (!as || !bs) return [];
    const pairs = as.map(({ perSecond }, i) => perSecond / bs[i]!.perSecond);
    return [ratioOf(what, pairs, atLeast)];
  });
  return [...relative, ...absolute];
}
