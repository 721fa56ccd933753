import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { told } from '../../src/loadtest/outcome.ts';

const problem = (code: string) => JSON.stringify({ type: 'about:blank', code, retryable: false });
const HTML = '<html><body><h1>503 Service Unavailable</h1></body></html>';

describe('what an answer says of its call', () => {
  test.each([
    [200, '{"id":"pay_1"}', 'ok'],
    [201, '{"id":"pay_1"}', 'ok'],
    [201, '{"id":"pay_', 'unknown'],
    [201, '', 'unknown'],
    [200, HTML, 'unknown'],
    [200, '"fine"', 'unknown'],
    [200, '[]', 'unknown'],
    [200, 'null', 'unknown'],
    [204, '', 'unknown'],
    [302, '', 'failed'],
    [400, problem('validation_failed'), 'failed'],
    [401, problem('unauthenticated'), 'failed'],
    [403, problem('insufficient_scope'), 'failed'],
    [404, problem('not_found'), 'failed'],
    [408, problem('request_timeout'), 'unknown'],
    [409, problem('idempotency_key_in_progress'), 'unknown'],
    [409, problem('transaction_pending'), 'failed'],
    [422, problem('insufficient_funds'), 'declined'],
    [422, problem('balance_limit_exceeded'), 'declined'],
    [422, problem('expired'), 'declined'],
    [422, problem('account_frozen'), 'declined'],
    [422, problem('nothing_held'), 'declined'],
    [422, problem('refund_exceeds_captured'), 'declined'],
    [422, problem('idempotency_key_reused'), 'failed'],
    [422, HTML, 'failed'],
    [200, problem('insufficient_funds').slice(0, -2), 'unknown'],
    [429, problem('rate_limited'), 'refused'],
    [429, HTML, 'refused'],
    [500, problem('internal_error'), 'unknown'],
    [500, '', 'unknown'],
    [502, HTML, 'unknown'],
    [503, problem('overloaded'), 'refused'],
    [503, problem('unavailable'), 'refused'],
    [503, problem('not_ready'), 'refused'],
    [503, problem('outcome_unknown'), 'unknown'],
    [503, problem('something_new'), 'unknown'],
    [503, HTML, 'unknown'],
    [503, '', 'unknown'],
    [503, '{"code":"overl', 'unknown'],
    [504, HTML, 'unknown'],
    [520, '', 'unknown'],
  ])('%i with %s is %s', (status, body, outcome) => {
    expect(told({ status, body }).outcome).toBe(outcome);
  });

  test('is unknown when it may have arrived without an answer, and refused when it has not', () => {
    expect(told({ failure: 'UND_ERR_SOCKET: other side closed', mayHaveArrived: true }).outcome).toBe('unknown');
    expect(told({ failure: 'ECONNREFUSED: nobody there', mayHaveArrived: false }).outcome).toBe('refused');
  });

  test('is never ok without a JSON object of a success, nor refused without the word of the service', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, body) => {
        const { outcome } = told({ status, body });
        if (outcome === 'ok') {
          expect(Math.floor(status / 100)).toBe(2);
          expect(JSON.parse(body)).toBeTypeOf('object');
        }
        if (status !== 429) expect(outcome).not.toBe('refused');
        expect(outcome).not.toBe('held_back');
      }),
    );
  });

  test('is shown to people in part only', () => {
    expect(told({ status: 500, body: 'x'.repeat(10_000) }).answer.length).toBeLessThan(400);
  });
});
