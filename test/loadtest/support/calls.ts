/** What an exported script sends, held against the API's own schemas. */
import { expect } from 'vitest';
import { accountParams, paymentParams, paymentsQuery } from '../../../src/http/schemas/queries.ts';
import { captureBody, createAccountBody, createPaymentBody, refundBody } from '../../../src/http/schemas/requests.ts';
import { idempotencyKey } from '../../../src/payments/schema.ts';

export interface SentCall {
  readonly method: string;
  readonly path: string;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

const POSTS = [
  { path: /^\/v1\/accounts$/, body: createAccountBody },
  { path: /^\/v1\/payments$/, body: createPaymentBody },
  { path: /^\/v1\/payments\/(?<payment>[^/]+)\/capture$/, body: captureBody },
  { path: /^\/v1\/payments\/(?<payment>[^/]+)\/refund$/, body: refundBody },
];
const BALANCE = /^\/v1\/accounts\/(?<id>[^/]+)\/balance$/;

/** Fails the test when the API would refuse the call, whatever the ledger says. */
export function expectAcceptable(call: SentCall, key: string): void {
  expect(call.headers.authorization).toBe(`Bearer ${key}`);
  if (call.method === 'GET') expectRead(call.path);
  else expectWrite(call);
}

function expectRead(path: string): void {
  const url = new URL(path, 'http://localhost');
  const id = BALANCE.exec(url.pathname)?.groups?.id;
  if (id !== undefined) accountParams.parse({ id });
  else {
    expect(url.pathname).toBe('/v1/payments');
    paymentsQuery.parse(Object.fromEntries(url.searchParams));
  }
}

function expectWrite({ method, path, headers, body }: SentCall): void {
  expect(method).toBe('POST');
  expect(headers['content-type']).toBe('application/json');
  idempotencyKey.parse(headers['idempotency-key']);
  const route = POSTS.find((post) => post.path.test(path));
  expect(route, path).toBeDefined();
  const payment = route!.path.exec(path)!.groups?.payment;
  if (payment !== undefined) paymentParams.parse({ id: payment });
  route!.body.parse(JSON.parse(body!));
}

/** How often each value is there. */
export function countsOf<T>(values: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** Fails the test unless these are shares as the weights say, by a chi-squared test that fails one time in a million. */
export function expectShares(counts: readonly number[], weights: readonly number[]): void {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const weight = weights.reduce((sum, one) => sum + one, 0);
  const squared = weights.reduce((sum, one, index) => {
    const expected = (all * one) / weight;
    return sum + ((counts[index] ?? 0) - expected) ** 2 / expected;
  }, 0);
  expect(squared).toBeLessThan(criticalValue(weights.length - 1));
}

/** By the approximation of Wilson and Hilferty, for a one-sided 4.75 standard deviations. */
function criticalValue(degrees: number): number {
  const part = 2 / (9 * degrees);
  return degrees * (1 - part + 4.75 * Math.sqrt(part)) ** 3;
}
