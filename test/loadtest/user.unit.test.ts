import { describe, expect, test } from 'vitest';
import { NO_MERCHANT } from '../../src/loadtest/call-log.ts';
import { WeightedChoice } from '../../src/loadtest/choice.ts';
import { Random } from '../../src/loadtest/random.ts';
import { type Step, stepSchema } from '../../src/loadtest/scenario.ts';
import { type ReadyCall, User } from '../../src/loadtest/user.ts';

type CallStep = Exclude<Step, { do: 'think' }>;

function newUser(): User {
  let [calls, wallets] = [0, 100];
  return new User(
    {
      ...{ run: 'r', currency: 'EUR', merchants: new WeightedChoice([1, 1, 1]), random: new Random(1) },
      ...{ nextCall: () => calls++, newWallet: () => wallets++ },
    },
    5,
  );
}

const AMOUNT = { from: 100, to: 200 };
const step = (what: object) => stepSchema.parse(what) as CallStep;
const buy = step({ do: 'buy', amount: AMOUNT });

function go(user: User, what: CallStep, payment = 'pay_1'): ReadyCall {
  const call = user.ready(what)!;
  user.done(call, { id: payment });
  return call;
}

/** What is sent over HTTP. */
function httpOf({ request }: ReadyCall) {
  if (!('http' in request)) throw new Error('it is for the queue');
  const { body, ...http } = request.http;
  return { ...http, body: body === undefined ? undefined : JSON.parse(body) };
}

describe('a user', () => {
  test('pays a merchant with the key of the call as reference', () => {
    const call = go(newUser(), buy);
    expect(httpOf(call)).toEqual({
      ...{ method: 'POST', path: '/v1/payments', idempotencyKey: 'lt:r:0' },
      body: {
        ...{ source: 'lt:r:w:5', destination: `lt:r:m:${call.merchant}`, currency: 'EUR', reference: 'lt:r:0' },
        amount: call.amount,
      },
    });
    expect(call.amount).toBeGreaterThanOrEqual(100);
    expect(call.amount).toBeLessThanOrEqual(200);
  });

  test('is refunded what was paid, to the wallet that paid it', () => {
    const user = newUser();
    const bought = go(user, buy);
    go(user, step({ do: 'open_wallet' }));
    const refund = user.ready(step({ do: 'refund' }))!;
    expect(httpOf(refund).path).toBe('/v1/payments/pay_1/refund');
    expect(refund).toMatchObject({ wallet: 5, merchant: bought.merchant, amount: bought.amount });
  });

  test('captures what was authorized, once', () => {
    const user = newUser();
    const held = go(user, step({ do: 'authorize', amount: AMOUNT }));
    expect(httpOf(held).body.capture).toBe('manual');
    const capture = go(user, step({ do: 'capture' }));
    expect(capture).toMatchObject({ operation: 'capture', wallet: 5, merchant: held.merchant, amount: held.amount });
    expect(user.ready(step({ do: 'capture' }))).toBeNull();
  });

  test('has nothing to be refunded twice, nor after an answer without a payment', () => {
    const user = newUser();
    go(user, buy);
    go(user, step({ do: 'refund' }));
    expect(user.ready(step({ do: 'refund' }))).toBeNull();
    user.done(user.ready(buy)!, {});
    expect(user.ready(step({ do: 'refund' }))).toBeNull();
  });

  test('sends to the queue what the API would be sent, grouped by wallet', () => {
    const { request, operation } = newUser().ready(step({ do: 'buy', amount: AMOUNT, via: 'queue' }))!;
    expect({ operation, request }).toMatchObject({
      operation: 'queue_buy',
      request: { group: 'lt:r:w:5', event: { id: 'lt:r:0', type: 'payment.requested', data: { reference: 'lt:r:0' } } },
    });
  });

  test('uses a new wallet once it is opened', () => {
    const user = newUser();
    expect(httpOf(go(user, step({ do: 'open_wallet' }))).body).toEqual({ id: 'lt:r:w:100', currency: 'EUR' });
    const topUp = go(user, step({ do: 'top_up', amount: AMOUNT }));
    expect(topUp).toMatchObject({ wallet: 100, merchant: NO_MERCHANT });
    expect(httpOf(topUp).body).toMatchObject({ source: 'world:EUR', destination: 'lt:r:w:100' });
    expect(httpOf(user.ready(step({ do: 'check_balance' }))!).path).toBe('/v1/accounts/lt:r:w:100/balance');
    expect(httpOf(user.ready(step({ do: 'list_payments' }))!)).toMatchObject({
      method: 'GET',
    });
  });

  test('thinks for some time, and never for long', () => {
    const user = newUser();
    const thinking = Array.from({ length: 5_000 }, () => user.thinkMs({ do: 'think', seconds: 2 }));
    expect(Math.max(...thinking)).toBe(10_000);
    const mean = thinking.reduce((sum, ms) => sum + ms, 0) / thinking.length;
    expect(Math.abs(mean - 2_000 * (1 - Math.exp(-5)))).toBeLessThan(100);
    expect(user.thinkMs({ do: 'think', seconds: 0 })).toBe(0);
  });
});
