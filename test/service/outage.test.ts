import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { createLog } from '../../src/log.ts';
import { type Service, startService } from '../../src/main.ts';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { freePort } from '../../src/mongo/free-ports.ts';
import { requireMongod } from '../../src/mongo/mongod-binary.ts';
import { endMongod } from '../../src/mongo/mongod-process.ts';
import { verify } from '../../src/verification/verify.ts';
import { connectClient } from '../support/database.ts';
import { quietLog } from '../support/log.ts';
import { type Answer, Api, type Balance, type Problem } from './support/api.ts';
import { kvitt, useBuild } from './support/kvitt.ts';

/** Without limits of its own the driver would wait for a majority for ever. */
const ANSWER_MS_MAX = 90_000;
const PARTS = { http: true, consumer: false };
const silent = createLog('silent');

useBuild();

describe('a MongoDB that is no replica set', () => {
  let folder: string;
  let mongod: ChildProcess;
  let uri: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvitt-standalone-'));
    const port = await freePort();
    const { path } = await requireMongod();
    mongod = spawn(path, ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket'], {
      stdio: 'ignore',
    });
    uri = `mongodb://127.0.0.1:${port}`;
    const client = await new MongoClient(uri, { serverSelectionTimeoutMS: 30_000 }).connect();
    await client.close();
  });
  afterAll(async () => {
    await endMongod(mongod, 'SIGKILL');
    await rm(folder, { recursive: true });
  });

  it('is refused at the start, with what to do, and nothing but a probe is written', async () => {
    await expect(startService(readConfig({ MONGODB_URI: uri, HTTP_PORT: '0' }), silent, PARTS)).rejects.toThrow(
      /cannot keep money safe.*not a replica set; start mongod with --replSet/s,
    );
    const client = await connectClient(uri);
    const collections = await client.db('kvitt').listCollections().toArray();
    await client.close();
    expect(collections.map(({ name }) => name)).toEqual(['probes']);
  });

  it('makes kvitt doctor end with 1', async () => {
    const { code, stdout } = await kvitt(['doctor'], { MONGODB_URI: uri });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^fail +replication +it is not a replica set/m);
  });
});

it('a MongoDB that is not there ends the start with its name and no more than a few seconds', async () => {
  const uri = `mongodb://127.0.0.1:${await freePort()}/?replicaSet=gone`;
  const started = performance.now();
  await expect(startService(readConfig({ MONGODB_URI: uri }), silent, PARTS)).rejects.toThrow(/ECONNREFUSED/);
  // By default the driver looks for a server for 30 s.
  expect(performance.now() - started).toBeLessThan(28_000);
});

describe('a replica set that loses its majority', () => {
  let set: EmbeddedReplicaSet;
  let service: Service;
  let api: Api;
  const key = generateApiKey();
  const payment = { source: 'world:EUR', destination: 'alice', amount: 10, currency: 'EUR' };
  const pay = (name: string) => api.post<Problem>('/v1/payments', payment, name);

  beforeAll(async () => {
    set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
    const environment = { MONGODB_URI: set.uri, HTTP_PORT: '0', BOOTSTRAP_API_KEY: key };
    service = await startService(readConfig(environment), silent, PARTS);
    api = new Api(service.address!, key);
    await api.createAccounts('world:EUR', 'alice');
    expect((await pay('before')).status).toBe(201);
  });
  afterAll(async () => {
    await service?.stop();
    await set?.stop();
  });

  function upload(): Promise<Answer<Problem>> {
    const body = 'reference,amount,currency,date\nINV-1,10.01,EUR,2026-01-01\n';
    return api.send('POST', '/v1/reconciliations', { headers: { 'content-type': 'text/csv' }, body });
  }

  const QUESTIONS: [what: string, ask: () => Promise<Answer<Problem>>][] = [
    ['POST a payment', () => pay('while-nobody-leads')],
    ['POST a payment to an account never seen', () => api.post('/v1/payments', { ...payment, destination: 'x' })],
    ['POST an account', () => api.post('/v1/accounts', { id: 'bob', currency: 'EUR' })],
    ['POST a bank statement', upload],
    ['GET with a key never seen', () => new Api(api.address, generateApiKey()).get('/v1/accounts')],
    ...[
      '/v1/accounts',
      '/v1/accounts/alice',
      '/v1/accounts/alice/balance',
      '/v1/accounts/alice/balance?at=2026-01-01T00:00:00Z',
      '/v1/accounts/alice/entries',
      '/v1/payments',
      '/v1/payments/pay_none',
      '/v1/transactions',
      '/v1/transactions/txn_none',
      '/v1/trial_balance',
      '/v1/reconciliations/rec_none',
      '/v1/reconciliations/rec_none/items',
    ].map((path): [string, () => Promise<Answer<Problem>>] => [`GET ${path}`, () => api.get(path)]),
  ];

  async function timed(ask: () => Promise<Answer<Problem>>) {
    const began = performance.now();
    const { status, headers, body } = await ask();
    return {
      status,
      type: headers.get('content-type'),
      wait: headers.get('retry-after'),
      body,
      ms: performance.now() - began,
    };
  }

  it('answers everything with 503 in bounded time, settles what was unknown, and goes on', async () => {
    const primary = (await set.primaryIndex())!;
    const lost = set.members.flatMap((_, i) => (i === primary ? [] : [i]));
    await Promise.all(lost.map((i) => set.members[i]!.kill('SIGKILL')));
    const caught = ['caught-1', 'caught-2', 'caught-3'];
    const during = Promise.all(caught.map((name) => timed(() => pay(name))));
    await vi.waitFor(async () => expect(await set.primaryIndex()).toBeNull(), { timeout: 60_000, interval: 200 });
    const asked = await Promise.all(QUESTIONS.map(async ([what, ask]) => ({ what, ...(await timed(ask)) })));
    for (const { what, ...answer } of [...asked, ...(await during).map((one) => ({ what: 'caught', ...one }))]) {
      expect(answer, what).toMatchObject({ status: 503, wait: '1', body: { retryable: true } });
      expect(['unavailable', 'outcome_unknown'], what).toContain(answer.body.code);
      expect(answer.type, what).toMatch(/^application\/problem\+json/);
      expect(answer.ms, what).toBeLessThan(ANSWER_MS_MAX);
    }
    expect((await api.get('/livez')).status).toBe(200);
    expect(await api.get('/readyz')).toMatchObject({ status: 503, body: { code: 'not_ready' } });

    await Promise.all(lost.map((i) => set.restart(i)));
    const names = ['before', 'while-nobody-leads', ...caught];
    for (const name of names) {
      await vi.waitFor(async () => expect((await pay(name)).status).toBe(201), { timeout: 60_000, interval: 200 });
    }
    const { posted } = await api.read<Balance>('/v1/accounts/alice/balance');
    expect(posted).toBe(String(names.length * payment.amount));
    const client = await connectClient(set.uri);
    expect(await verify(new MongoAudit(client.db('kvitt')))).toMatchObject({ ok: true, breaks: [] });
    await client.close();
  }, 240_000);
});
