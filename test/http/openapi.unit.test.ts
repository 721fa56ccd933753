import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROBLEMS } from '../../src/http/problem.ts';
import { type TestApp, testApp } from './support/app.ts';

type Json = Record<string, unknown>;
interface Operation {
  summary?: string;
  tags?: string[];
  security?: unknown;
  parameters?: { name: string; in: string; required: boolean }[];
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>;
}
interface Document {
  openapi: string;
  info: { version: string };
  components: { schemas: Record<string, Json>; securitySchemes: Json };
  paths: Record<string, Record<string, Operation>>;
}

let target: TestApp;
let document: Document;
let operations: [name: string, operation: Operation][];
beforeAll(async () => {
  target = await testApp();
  document = (await target.app.inject('/openapi.json')).json();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );
});
afterAll(() => target.app.close());

test('the document is OpenAPI 3.1 and names every operation', () => {
  expect(document.openapi).toMatch(/^3\.1\.\d+$/);
  expect(document.info.version).toBe('0.0.0-test');
  expect(document.components.securitySchemes.apiKey).toMatchObject({ type: 'http', scheme: 'bearer' });
  expect(operations.map(([name]) => name).sort()).toEqual(
    [
      'GET /livez',
      'GET /metrics',
      'GET /readyz',
      'GET /v1/accounts',
      'GET /v1/accounts/{id}',
      'GET /v1/accounts/{id}/balance',
      'GET /v1/accounts/{id}/entries',
      'GET /v1/balances/sum',
      'GET /v1/books',
      'GET /v1/dead_letters',
      'GET /v1/dead_letters/{id}',
      'POST /v1/dead_letters/redrive',
      'POST /v1/dead_letters/drop',
      'GET /v1/events',
      'GET /v1/events/{id}',
      'DELETE /v1/webhook_endpoints/{id}',
      'GET /v1/webhook_endpoints',
      'GET /v1/webhook_endpoints/{id}',
      'GET /v1/webhook_endpoints/{id}/deliveries',
      'POST /v1/webhook_endpoints',
      'POST /v1/webhook_endpoints/{id}/deliveries/{event}/redeliver',
      'POST /v1/webhook_endpoints/{id}/disable',
      'POST /v1/webhook_endpoints/{id}/enable',
      'POST /v1/webhook_endpoints/{id}/rotate_secret',
      'GET /v1/payments',
      'GET /v1/payments/{id}',
      'GET /v1/payments/{id}/transactions',
      'GET /v1/reconciliations/{id}',
      'GET /v1/reconciliations',
      'GET /v1/reconciliations/{id}/items',
      'GET /v1/reconciliations/{id}/matches',
      'GET /v1/reconciliations/{id}/report',
      'GET /v1/breaks',
      'GET /v1/breaks/ageing',
      'GET /v1/breaks/{id}',
      'POST /v1/breaks/{id}/assign',
      'POST /v1/breaks/{id}/comments',
      'POST /v1/breaks/{id}/resolve',
      'GET /v1/transactions',
      'GET /v1/transactions/{id}',
      'GET /v1/trial_balance',
      'PATCH /v1/accounts/{id}',
      'POST /v1/accounts',
      'POST /v1/accounts/{id}/close',
      'POST /v1/accounts/{id}/freeze',
      'POST /v1/accounts/{id}/unfreeze',
      'PUT /v1/accounts/{id}/limits',
      'POST /v1/balances/query',
      'POST /v1/payments',
      'POST /v1/payments/bulk',
      'POST /v1/payments/{id}/cancel',
      'POST /v1/payments/{id}/capture',
      'POST /v1/payments/{id}/refund',
      'POST /v1/reconciliations',
      'POST /v1/transactions',
      'POST /v1/transactions/{id}/reverse',
    ].sort(),
  );
});

test('no schema anywhere is empty, and every reference leads somewhere', () => {
  const check = (schema: unknown, where: string): void => {
    expect(schema, where).toBeTypeOf('object');
    const { $ref, properties, items, anyOf } = schema as Json & { $ref?: string; anyOf?: unknown[] };
    expect(Object.keys(schema as Json), `${where} says nothing`).not.toEqual([]);
    if ($ref !== undefined) expect(document.components.schemas, where).toHaveProperty($ref.split('/').at(-1) ?? '');
    for (const [name, property] of Object.entries(properties ?? {})) check(property, `${where}.${name}`);
    if (items !== undefined) check(items, `${where}[]`);
    for (const [index, branch] of (anyOf ?? []).entries()) check(branch, `${where}|${index}`);
  };
  for (const [name, operation] of operations) {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      for (const { schema } of Object.values(content ?? {})) check(schema, `${name} ${status}`);
      if (status === '304') expect(content, name).toBeUndefined();
      else expect(content, `${name} ${status}`).toBeDefined();
    }
    for (const { schema } of Object.values(operation.requestBody?.content ?? {})) check(schema, `${name} body`);
  }
  for (const [name, schema] of Object.entries(document.components.schemas)) check(schema, name);
});

test('every operation has a summary, a tag and a success', () => {
  for (const [name, operation] of operations) {
    expect(operation.summary, name).toMatch(/\w{3}/);
    expect(operation.tags, name).toHaveLength(1);
    expect(Object.keys(operation.responses), name).toSatisfy((codes: string[]) => codes.some((code) => code < '300'));
  }
});

test('operations that need a key say so, and which problems they answer', () => {
  for (const [name, { security, responses }] of operations) {
    if (['GET /livez', 'GET /readyz'].includes(name)) continue;
    expect(security, name).toEqual([{ apiKey: [] }]);
    for (const status of ['400', '401', '403', '429', '500', '503']) {
      expect(responses[status]?.content, `${name} ${status}`).toHaveProperty('application/problem+json');
    }
  }
});

test('reads take a tag and may answer that nothing changed; what is changed on condition needs one', () => {
  for (const [name, { parameters, responses }] of operations.filter(([name]) => name.startsWith('GET /v1/'))) {
    expect(parameters, name).toContainEqual(expect.objectContaining({ name: 'If-None-Match', in: 'header' }));
    expect(responses, name).toHaveProperty('304');
  }
  const { parameters, responses } = document.paths['/v1/accounts/{id}']!.patch!;
  expect(parameters).toContainEqual(expect.objectContaining({ name: 'If-Match', in: 'header', required: true }));
  expect(Object.keys(responses)).toEqual(expect.arrayContaining(['412', '428']));
});

test('the filters of lists are documented, metadata by any key among them', () => {
  const names = (path: string) => document.paths[path]!.get!.parameters!.map(({ name }) => name);
  const created = ['created[gte]', 'created[gt]', 'created[lte]', 'created[lt]'];
  expect(names('/v1/payments')).toEqual(
    expect.arrayContaining(['metadata[key]', 'amount', 'amount[gte]', 'amount[lte]', 'currency', ...created]),
  );
  expect(names('/v1/transactions')).toEqual(expect.arrayContaining(['account', 'kind', ...created]));
  expect(names('/v1/accounts/{id}/entries')).toEqual(expect.arrayContaining(['kind', 'direction', ...created]));
  expect(names('/v1/accounts')).toContain('prefix');
});

test('each code that an operation names has the status it stands under', () => {
  for (const [name, { responses }] of operations) {
    for (const [status, { description, content }] of Object.entries(responses)) {
      if (content?.['application/problem+json'] === undefined) continue;
      for (const code of description.split(', ')) {
        expect(PROBLEMS, name).toHaveProperty(code);
        expect(PROBLEMS[code as keyof typeof PROBLEMS].status, `${name} ${code}`).toBe(Number(status));
      }
    }
  }
});

describe('a POST that moves money', () => {
  test.each(['/v1/payments', '/v1/transactions'])('%s documents its key as required', (path) => {
    expect(document.paths[path]?.post?.parameters).toContainEqual(
      expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }),
    );
  });
  test('takes an amount as an integer or as digits, and nothing unknown', () => {
    const schema = document.paths['/v1/payments']?.post?.requestBody?.content['application/json']?.schema;
    expect(schema).toMatchObject({
      additionalProperties: false,
      required: ['source', 'amount', 'currency'],
      properties: {
        amount: {
          anyOf: [
            { type: 'integer', minimum: 1, maximum: 999_999_999_999_999 },
            { type: 'string', pattern: '^[1-9][0-9]{0,14}$' },
          ],
        },
        currency: { pattern: '^[A-Z]{3}$' },
      },
    });
  });
});

test('many payments are documented with the fields of each, in JSON and a line each', () => {
  type Content = Record<string, { schema: Json & { contentSchema?: Json } }>;
  const { requestBody, responses } = document.paths['/v1/payments/bulk']!.post!;
  const one = document.paths['/v1/payments']!.post!.requestBody!.content['application/json']!.schema;
  const item = {
    additionalProperties: false,
    required: ['source', 'amount', 'currency', 'idempotency_key'],
    properties: { ...(one.properties as Json), idempotency_key: { type: 'string' } },
  };
  const { 'application/json': json, 'application/x-ndjson': lines } = requestBody!.content as Content;
  expect(json?.schema).toMatchObject({ properties: { payments: { minItems: 1, maxItems: 1_000, items: item } } });
  expect(lines?.schema).toMatchObject({ type: 'string', contentSchema: item });
  const result = { $ref: '#/components/schemas/BulkResult' };
  const { 'application/json': list, 'application/x-ndjson': results } = responses['200']!.content as Content;
  expect(list?.schema).toMatchObject({ properties: { data: { items: result } } });
  expect(results?.schema).toMatchObject({ type: 'string', contentSchema: result });
});

test('limits of balances are whole numbers or null', () => {
  const bodies = ['post /v1/accounts', 'put /v1/accounts/{id}/limits'].map((name) => {
    const [method, path] = name.split(' ') as [string, string];
    return document.paths[path]?.[method]?.requestBody?.content['application/json']?.schema.properties as Json;
  });
  for (const body of bodies) {
    const numbers = { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^(?:0|-?[1-9][0-9]{0,17})$' }] };
    const limit = { anyOf: [{ type: 'null' }, numbers] };
    expect(body).toMatchObject({ min_balance: limit, max_balance: limit });
  }
});

test('what is not JSON is documented as what it is', () => {
  expect(Object.keys(document.paths['/metrics']?.get?.responses['200']?.content ?? {})).toEqual(['text/plain']);
  const statement = document.paths['/v1/reconciliations']?.post?.requestBody;
  const text = { schema: { type: 'string' } };
  expect(statement).toMatchObject({ required: false, content: { 'text/csv': text, 'application/xml': text } });
});

describe('the pages', () => {
  test('of Swagger UI load over plain http under their content security policy', async () => {
    const page = await target.app.inject('/docs');
    const policy = String(page.headers['content-security-policy']);
    expect(page.statusCode).toBe(200);
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(page.headers['strict-transport-security']).toBeUndefined();
    expect(page.body).not.toMatch(/<script>[^<]/);
    const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url as string);
    expect(assets.length).toBeGreaterThan(3);
    for (const url of assets) expect((await target.app.inject(url)).statusCode, url).toBe(200);
  });

  test('show this document', async () => {
    const shown = await target.app.inject('/docs/json');
    expect(shown.json()).toEqual(document);
  });
});
