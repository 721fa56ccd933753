import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { decodeAnswer, decodeWorks, encodeAnswer, encodeWorks, errorOf } from '../../src/cluster/wire.ts';
import type { Placed } from '../../src/ledger/types.ts';
import { aPayment } from '../support/commands.ts';

const amount = fc.bigInt({ min: 1n, max: 999_999_999_999_999n });

describe('what instances send each other', () => {
  test.prop([fc.array(fc.record({ amount, claimedAt: fc.nat(), reference: fc.string() }), { maxLength: 20 })])(
    'commands arrive as they were sent, amounts to the last unit',
    (sent) => {
      const works = sent.map(({ amount: units, claimedAt, reference }, n) => ({
        command: aPayment(`a${n}`, `b${n}`, units, {
          details: { reference, metadata: { amount: '1', $n: reference } },
        }),
        claimedAt,
      }));
      expect(decodeWorks(encodeWorks(works))).toEqual(works);
    },
  );

  test.prop([amount, fc.nat()])('outcomes and errors arrive as they were sent', (units, height) => {
    const posting = { account: 'a', amount: -units, currency: 'EUR', posted: -(2n ** 62n), held: 0n };
    const entry = {
      id: 'txn_1',
      key: 'k',
      kind: 'payment' as const,
      postings: [posting],
      details: { metadata: { posted: '7' } },
    };
    const placed: Placed = { entry, book: 1, height, at: 5 };
    expect(decodeAnswer(encodeAnswer({ n: 3, placed }))).toEqual({ n: 3, placed });
    const error = { n: 0, error: 'outcome_unknown' as const, message: 'who knows' };
    const read = decodeAnswer(encodeAnswer(error));
    expect('error' in read && errorOf(read)).toMatchObject({ code: 'outcome_unknown', message: 'who knows' });
  });

  test('a rejection and a part of a command arrive with their legs', () => {
    const { legs } = aPayment('a', 'b', 2n ** 40n);
    const rejection = { reason: 'insufficient_funds' as const, kind: 'payment' as const, legs };
    const span = { part: 'debit' as const, debits: [0], credits: [1], legs };
    const entry = { id: 'txn_1', key: 'k', kind: 'rejected' as const, postings: [], rejection, span, details: {} };
    const answer = { n: 0, placed: { entry, book: 0, height: 1, at: 1 } };
    expect(decodeAnswer(encodeAnswer(answer))).toEqual(answer);
  });

  const WRONG = [
    '',
    'null',
    '{}',
    '{"works": 1}',
    '{"works": [{}]}',
    '{"works": [{"claimedAt": 1, "command": {"id": "x"}}]}',
  ];
  for (const text of WRONG) {
    test(`${text || 'nothing'} is refused as commands, and as an answer`, () => {
      expect(() => decodeWorks(text)).toThrow();
      expect(() => decodeAnswer(text)).toThrow();
    });
  }

  test('an unbalanced command is refused', () => {
    const { legs, ...command } = aPayment('a', 'b', 5n);
    const unbalanced = { ...command, legs: legs.map((leg, n) => (n === 0 ? { ...leg, amount: -4n } : leg)) };
    expect(() => decodeWorks(encodeWorks([{ command: unbalanced, claimedAt: 1 }]))).toThrow();
  });
});
