/**
 * `npm run bench:cluster`: three instances that share six books against one that leads them all, and requests that are
 * forwarded against ones that reach the leader. All run on one replica set and one ZooKeeper on this machine, in turn
 * within each round. Writes the table in the README unless called with --dry-run.
 * Options: --rounds N (4), --seconds N (4), --dry-run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cloudname } from '../src/cloudname/cloudname.ts';
import { ServiceProcess } from '../src/demo/service-process.ts';
import { generateApiKey } from '../src/http/auth.ts';
import { createLog } from '../src/log.ts';
import { MongoAccounts } from '../src/mongo/accounts.ts';
import { createClient } from '../src/mongo/client.ts';
import { startEmbeddedReplicaSet } from '../src/mongo/embedded.ts';
import { freePort } from '../src/mongo/free-ports.ts';
import { startZooKeeper } from '../test/support/zookeeper.ts';
import { type Measured, measureCalls, median } from './measure.ts';
import { CLUSTER, machine, number, writeToReadme } from './report.ts';
import type { Side } from './side.ts';
import { addBenchAccounts } from './sides/engine.ts';
import { overHttp } from './sides/http.ts';
import { ACCOUNTS, accountId, type Transfer } from './workload.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '4' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const [ROUNDS, SECONDS] = [Number(options.rounds), Number(options.seconds)];
const BOOKS = 6;
const INSTANCES = 3;
const WHERE = { service: 'kvitt', user: 'pay', cell: 'bench' };
const LED_MS_MAX = 30_000;

const log = createLog('warn');
const folder = await mkdtemp(join(tmpdir(), 'kvitt-bench-'));
const set = await startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log });
const zookeeper = await startZooKeeper();
const client = await createClient(set.uri).connect();
const key = generateApiKey();

async function startService(database: string, settings: Record<string, string> = {}): Promise<ServiceProcess> {
  const port = await freePort();
  const environment = {
    MONGODB_URI: set.uri,
    MONGODB_DATABASE: database,
    HTTP_PORT: String(port),
    BOOKS: String(BOOKS),
    BOOTSTRAP_API_KEY: key,
    LOG_LEVEL: 'warn',
    ...settings,
  };
  const service = new ServiceProcess(`http://127.0.0.1:${port}`, environment, join(folder, `service-${port}.log`));
  await service.start();
  return service;
}

const alone = await startService('bench_alone');
const shared = {
  ZOOKEEPER_CONNECT: zookeeper.connect,
  CLOUDNAME_COORDINATE: `${WHERE.service}.${WHERE.user}.${WHERE.cell}`,
};
const instances: ServiceProcess[] = [];
for (let i = 0; i < INSTANCES; i++) instances.push(await startService('bench_shared', shared));
for (const database of ['bench_alone', 'bench_shared']) {
  await addBenchAccounts(new MongoAccounts(client.db(database)), BOOKS);
}
const leaders = await leadersOf();

/** By book, the instance that leads it: an index. */
async function leadersOf(): Promise<number[]> {
  const cloudname = await Cloudname.connect({ connect: zookeeper.connect });
  const until = performance.now() + LED_MS_MAX;
  try {
    for (;;) {
      const books = await cloudname.resolver.find(`internal.all.book.${WHERE.user}.${WHERE.cell}`).catch(() => []);
      const web = await cloudname.resolver
        .find(`http.all.${WHERE.service}.${WHERE.user}.${WHERE.cell}`)
        .catch(() => []);
      const portOf = new Map(web.map(({ at, endpoint }) => [String(at), endpoint.port]));
      const counts = new Map<string, number>();
      for (const { endpoint } of books)
        counts.set(endpoint.endpointData!, (counts.get(endpoint.endpointData!) ?? 0) + 1);
      if (books.length === BOOKS && [...counts.values()].every((count) => count === BOOKS / INSTANCES)) {
        return books.map(({ endpoint }) => {
          const address = `http://127.0.0.1:${portOf.get(endpoint.endpointData!)}`;
          return instances.findIndex((instance) => instance.address === address);
        });
      }
      if (performance.now() > until) throw new Error('the books are not led evenly');
      await sleep(100);
    }
  } finally {
    await cloudname.close();
  }
}

const below = (limit: number) => Math.floor(Math.random() * limit);

function uniform(): Transfer {
  const from = below(ACCOUNTS);
  const to = (from + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
  return { source: accountId(from), destination: accountId(to), amount: BigInt(1 + below(100)) };
}

/** Within one book. */
function within(book: number): Transfer {
  const perBook = Math.floor(ACCOUNTS / BOOKS);
  const from = below(perBook);
  const to = (from + 1 + below(perBook - 1)) % perBook;
  return { source: accountId(from * BOOKS + book), destination: accountId(to * BOOKS + book), amount: 1n };
}

interface Run {
  readonly way: string;
  readonly load: string;
  readonly callers: number;
  readonly call: () => Promise<void>;
  readonly results: Measured[];
}

const sides: Side[] = [];
function toInstance(service: ServiceProcess, callers: number): Side {
  const side = overHttp('an instance', service.address, key, callers);
  sides.push(side);
  return side;
}

function run(way: string, load: string, callers: number, call: Run['call']): Run {
  return { way, load, callers, call, results: [] };
}

const CALLERS = 96;
const MANY = 768;
const one = toInstance(alone, MANY);
const three = instances.map((instance) => toInstance(instance, MANY));
const runs = [
  run('one instance leads six books', 'uniform accounts', CALLERS, () => one.transfer([uniform()])),
  run('three instances lead two each', 'uniform accounts, any instance', CALLERS, () =>
    three[below(INSTANCES)]!.transfer([uniform()]),
  ),
  run('one instance leads six books', 'uniform accounts', MANY, () => one.transfer([uniform()])),
  run('three instances lead two each', 'uniform accounts, any instance', MANY, () =>
    three[below(INSTANCES)]!.transfer([uniform()]),
  ),
  run('one instance leads six books', 'within a book', CALLERS, () => one.transfer([within(below(BOOKS))])),
  run('three instances lead two each', 'within a book, sent to its leader', CALLERS, () => {
    const book = below(BOOKS);
    return three[leaders[book]!]!.transfer([within(book)]);
  }),
  run('three instances lead two each', 'within a book, sent to another', CALLERS, () => {
    const book = below(BOOKS);
    const other = (leaders[book]! + 1 + below(INSTANCES - 1)) % INSTANCES;
    return three[other]!.transfer([within(book)]);
  }),
];

try {
  for (const { callers, call } of runs) await measureCalls(call, callers, 2);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const each of runs) {
      const measured = await measureCalls(each.call, each.callers, SECONDS);
      each.results.push(measured);
      const { perSecond, p50Ms, p99Ms } = measured;
      process.stderr.write(
        `${round}/${ROUNDS} ${each.way}, ${each.load}: ${Math.round(perSecond)}/s  p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms\n`,
      );
    }
  }
  const text = render();
  process.stdout.write(`${text}\n`);
  if (!options['dry-run']) await writeToReadme(text, CLUSTER);
} finally {
  await Promise.all(sides.map((side) => side.close()));
  await Promise.all([alone, ...instances].map((service) => service.end('SIGTERM')));
  await client.close();
  await zookeeper.stop();
  await set.stop();
  await rm(folder, { recursive: true, force: true });
}

function render(): string {
  const figure = (results: readonly Measured[], of: keyof Measured) => median(results.map((each) => each[of]));
  const pairs = (a: number, b: number) =>
    runs[a]!.results.map(({ perSecond }, i) => perSecond / runs[b]!.results[i]!.perSecond);
  const ratio = (what: string, values: readonly number[]) =>
    `| ${what} | ${number(median(values))} | ${number(Math.min(...values))} – ${number(Math.max(...values))} |`;
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine()},`,
    `${ROUNDS} rounds of ${SECONDS} s, everything on this one machine: callers, instances, three MongoDB members, ZooKeeper.`,
    '',
    '| way | load | payments/s | p50 ms | p99 ms |',
    '|---|---|---:|---:|---:|',
    ...runs.map(
      ({ way, load, callers, results }) =>
        `| ${way} | ${callers} connections, ${load} | ${number(figure(results, 'perSecond'))} | ${figure(results, 'p50Ms').toFixed(1)} | ${figure(results, 'p99Ms').toFixed(1)} |`,
    ),
    '',
    '| figure, ratios pair by pair | median | lowest – highest |',
    '|---|---:|---:|',
    ratio(`three instances × one, uniform accounts, ${CALLERS} connections`, pairs(1, 0)),
    ratio(`three instances × one, uniform accounts, ${MANY} connections`, pairs(3, 2)),
    ratio('three instances × one, within a book, sent to its leader', pairs(5, 4)),
    ratio('forwarded × sent to the leader', pairs(6, 5)),
  ].join('\n');
}
