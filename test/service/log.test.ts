import { Writable } from 'node:stream';
import pino from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { logOptions } from '../../src/log.ts';
import { type Service, startService } from '../../src/main.ts';
import { useDatabase } from '../support/database.ts';
import { Api } from './support/api.ts';

const database = useDatabase();
const key = generateApiKey();
let logged = '';
let service: Service;
let api: Api;

beforeAll(async () => {
  const config = readConfig({
    MONGODB_URI: database.uri,
    MONGODB_DATABASE: database.name,
    HTTP_PORT: '0',
    BOOTSTRAP_API_KEY: key,
  });
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    logged += chunk;
    done();
  };
  service = await startService(config, pino(logOptions('trace'), new Writable({ write })), {
    http: true,
    consumer: false,
  });
  api = new Api(service.address!, key);
});
afterAll(() => service?.stop());

it('names the request in what the engine warns of, as its answer does', async () => {
  await api.createAccounts('world:EUR', 'secret-0');
  const find = vi.spyOn(Object.getPrototypeOf(database.db.collection('accounts')), 'find').mockImplementation(() => {
    throw new TypeError('planted');
  });
  const payment = { source: 'world:EUR', destination: 'secret-0', amount: 1, currency: 'EUR' };
  const answer = await api.post<{ request_id: string }>('/v1/payments', payment);
  find.mockRestore();
  expect(answer.status).toBe(503);
  const id = answer.headers.get('x-request-id');
  expect(answer.body.request_id).toBe(id);
  const lines = logged.split('\n').filter((line) => line.includes(id!));
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg).sort()).toEqual([
    'accounts cannot be read; the commands are refused',
    'request was slow or failed',
  ]);
});

it('logs nothing private of requests, whatever becomes of them, not even at the lowest level', async () => {
  await api.createAccounts('secret-1', 'secret-2');
  const payment = { source: 'world:EUR', destination: 'secret-1', amount: 7_654_321, currency: 'EUR' };
  const more = { reference: 'secret-3', description: 'secret 4', metadata: { secret5: 'secret-6' } };
  const statuses = [
    await api.post('/v1/payments', { ...payment, ...more }, 'secret-key-7'),
    await api.post('/v1/payments', { ...payment, ...more }, 'secret-key-7'),
    await api.post('/v1/payments', payment, 'secret-key-7'),
    await api.post('/v1/payments', { ...payment, source: 'secret-2', destination: 'secret-1', ...more }),
    await api.post('/v1/payments', { ...payment, destination: 'secret-8' }),
    await api.post('/v1/payments', { ...payment, amount: 'secret-9' }),
    await api.post('/v1/payments', '{"secret": '),
    await api.get('/v1/accounts/secret-1/entries?starting_after=secret-10'),
    await new Api(api.address, `${key}x`).get('/v1/accounts/secret-1'),
  ].map(({ status }) => status);
  expect(statuses).toEqual([201, 201, 422, 422, 422, 400, 400, 400, 401]);
  // Several at once under one key: some meet it while it is in progress.
  await Promise.all(Array.from({ length: 10 }, () => api.post('/v1/payments', payment, 'secret-key-11')));
  await service.stop();
  expect(logged).toContain('migrations applied');
  expect(logged).not.toMatch(/secret|7654321|Bearer/i);
  expect(logged).not.toContain(key);
});
