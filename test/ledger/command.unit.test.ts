import { describe, expect, it } from 'vitest';
import { checkCommand } from '../../src/ledger/command.ts';
import { AMOUNT_MAX, type Command, LEGS_MAX, type Leg } from '../../src/ledger/types.ts';
import { aPayment } from '../support/commands.ts';

const leg = (account: string, amount: bigint, currency = 'EUR'): Leg => ({ account, amount, currency });
const withLegs = (...legs: Leg[]): Command => aPayment('a', 'b', 1n, { kind: 'transaction', legs });

describe('a command', () => {
  it.each<[string, Command]>([
    ['of two legs', aPayment('a', 'b', 1n)],
    ['of the largest amount', aPayment('a', 'b', AMOUNT_MAX)],
    ['of three legs', withLegs(leg('a', -3n), leg('b', 1n), leg('c', 2n))],
    ['in two currencies', withLegs(leg('a', -3n), leg('x', 3n), leg('y', -9n, 'NOK'), leg('b', 9n, 'NOK'))],
    ['of the most legs', withLegs(...Array.from({ length: LEGS_MAX }, (_, i) => leg(`a${i}`, i % 2 ? 1n : -1n)))],
  ])('%s is accepted', (_, command) => {
    expect(() => checkCommand(command)).not.toThrow();
  });

  it.each<[string, Command, string, number | undefined]>([
    ['without legs', withLegs(), 'at least two', undefined],
    ['of one leg', withLegs(leg('a', 1n)), 'at least two', undefined],
    [
      'of too many legs',
      withLegs(...Array.from({ length: LEGS_MAX + 1 }, (_, i) => leg(`a${i}`, 1n))),
      'at most',
      undefined,
    ],
    ['of a zero amount', withLegs(leg('a', 0n), leg('b', 0n)), 'not be zero', 0],
    ['of too large an amount', aPayment('a', 'b', AMOUNT_MAX + 1n), 'at most', 0],
    ['of the same account twice', withLegs(leg('a', -1n), leg('a', 1n)), 'twice', 1],
    ['of the same account twice among three', withLegs(leg('a', -2n), leg('b', 1n), leg('a', 1n)), 'twice', 2],
    ['that does not sum to zero', withLegs(leg('a', -1n), leg('b', 2n)), 'sum to zero', undefined],
    ['that only sums to zero over currencies', withLegs(leg('a', -1n), leg('b', 1n, 'NOK')), 'sum to zero', undefined],
    ['without a key', aPayment('a', 'b', 1n, { key: '' }), 'key', undefined],
  ])('%s is refused', (_, command, message, at) => {
    const error = expect.objectContaining({
      code: 'invalid_command',
      message: expect.stringContaining(message),
      where: at === undefined ? {} : expect.objectContaining({ leg: at }),
    });
    expect(() => checkCommand(command)).toThrow(error);
  });
});
