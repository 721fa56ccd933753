import Fastify from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hashApiKey } from '../../src/http/auth.ts';
import { auditOperators } from '../../src/http/operator-actions.ts';
import { LedgerError } from '../../src/ledger/errors.ts';
import { type TestApp, testApp } from './support/app.ts';

let target: TestApp;
beforeEach(async () => {
  target = await testApp();
});
afterEach(() => target.app.close());

function start(headers: Record<string, string> = {}) {
  const csv = { 'content-type': 'text/csv', ...headers };
  return target.inject({ method: 'POST', url: '/v1/reconciliations', headers: csv, payload: 'reference\n' });
}

test('what an operator starts is kept: who, what, to what, and by which request', async () => {
  const answer = await start();
  expect(answer.statusCode).toBe(202);
  expect(target.audited.entries).toEqual([
    {
      actor: 'client shop',
      action: 'reconciliation_started',
      target: 'reconciliation rec_1',
      details: { key_id: hashApiKey(target.key).slice(0, 16), request_id: answer.headers['x-request-id'] },
    },
  ]);
});

test('nothing is kept of what is refused or only read', async () => {
  expect((await start({ 'content-type': 'application/json' })).statusCode).toBe(415);
  expect((await start({ authorization: `Bearer ${target.keys.add({ scopes: ['payments:read'] })}` })).statusCode).toBe(
    403,
  );
  expect((await target.get('/v1/reconciliations/rec_1')).statusCode).toBe(404);
  expect((await target.get('/metrics')).statusCode).toBe(200);
  expect(target.audited.entries).toEqual([]);
});

test('whoever did what cannot be kept is told so', async () => {
  target.audited.failure = new LedgerError('outcome_unknown', 'the database did not answer');
  const answer = await start();
  expect([answer.statusCode, answer.json().code]).toEqual([503, 'outcome_unknown']);
});

test('a route for operators that changes something and names no action does not start', () => {
  const app = Fastify();
  auditOperators(app, { record: async () => undefined });
  const route = (method: 'GET' | 'POST', config: object) => () =>
    app.route({ method, url: `/${method}/${Object.keys(config).length}`, config, handler: async () => null });
  expect(route('POST', { scope: 'operations' })).toThrow('POST /POST/1 names no action for the audit log');
  expect(route('POST', { scope: 'operations', audited: 'reconciliation_started' })).not.toThrow();
  expect(route('GET', { scope: 'operations' })).not.toThrow();
});
