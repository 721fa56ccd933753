import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MongoAudit } from '../../src/mongo/audit.ts';
import { verify } from '../../src/verification/verify.ts';
import { fuzz, installSchemathesis } from './support/schemathesis.ts';
import { useService } from './support/service.ts';

const FUZZ_MS_MAX = 480_000;
const INSTALL_MS_MAX = 300_000;

beforeAll(installSchemathesis, INSTALL_MS_MAX);

describe('requests made up from the OpenAPI document', () => {
  const service = useService({ WEBHOOK_PRIVATE_ADDRESSES: 'true' });

  it('are all answered as it says, none with an unexpected error, and the books stay right', {
    timeout: FUZZ_MS_MAX,
  }, async () => {
    const { api, db } = service;
    await api.createAccounts('world:EUR', 'alice', 'bob', 'carol');
    const payment = await api.pay('world:EUR', 'alice', 100_000);
    const accounts = ['world:EUR', 'alice', 'bob'];
    const url = 'http://127.0.0.1:9/hooks';
    const { body: endpoint } = await api.post<{ id: string }>('/v1/webhook_endpoints', { url });
    const event = `evt_${payment.transaction_id.slice('txn_'.length)}`;
    const report = await fuzz({
      address: api.address,
      key: api.key,
      seed: 1,
      examplesMax: 25,
      ids: {
        '/v1/accounts/{id}': accounts,
        '/v1/accounts/{id}/balance': accounts,
        '/v1/accounts/{id}/entries': accounts,
        '/v1/payments/{id}': [payment.id],
        '/v1/transactions/{id}': [payment.transaction_id],
        '/v1/events/{id}': [event],
        '/v1/webhook_endpoints/{id}': [endpoint.id],
        '/v1/webhook_endpoints/{id}/deliveries': [endpoint.id],
        '/v1/webhook_endpoints/{id}/enable': [endpoint.id],
      },
    });
    expect(report.failures, report.text).toEqual([]);
    expect(report.operations.tested).toBe(report.operations.total);
    expect(report.requests).toBeGreaterThan(500);
    // Refusals alone would prove little.
    for (const operation of ['POST /v1/accounts', 'POST /v1/payments', 'POST /v1/transactions']) {
      expect(report.accepted[operation], operation).toBeGreaterThan(0);
    }
    expect(await verify(new MongoAudit(db))).toMatchObject({ ok: true, breaks: [] });
  });
});

describe('the fuzzer', () => {
  let server: Server;
  let address: string;
  const answers: Record<string, [status: number, body: unknown]> = {
    '/fails': [500, { detail: 'x' }],
    '/undocumented': [503, { detail: 'x' }],
    '/differs': [200, { id: 1 }],
  };

  beforeAll(async () => {
    const schema = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };
    const documented = { description: 'ok', content: { 'application/json': { schema } } };
    const failure = { description: 'failure', content: { 'application/json': { schema: { type: 'object' } } } };
    const get = { responses: { 200: documented } };
    const document = {
      openapi: '3.1.0',
      info: { title: 'faulty', version: '1' },
      paths: {
        '/fails': { get: { responses: { 200: documented, 500: failure } } },
        '/undocumented': { get },
        '/differs': { get },
      },
    };
    server = createServer(({ url }, response) => {
      const [status, body] = answers[url!] ?? [url === '/openapi.json' ? 200 : 404, document];
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  it('tells a 500, an undocumented answer, and one that is not as its schema says', async () => {
    const { failures, text } = await fuzz({ address, key: 'none', seed: 1, examplesMax: 1, ids: {} });
    expect(failures, text).toEqual(
      expect.arrayContaining(['Server error', 'Undocumented status code', 'Response violates schema']),
    );
  });
});
