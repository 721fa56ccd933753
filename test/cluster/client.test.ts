import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { cloudnameTargets, fixedTargets, KvittClient, KvittError } from '../../src/client/index.ts';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { readConfig } from '../../src/config.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { createLog } from '../../src/log.ts';
import { type Service, startService } from '../../src/main.ts';
import { freePort } from '../../src/mongo/free-ports.ts';
import { Namespace, until } from '../cloudname/support/namespace.ts';
import { paymentEvent } from '../queue/support/events.ts';
import { startTestSqs, TestQueues, type TestSqs } from '../queue/support/sqs.ts';
import { useDatabase } from '../support/database.ts';

const WHERE = 'kvitt.pay.test';
const apiKey = generateApiKey();
const database = useDatabase();
let namespace: Namespace;
let cloudname: Cloudname;
let services: Service[] = [];
let sqs: TestSqs;
let queues: TestQueues;

async function start(): Promise<Service> {
  const environment = {
    MONGODB_URI: database.uri,
    MONGODB_DATABASE: database.name,
    HTTP_PORT: '0',
    BOOKS: '4',
    BOOTSTRAP_API_KEY: apiKey,
    ZOOKEEPER_CONNECT: namespace.connect,
    ZOOKEEPER_SESSION_MS: '4000',
    CLOUDNAME_COORDINATE: WHERE,
    SHUTDOWN_GRACE_MS: '2000',
    LOG_LEVEL: 'error',
    SQS_QUEUE_URL: queues.queueUrl,
    SQS_DEAD_LETTER_QUEUE_URL: queues.deadLetterQueueUrl,
    SQS_ENDPOINT: sqs.endpoint,
    SQS_WAIT_SECONDS: '1',
  };
  return startService(readConfig(environment), createLog('error'), { http: true, consumer: true });
}

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  sqs = await startTestSqs();
  queues = await TestQueues.create(sqs.client);
  namespace = await Namespace.create(inject('zookeeperConnect'));
  services = [await start(), await start()];
  cloudname = await namespace.open();
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await namespace.close();
  await sqs.stop();
  vi.unstubAllEnvs();
});

const running = () => cloudname.resolver.resolve(`http.all.${WHERE}`);

describe('instances', () => {
  it('take the first free numbers of their service, and publish http, metrics and internal', async () => {
    await until(running, (found) => found.length === 2);
    const all = await cloudname.resolver.resolve(`all.${WHERE}`);
    const names = all.map(({ coordinate, name }) => `${name}.${coordinate?.instance}`).sort();
    expect(names).toEqual(['http.0', 'http.1', 'internal.0', 'internal.1', 'metrics.0', 'metrics.1']);
    const answer = await fetch(
      `http://127.0.0.1:${all.find(({ name }) => name === 'internal')!.port}/cluster/carry-on?book=0`,
      {
        method: 'POST',
        headers: { authorization: 'Bearer guess' },
        body: '{}',
      },
    );
    expect(answer.status).toBe(401);
  });

  it('follow the configuration of their coordinate, and keep what they have when it is wrong', async () => {
    const at = Coordinate.parse(`0.${WHERE}`);
    const found = await cloudname.resolver.resolve(`http.0.${WHERE}`);
    const url = `http://${found[0]!.host}:${found[0]!.port}/v1/payments`;
    const statuses = async () => {
      const headers = { authorization: `Bearer ${apiKey}` };
      const answers = await Promise.all(Array.from({ length: 5 }, () => fetch(url, { headers })));
      return answers.map(({ status }) => status).sort();
    };
    expect(await statuses()).toEqual([200, 200, 200, 200, 200]);
    await cloudname.setConfig(at, '{"RATE_LIMIT_PER_MINUTE": 3, "LOG_LEVEL": "fatal"}', null);
    await until(statuses, (seen) => seen.includes(429));
    await cloudname.setConfig(at, '{"RATE_LIMIT_PER_MINUTE": "many"}', null);
    await cloudname.setConfig(at, 'rubbish', null);
    expect(await statuses()).toContain(429);
    await cloudname.setConfig(at, '', null);
    await until(statuses, (seen) => !seen.includes(429));
  });

  it('consume one queue together, and post each event once, whoever leads the books', async () => {
    const client = new KvittClient({ targets: cloudnameTargets(cloudname, WHERE), apiKey });
    await client.createAccount({ id: 'source', currency: 'EUR', min_balance: null });
    const wallets = Array.from({ length: 8 }, (_, n) => `wallet-${n}`);
    await Promise.all(wallets.map((id) => client.createAccount({ id, currency: 'EUR' })));
    const events = Array.from({ length: 80 }, (_, n) =>
      paymentEvent(`shared-${n}`, { source: 'source', destination: wallets[n % wallets.length] }),
    );
    await queues.send(...events, ...events.slice(0, 40), ...[...events].reverse());
    await queues.drained();
    const balances = await Promise.all(wallets.map((id) => client.getBalance(id)));
    expect(balances.map(({ posted }) => posted)).toEqual(wallets.map(() => '10'));
    expect(await queues.deadLetters()).toEqual(new Map());
  });
});

describe('a client', () => {
  it('finds instances by Cloudname, spreads its calls, and pays once whatever becomes of an instance', async () => {
    const targets = cloudnameTargets(cloudname, WHERE);
    const client = new KvittClient({ targets, apiKey });
    const bank = await client.createAccount({ id: 'bank', currency: 'EUR', min_balance: null });
    await client.createAccount({ id: 'shop', currency: 'EUR' });
    const used = new Set<string>();
    const seen = new KvittClient({
      apiKey,
      targets: {
        next: async () => {
          const target = await targets.next();
          used.add(target!);
          return target;
        },
        failed: (target) => targets.failed(target),
      },
    });
    const pay = (key: string) =>
      seen.createPayment({ source: bank.id, destination: 'shop', amount: 5, currency: 'EUR' }, { idempotencyKey: key });
    const keys = Array.from({ length: 60 }, () => randomUUID());
    const first = await Promise.all(keys.slice(0, 20).map(pay));
    expect(first.map(({ status }) => status)).toEqual(first.map(() => 'posted'));
    expect(used.size).toBe(2);
    const stopping = services.shift()!.stop();
    await Promise.all(keys.slice(20, 40).map(pay));
    await stopping;
    await Promise.all(keys.slice(40).map(pay));
    // Each again: the same effect, once.
    await Promise.all(keys.map(pay));
    expect((await client.getBalance('shop')).posted).toBe('300');
  });

  it('says what is wrong, and whether it may have happened', async () => {
    const targets = cloudnameTargets(cloudname, WHERE);
    const client = new KvittClient({ targets, apiKey });
    await expect(client.getBalance('nobody')).rejects.toMatchObject({ code: 'not_found', status: 404 });
    const wrong = new KvittClient({ targets, apiKey: generateApiKey() });
    await expect(wrong.getBalance('bank')).rejects.toMatchObject({ status: 401 });
    const nowhere = new KvittClient({
      targets: fixedTargets([`http://127.0.0.1:${await freePort()}/`]),
      apiKey,
      triesMax: 2,
    });
    await expect(nowhere.post('/v1/payments', {})).rejects.toMatchObject({ code: 'unreachable' });
    await expect(nowhere.get('/v1/payments')).rejects.toBeInstanceOf(KvittError);
    const none = new KvittClient({ targets: fixedTargets([]), apiKey, triesMax: 2 });
    await expect(none.get('/v1/payments')).rejects.toMatchObject({ code: 'unreachable' });
  });
});
