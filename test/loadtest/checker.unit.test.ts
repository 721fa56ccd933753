import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MoneyCall, NO_MERCHANT, tailOf } from '../../src/loadtest/call-log.ts';
import { checkLedger } from '../../src/loadtest/checker.ts';
import { merchantId, outside, referenceOf, walletId } from '../../src/loadtest/names.ts';
import type { LedgerCheck, Outcome } from '../../src/loadtest/result.ts';
import { scenarioOf } from './support/scenario-of.ts';
import { callsOf, RUN, TinyLedger } from './support/tiny-ledger.ts';

const SCENARIO = scenarioOf({ population: { wallets: 4, funds: 1_000, merchants: 2, merchantSkew: 0 } });
const NOW = Date.now();
const BUY = { operation: 'buy', outcome: 'ok', wallet: 1, merchant: 1, amount: 100, dueAt: NOW } as const;

function check(ledger: TinyLedger, calls: readonly MoneyCall[]): Promise<LedgerCheck> {
  const options = { run: RUN, scenario: SCENARIO, calls: callsOf(calls), startedAt: NOW, settled: 0, queueStillMs: 5 };
  return checkLedger(ledger.client(), options);
}

/** A call that was carried out as it was told. */
function done(ledger: TinyLedger, call: Omit<MoneyCall, 'transaction'>): MoneyCall {
  return { ...call, transaction: tailOf(ledger.carryOut(call)) };
}

function notDone(call: Omit<MoneyCall, 'transaction'>): MoneyCall {
  return { ...call, transaction: 0 };
}

describe('a ledger that holds what was told', () => {
  test('is ok, and what was acknowledged is counted', async () => {
    const ledger = new TinyLedger(SCENARIO);
    ledger.open(4);
    const calls = [
      done(ledger, { ...BUY, call: 0 }),
      done(ledger, { ...BUY, call: 1, operation: 'refund' }),
      done(ledger, { ...BUY, call: 2, operation: 'top_up', wallet: 4, merchant: NO_MERCHANT }),
      done(ledger, { ...BUY, call: 4, operation: 'capture' }),
      done(ledger, { ...BUY, call: 5, operation: 'queue_buy' }),
      ...(['declined', 'refused', 'failed'] as const).map((outcome, index) =>
        notDone({ ...BUY, call: 6 + index, outcome }),
      ),
    ];
    expect(await check(ledger, calls)).toMatchObject({
      ...{ ok: true, acknowledged: 5, once: 5, unknown: 0, faults: [], entries: 5, accounts: 8 },
      queueMs: { max: expect.any(Number) },
    });
  });

  test.each(['buy', 'queue_buy'] as const)('is ok with a %s of unknown fate either way', async (operation) => {
    const ledger = new TinyLedger(SCENARIO);
    const unknown = { ...BUY, operation, outcome: 'unknown' } as const;
    ledger.carryOut({ ...unknown, call: 0 });
    const calls = [notDone({ ...unknown, call: 0 }), notDone({ ...unknown, call: 1 })];
    expect(await check(ledger, calls)).toMatchObject({ ok: true, faults: [], unknown: 2, acknowledged: 0 });
  });

  test('is ok when it has rejected what the queue had taken', async () => {
    const ledger = new TinyLedger(SCENARIO);
    ledger.reject(referenceOf(RUN, 0));
    const calls = [notDone({ ...BUY, call: 0, operation: 'queue_buy' })];
    expect(await check(ledger, calls)).toMatchObject({ ok: true, faults: [], acknowledged: 0, queueMs: null });
  });

  test('is ok without a trial balance, and with what others do to the outside', async () => {
    const ledger = new TinyLedger(SCENARIO);
    ledger.post(outside('EUR'), 'somebody', 5, 'theirs');
    ledger.post(outside('EUR'), 'somebody', 5, 'lt:other:0');
    ledger.hasTrialBalance = false;
    expect(await check(ledger, [])).toMatchObject({ ok: true, entries: 0 });
  });
});

describe('a fault is named', () => {
  const OK = { ...BUY, call: 0 };
  const NAME = referenceOf(RUN, 0);
  const WALLET = walletId(RUN, 1);

  test.each<[string, (ledger: TinyLedger) => MoneyCall[], string]>([
    ['lost', () => [notDone(OK)], `${NAME} (buy of 100) was acknowledged and is not in the ledger`],
    [
      'doubled',
      (ledger) => {
        ledger.carryOut(OK);
        return [done(ledger, OK)];
      },
      `${NAME} (buy) is in the ledger more than once`,
    ],
    [
      'of another amount',
      (ledger) => [{ ...OK, transaction: tailOf(ledger.carryOut(OK, { amount: 101 })) }],
      `${NAME} (buy) is in the ledger with 101 instead of 100`,
    ],
    [
      'to another merchant',
      (ledger) => [{ ...OK, transaction: tailOf(ledger.carryOut(OK, { merchant: 0 })) }],
      `${NAME} (buy) is in the statement of an account that it is not about`,
    ],
    [
      'from another wallet',
      (ledger) => [{ ...OK, transaction: tailOf(ledger.carryOut(OK, { wallet: 2 })) }],
      `${WALLET} holds 1000; by what was acknowledged it must hold 900`,
    ],
    [
      'from another wallet, through the queue',
      (ledger) => {
        ledger.carryOut(OK, { wallet: 2 });
        return [notDone({ ...OK, operation: 'queue_buy' })];
      },
      `${WALLET} holds 1000; by what was acknowledged it must hold 900`,
    ],
    [
      'from nobody, though its fate was unknown',
      (ledger) => {
        ledger.carryOut(OK);
        ledger.change(WALLET, 100);
        return [notDone({ ...OK, outcome: 'unknown' })];
      },
      `${WALLET} holds 1000; by what was acknowledged it must hold 900`,
    ],
    [
      'another transaction than was told',
      (ledger) => [{ ...done(ledger, OK), transaction: 7 }],
      'which is not what was answered',
    ],
    [
      'lost in the queue',
      () => [notDone({ ...OK, operation: 'queue_buy' })],
      `${NAME} (queue_buy of 100) was acknowledged and is not in the ledger`,
    ],
    [
      'of nobody',
      (ledger) => {
        ledger.carryOut({ ...OK, call: 99 });
        return [done(ledger, OK)];
      },
      `${referenceOf(RUN, 99)} is in the statement of ${merchantId(RUN, 1)}, and nobody has sent it`,
    ],
    [
      'of nobody, without a reference',
      (ledger) => {
        ledger.post(WALLET, merchantId(RUN, 0), 5, null);
        return [];
      },
      `${merchantId(RUN, 0)} has an entry of`,
    ],
    [
      'a balance that is one off',
      (ledger) => {
        ledger.change(WALLET, 1);
        return [done(ledger, OK)];
      },
      `${WALLET} holds 901; by what was acknowledged it must hold 900`,
    ],
    [
      'money from nowhere',
      (ledger) => {
        ledger.change('somebody', 3);
        return [];
      },
      'all accounts of EUR sum to 3 instead of 0',
    ],
    [
      'an account that is gone',
      () => [notDone({ ...OK, wallet: 77, outcome: 'unknown' })],
      `${walletId(RUN, 77)} was opened and is not there`,
    ],
  ])('%s', async (_, planted, fault) => {
    const ledger = new TinyLedger(SCENARIO);
    const { ok, faults } = await check(ledger, planted(ledger));
    expect(ok).toBe(false);
    expect(faults.join('\n')).toContain(fault);
  });

  test.each<Outcome>(['refused', 'declined', 'failed'])('a payment that is there though it was %s', async (outcome) => {
    const ledger = new TinyLedger(SCENARIO);
    const { ok, faults } = await check(ledger, [done(ledger, { ...OK, outcome })]);
    expect(ok).toBe(false);
    expect(faults[0]).toBe(`${NAME} (buy) was ${outcome} and is in the ledger all the same`);
  });

  test('a hundred times at most', async () => {
    const calls = Array.from({ length: 300 }, (_, call) => notDone({ ...BUY, call }));
    const { ok, faults, once } = await check(new TinyLedger(SCENARIO), calls);
    expect({ ok, once, faults: faults.length }).toEqual({ ok: false, once: 0, faults: 100 });
  });
});

describe('random calls', () => {
  const FAULTS = ['lost', 'doubled', 'amount', 'merchant', 'wallet', 'refused', 'transaction', 'balance'] as const;
  const sent = fc.record({
    operation: fc.constantFrom('top_up', 'buy', 'queue_buy', 'capture', 'refund' as const),
    outcome: fc.constantFrom<Outcome[]>('ok', 'ok', 'ok', 'declined', 'refused', 'failed', 'unknown'),
    wallet: fc.nat(3),
    merchant: fc.nat(1),
    amount: fc.integer({ min: 1, max: 500 }),
    /** Of what nobody knows, and of what the queue has taken: whether the ledger did it. */
    isDone: fc.boolean(),
  });
  type Sent = typeof sent extends fc.Arbitrary<infer One> ? One : never;

  function callOf({ isDone: _, ...one }: Sent, call: number): Omit<MoneyCall, 'transaction'> {
    return { ...one, call, merchant: one.operation === 'top_up' ? NO_MERCHANT : one.merchant, dueAt: NOW };
  }

  function happens({ outcome, operation, isDone }: Sent): boolean {
    return outcome === 'unknown' || (outcome === 'ok' && operation === 'queue_buy') ? isDone : outcome === 'ok';
  }

  /** What becomes of the call that the fault is about. */
  function breakOne(
    ledger: TinyLedger,
    call: Omit<MoneyCall, 'transaction'>,
    fault: (typeof FAULTS)[number],
  ): MoneyCall {
    const merchant = call.merchant === NO_MERCHANT ? 0 : 1 - call.merchant;
    switch (fault) {
      case 'lost':
        return notDone({ ...call, outcome: 'ok' });
      case 'doubled':
        ledger.carryOut(call);
        return done(ledger, call);
      case 'amount':
        return { ...call, transaction: tailOf(ledger.carryOut(call, { amount: call.amount + 1 })) };
      case 'merchant':
        return { ...call, transaction: tailOf(ledger.carryOut(call, { merchant })) };
      case 'wallet':
        return { ...call, transaction: tailOf(ledger.carryOut(call, { wallet: (call.wallet + 1) % 4 })) };
      case 'refused':
        return done(ledger, { ...call, outcome: 'refused' });
      case 'transaction':
        return { ...call, outcome: 'ok', transaction: (tailOf(ledger.carryOut(call)) ^ 1) >>> 0 || 2 };
      case 'balance':
        ledger.change(walletId(RUN, call.wallet), 10_000);
        return done(ledger, { ...call, outcome: 'ok' });
    }
  }

  test('are found to be right if and only if there is no fault', async () => {
    const fault = fc.option(fc.record({ at: fc.nat(), kind: fc.constantFrom(...FAULTS) }));
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 25 }), fault, async (all, planted) => {
        const ledger = new TinyLedger(SCENARIO);
        const broken = planted === null ? -1 : planted.at % all.length;
        // A purse that may or may not have been paid from could hide that another paid instead.
        const certain = all.map((one) => (planted === null ? one : { ...one, isDone: true }));
        const calls = certain.map((one, number) => {
          const call = callOf(one, number);
          if (number === broken) return breakOne(ledger, { ...call, outcome: 'ok' }, planted!.kind);
          if (happens(one)) return done(ledger, call);
          if (one.outcome === 'ok') ledger.reject(referenceOf(RUN, number));
          return notDone(call);
        });
        const { ok, faults } = await check(ledger, calls);
        expect({ ok, named: faults.length > 0 }).toEqual({ ok: planted === null, named: planted !== null });
      }),
      { numRuns: 150 },
    );
  });
});
