import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toProblem } from '../../src/http/faults.ts';
import { sendProblem } from '../../src/http/problem.ts';
import { reconciliationRoutes } from '../../src/http/routes/reconciliations.ts';
import { validatorCompiler } from '../../src/http/validation.ts';
import type { ReconciliationItem } from '../../src/reconciliation/outcomes.ts';
import type { ReconciliationReport } from '../../src/reconciliation/reconcile.ts';
import { Reconciliations } from '../../src/reconciliation/reconciliations.ts';
import { ReconciliationViews } from '../../src/reconciliation/views.ts';
import { each, Model, NOW } from '../verification/model.ts';

const CSV = 'reference,amount,currency,date\nINV-1,10.00,EUR,2026-01-01\nINV-2,1,JPY,2026-01-02\n';
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let app: FastifyInstance;
let jobs: Reconciliations;

beforeEach(async () => {
  const reports = new Map<string, ReconciliationReport>();
  const kept: ReconciliationItem[] = [];
  jobs = new Reconciliations({
    audit: new Model().port(),
    payments: { postedPayments: () => each([]) },
    store: {
      save: async (report) => void reports.set(report.id, report),
      saveItems: async (_id, items) => void kept.push(...items),
      get: async (id) => reports.get(id) ?? null,
      items: async (_id, { limit, startingAfter }) => {
        const rest = kept.filter(({ position }) => position > Number(startingAfter ?? 0));
        return { data: rest.slice(0, limit), hasMore: rest.length > limit };
      },
    },
    clock: { now: () => NOW },
    log: silent,
  });
  app = Fastify({ genReqId: () => 'req_1' });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler((error, request, reply) => sendProblem(toProblem(error, request), request, reply));
  await app.register(reconciliationRoutes(new ReconciliationViews(jobs)));
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

async function call(path: string, init: RequestInit & { duplex?: 'half' } = {}) {
  const { port } = app.server.address() as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}/v1/reconciliations${path}`, init);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const upload = (body: string | ReadableStream, path = '', type = 'text/csv') =>
  call(path, { method: 'POST', headers: { 'content-type': type }, body, duplex: 'half' });

describe('a statement is uploaded', () => {
  test('answered 202, compared in the background, and its differences are listed page by page', async () => {
    const started = await upload(CSV, '', 'text/csv; charset=utf-8');
    expect(started).toMatchObject({ status: 202, body: { object: 'reconciliation', status: 'running', ok: null } });
    const { id } = started.body as { id: string };
    expect(started.headers.get('location')).toBe(`/v1/reconciliations/${id}`);
    await jobs.idle();
    const counts = { missing_here: 2 };
    expect(await call(`/${id}`)).toMatchObject({
      status: 200,
      body: { status: 'succeeded', ok: false, external: { counts } },
    });
    const page = await call(`/${id}/items?limit=1`);
    expect(page.body).toMatchObject({
      object: 'list',
      url: `/v1/reconciliations/${id}/items`,
      has_more: true,
      data: [
        { object: 'reconciliation_item', id: '1', outcome: 'missing_here', statement: { amount: '1000', line: 2 } },
      ],
    });
    expect((await call(`/${id}/items?starting_after=1`)).body).toMatchObject({ has_more: false, data: [{ id: '2' }] });
  });

  test('with its period, window and account', async () => {
    const { body } = await upload(CSV, '?from=2025-12-31&to=2026-01-05&window_days=3&account=world:*');
    await jobs.idle();
    const external = { from: '2025-12-31', to: '2026-01-05', window_days: 3, account: 'world:*' };
    expect((await call(`/${body.id}`)).body).toMatchObject({ external });
  });
});

describe('a bad upload is refused, and the next one is not in its way', () => {
  test.each<[string, () => Promise<{ status: number; body: Record<string, unknown> }>, number, string, RegExp]>([
    [
      'a wrong line',
      () => upload(CSV.replace('10.00', '10.005')),
      400,
      'validation_failed',
      /line 2: EUR has 2 decimals/,
    ],
    ['another type', () => upload('{}', '', 'application/json'), 415, 'unsupported_media_type', /text\/csv/],
    ['no body', () => call('', { method: 'POST' }), 415, 'unsupported_media_type', /text\/csv/],
    ['an empty body', () => upload(''), 400, 'validation_failed', /empty/],
    ['an unknown parameter', () => upload(CSV, '?format=csv'), 400, 'validation_failed', /not a known field/],
    ['a wrong day', () => upload(CSV, '?from=2026-02-30'), 400, 'validation_failed', /2026-01-31/],
    ['a wide window', () => upload(CSV, '?window_days=31'), 400, 'validation_failed', /0 to 30/],
    ['a period that is too short', () => upload(CSV, '?to=2026-01-01'), 400, 'validation_failed', /beyond the period/],
  ])('%s', async (_name, send, status, code, detail) => {
    expect(await send()).toMatchObject({ status, body: { code, detail: expect.stringMatching(detail) } });
    expect((await upload(CSV)).status).toBe(202);
    await jobs.idle();
  });

  test('a wrong line in a body that goes on: the answer comes all the same', async () => {
    let rest = 200;
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('wrong from the first line on\n'.repeat(1_000)));
        if (--rest === 0) controller.close();
      },
    });
    expect(await upload(body)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });

  test('while another one is read', async () => {
    let finish = () => {};
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(CSV));
        finish = () => controller.close();
      },
    });
    const first = upload(body);
    let second = await upload(CSV);
    // Until the first one has arrived, one may go before it.
    while (second.status === 202) {
      await jobs.idle();
      second = await upload(CSV);
    }
    expect(second).toMatchObject({ status: 503, body: { code: 'overloaded', retryable: true } });
    finish();
    expect((await first).status).toBe(202);
    await jobs.idle();
  });
});

test('an unknown reconciliation is a 404', async () => {
  expect(await call('/rec_none')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  expect(await call('/rec_none/items')).toMatchObject({ status: 404 });
});

test('a cursor that is no position is refused', async () => {
  const { body } = await upload(CSV);
  await jobs.idle();
  expect(await call(`/${body.id}/items?starting_after=x`)).toMatchObject({
    status: 400,
    body: { code: 'invalid_cursor' },
  });
});
