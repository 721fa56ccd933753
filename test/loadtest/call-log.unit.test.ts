import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CallLog, type MoneyCall, MoneyCalls, NO_MERCHANT, tailOf } from '../../src/loadtest/call-log.ts';
import { callOf, referenceOf } from '../../src/loadtest/names.ts';
import { OUTCOMES } from '../../src/loadtest/result.ts';
import { OPERATIONS } from '../../src/loadtest/scenario.ts';

const BYTES_A_CALL = 4 + 1 + 1 + 4 + 2 + 4 + 4 + 8;
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const calls: fc.Arbitrary<MoneyCall> = fc.record({
  call: fc.nat(5_000),
  operation: fc.constantFrom(...OPERATIONS),
  outcome: fc.constantFrom(...OUTCOMES),
  wallet: u32,
  merchant: fc.oneof(fc.nat(9_999), fc.constant(NO_MERCHANT)),
  amount: fc.integer({ min: 0, max: 1_000_000_000 }),
  transaction: u32,
  dueAt: fc.double({ min: 1.7e12, max: 2e12, noNaN: true }),
});

describe('calls of a run', () => {
  test('are found by their number as they were last told', () => {
    fc.assert(
      fc.property(fc.array(fc.array(calls, { maxLength: 40 }), { maxLength: 5 }), (batches) => {
        const [log, all] = [new CallLog(), new MoneyCalls()];
        const wanted = new Map<number, MoneyCall>();
        for (const batch of batches) {
          for (const one of batch) {
            log.add(one);
            wanted.set(one.call, one);
          }
          const taken = log.take();
          if (taken === null) expect(batch).toHaveLength(0);
          else all.add(structuredClone(taken));
        }
        expect([...all]).toEqual([...wanted.values()].sort((a, b) => a.call - b.call));
        expect(all.end).toBe(Math.max(-1, ...wanted.keys()) + 1);
        expect(all.get(all.end)).toBeNull();
      }),
      { numRuns: 30 },
    );
  });

  test('are kept in little more than the bytes of their columns', () => {
    const [log, all] = [new CallLog(), new MoneyCalls()];
    const before = process.memoryUsage();
    const one = {
      operation: 'buy',
      outcome: 'ok',
      wallet: 1,
      merchant: 2,
      amount: 3,
      transaction: 4,
      dueAt: 5,
    } as const;
    for (let call = 0; call < 200_000; call++) {
      log.add({ ...one, call });
      if (call % 20_000 === 19_999) all.add(log.take()!);
    }
    const bytes = process.memoryUsage().arrayBuffers - before.arrayBuffers;
    // Room is doubled, and what was there before may not be collected yet.
    expect(bytes).toBeLessThan(8 * 200_000 * BYTES_A_CALL);
    expect(all.get(199_999)).toEqual({ ...one, call: 199_999 });
  });
});

describe('names of calls', () => {
  test('are those of their numbers', () => {
    fc.assert(fc.property(u32, (call) => callOf('abc', referenceOf('abc', call)) === call));
  });

  test.each([
    null,
    '',
    'lt:abc:',
    'lt:abc:x',
    'lt:abc:-1',
    'lt:abc:1.5',
    'lt:abc:1e3',
    'lt:abc:0x10',
    'lt:abc: 7',
    'lt:ab:7',
    'lt:abcd:7',
    'lt:abc:w:7',
    'lt:abc:99999999999999999999',
  ])('are not %j', (reference) => {
    expect(callOf('abc', reference)).toBeNull();
  });

  test('keep of a transaction what is random in it', () => {
    expect(tailOf('0192f0c1-7a5e-7000-8000-0123deadbeef')).toBe(0xdeadbeef);
  });
});
