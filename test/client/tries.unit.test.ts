/** What a client does about answers that are none, on a server that gives what it is told to. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedTargets, KvittClient } from '../../src/client/index.ts';

interface Seen {
  readonly key: string | undefined;
  readonly body: { payments?: { idempotency_key: string }[] };
}
/** An answer; null: the connection is cut instead. */
type Answer = { status: number; body: object } | null;

let server: Server;
let seen: Seen[];
let answers: ((request: Seen) => Answer)[];
let client: KvittClient;

beforeEach(async () => {
  seen = [];
  answers = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const one: Seen = {
      key: request.headers['idempotency-key'] as string | undefined,
      body: (text === '' ? {} : JSON.parse(text)) as Seen['body'],
    };
    seen.push(one);
    const answer = answers.shift()?.(one) ?? null;
    if (answer === null) return request.socket.destroy();
    return response
      .writeHead(answer.status, { 'content-type': 'application/json', etag: '"a"' })
      .end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new KvittClient({ targets: fixedTargets([`http://127.0.0.1:${port}`]), apiKey: 'kvitt_test', triesMax: 3 });
});
afterEach(() => server.close());

const PAYMENT = { source: 'alice', destination: 'bob', amount: 1, currency: 'EUR' };
const cut = () => null;
const problem = (status: number, code: string, retryable = false) => ({ status, body: { code, retryable } });

describe('a client', () => {
  it('sends the same key again after no answer, and after one that says so', async () => {
    answers = [cut, () => problem(503, 'overloaded', true), () => ({ status: 201, body: { id: 'pay_1' } })];
    expect(await client.createPayment(PAYMENT)).toEqual({ id: 'pay_1' });
    expect(new Set(seen.map(({ key }) => key)).size).toBe(1);
    expect(seen).toHaveLength(3);
  });

  it('says under which key something may have happened', async () => {
    answers = [cut, () => problem(503, 'unavailable', true), () => problem(503, 'unavailable', true)];
    const error: unknown = await client.createPayment(PAYMENT).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'outcome_unknown', idempotencyKey: seen[0]!.key });
    expect(seen[0]!.key).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('takes no answer to a read for no more than that', async () => {
    answers = [cut, cut, cut];
    await expect(client.queryBalances({ accounts: ['a'] })).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('does not say that a change failed which a try without an answer may have made', async () => {
    answers = [cut, () => problem(412, 'precondition_failed')];
    await expect(client.updateAccount('alice', { metadata: {} })).rejects.toMatchObject({ code: 'outcome_unknown' });
    answers = [() => problem(412, 'precondition_failed')];
    await expect(client.updateAccount('alice', { metadata: {} })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
  });

  it('sends those of many payments again that may end otherwise, with the keys that they had', async () => {
    const result = (one: { idempotency_key: string }, index: number, code?: string) => ({
      index,
      idempotency_key: one.idempotency_key,
      error: code === undefined ? null : { code, retryable: code === 'overloaded' },
    });
    answers = [
      ({ body: { payments = [] } }) => ({
        status: 200,
        body: { data: payments.map((one, i) => result(one, i, [undefined, 'overloaded', 'expired', 'overloaded'][i])) },
      }),
      cut,
      ({ body: { payments = [] } }) => ({ status: 200, body: { data: payments.map((one, i) => result(one, i)) } }),
    ];
    const results = [];
    for await (const one of client.createPayments([PAYMENT, PAYMENT, PAYMENT, PAYMENT])) results.push(one);
    expect(results.map(({ index, error }) => [index, error?.code])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, 'expired'],
      [3, undefined],
    ]);
    const keys = seen.map(({ body }) => body.payments!.map(({ idempotency_key: key }) => key));
    expect(keys[1]).toEqual([keys[0]![1], keys[0]![3]]);
    expect(keys[2]).toEqual(keys[1]);
  });
});
