/**
 * `npm run bench:queue`: from a full queue to posted and deleted, against a loop that only receives and deletes, and
 * against sqs-consumer with a native transaction a message; on the same SQS servers and replica set, in turn within each
 * round. Writes the table in the README unless called with --dry-run.
 * Options: --rounds N (3), --messages N (30000), --server PATTERN, --only PATTERN, --dry-run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '../src/config.ts';
import { generateApiKey } from '../src/http/auth.ts';
import { createLog } from '../src/log.ts';
import { startService } from '../src/main.ts';
import { MongoAccounts } from '../src/mongo/accounts.ts';
import { createClient } from '../src/mongo/client.ts';
import { startEmbeddedReplicaSet } from '../src/mongo/embedded.ts';
import { migrateUp } from '../src/mongo/migrate.ts';
import { createSqsClient } from '../src/queue/client.ts';
import { createBalancesFollower, createPaymentsFollower } from '../src/wiring/followers.ts';
import { median } from './measure.ts';
import { type Drained, drained, fullQueue, removeQueue } from './queue/messages.ts';
import { SERVERS } from './queue/servers.ts';
import { type Drainer, receiveAndDelete, receiveAndDeleteByOwnCalls, sqsConsumer } from './queue/sides.ts';
import { machine, number, QUEUE, type Ratio, ratioLine, ratioOf, writeToReadme } from './report.ts';
import { addBenchAccounts } from './sides/engine.ts';
import { nativeTransactions } from './sides/native.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    messages: { type: 'string', default: '30000' },
    server: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const [ROUNDS, MESSAGES] = [Number(options.rounds), Number(options.messages)];
const LOOPS = 8;
/** It is so much slower that it gets fewer. */
const NATIVE_SHARE = 0.05;
const MANY = 8;
/** The figure of Kvitt with what it writes behind the journal. */
const LISTED = 'listed';
const CREDENTIALS = { accessKeyId: 'bench', secretAccessKey: 'bench' };
process.env.AWS_ACCESS_KEY_ID = CREDENTIALS.accessKeyId;
process.env.AWS_SECRET_ACCESS_KEY = CREDENTIALS.secretAccessKey;

const log = createLog('warn');
const folder = await mkdtemp(join(tmpdir(), 'kvitt-bench-'));
const set = await startEmbeddedReplicaSet({ dataDir: join(folder, 'mongodb'), log });
const mongo = await createClient(set.uri, { maxPoolSize: 200 }).connect();
const database = 'bench_queue';
await migrateUp(mongo.db(database));
await addBenchAccounts(new MongoAccounts(mongo.db(database)));
const native = await nativeTransactions(mongo, 'bench_native');

interface Row {
  readonly server: string;
  readonly side: string;
  readonly perSecond: number[];
}

const rows: Row[] = [];
const ratios: Ratio[] = [];
try {
  for (const [name, start] of Object.entries(SERVERS)) if (new RegExp(options.server).test(name)) await bench(start);
  const text = render();
  process.stdout.write(`${text}\n`);
  if (!options['dry-run']) await writeToReadme(text, QUEUE);
} finally {
  await mongo.close();
  await set.stop();
  await rm(folder, { recursive: true, force: true });
}

async function bench(start: (typeof SERVERS)[string]): Promise<void> {
  const server = await start();
  const client = createSqsClient({ region: 'us-east-1', endpoint: server.endpoint, credentials: CREDENTIALS });
  const few = Math.ceil(MESSAGES * NATIVE_SHARE);
  const drainers: Record<string, Drainer> = {
    loop: receiveAndDelete(client, LOOPS, MESSAGES),
    'own-loop': receiveAndDeleteByOwnCalls(client, LOOPS, MESSAGES),
    kvitt: kvitt(server.endpoint),
    native: sqsConsumer(client, native, 1, few),
    'native-many': sqsConsumer(client, native, MANY, few),
  };
  const only = new RegExp(options.only);
  const runs = Object.entries(drainers).filter(([id]) => only.test(id));
  const measured = new Map<string, number[]>([...runs.map(([id]) => id), LISTED].map((id) => [id, []]));
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [id, drainer] of runs) {
        const { perSecond, messages, seconds } = await drain(client, drainer);
        const listed = id === 'kvitt' ? messages / (seconds + (await catchUp())) : null;
        // The first is to warm up.
        if (round > 0) measured.get(id)!.push(perSecond);
        if (round > 0 && listed !== null) measured.get(LISTED)!.push(listed);
        process.stderr.write(
          `${server.name} ${round}/${ROUNDS} ${drainer.name.padEnd(50)} ${Math.round(perSecond)} messages/s\n`,
        );
      }
    }
  } finally {
    client.destroy();
    await server.stop();
  }
  for (const [id, drainer] of runs) {
    rows.push({ server: server.name, side: drainer.name, perSecond: measured.get(id)! });
    const listed = 'Kvitt, until its lists are written, too';
    if (id === 'kvitt') rows.push({ server: server.name, side: listed, perSecond: measured.get(LISTED)! });
  }
  const pairs = (a: string, b: string) => measured.get(a)!.map((perSecond, i) => perSecond / measured.get(b)![i]!);
  const ratio = (what: string, a: string, b: string, atLeast: number | null) => {
    if (measured.has(a) && measured.has(b)) ratios.push(ratioOf(`${server.name}: ${what}`, pairs(a, b), atLeast));
  };
  ratio('Kvitt × receive and delete only, over the AWS SDK', 'kvitt', 'loop', 0.6);
  ratio("Kvitt × receive and delete only, over Kvitt's own calls", 'kvitt', 'own-loop', null);
  ratio('Kvitt × sqs-consumer', 'kvitt', 'native', 10);
  ratio(`Kvitt × ${MANY} sqs-consumers`, 'kvitt', 'native-many', 10);
}

/** As `kvitt consume` runs it, lists and all. */
function kvitt(endpoint: string): Drainer {
  const key = generateApiKey();
  return {
    name: 'Kvitt',
    count: MESSAGES,
    start: (queueUrl) => {
      const config = readConfig({
        MONGODB_URI: set.uri,
        MONGODB_DATABASE: database,
        BOOTSTRAP_API_KEY: key,
        SQS_ENDPOINT: endpoint,
        SQS_QUEUE_URL: queueUrl,
        // Nothing goes there.
        SQS_DEAD_LETTER_QUEUE_URL: `${queueUrl}-dlq`,
        SQS_WAIT_SECONDS: '1',
      });
      return startService(config, log, { http: false, consumer: true });
    },
  };
}

/** What is written behind the journal gives way to payments, and is done before the next side is measured. @returns s */
async function catchUp(): Promise<number> {
  const from = performance.now();
  const db = mongo.db(database);
  await Promise.all([createPaymentsFollower, createBalancesFollower].map((create) => create(1, db, log).catchUp(0)));
  return (performance.now() - from) / 1000;
}

async function drain(client: ReturnType<typeof createSqsClient>, { count, start }: Drainer): Promise<Drained> {
  const queueUrl = await fullQueue(client, count);
  const rate = drained(client, queueUrl, count);
  const running = await start(queueUrl);
  try {
    return await rate;
  } finally {
    await running.stop();
    await removeQueue(client, queueUrl);
  }
}

function render(): string {
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine()}, medians of ${ROUNDS} rounds of ${MESSAGES.toLocaleString('en')} messages (a`,
    `twentieth for sqs-consumer), the first tenth not counted, all sides in turn in every round; callers, SQS server and`,
    'three MongoDB members on this one machine. Lists are written behind the journal and give way to payments while they are',
    'less than ten seconds late: the second row of Kvitt counts until they are written, too.',
    '',
    '| SQS server | what empties the queue | messages/s |',
    '|---|---|---:|',
    ...rows.map(({ server, side, perSecond }) => `| ${server} | ${side} | ${number(median(perSecond))} |`),
    '',
    '| figure, ratios pair by pair | median | lowest – highest | wanted |',
    '|---|---:|---:|---:|',
    ...ratios.map(ratioLine),
  ].join('\n');
}
