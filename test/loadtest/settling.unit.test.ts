import { describe, expect, test } from 'vitest';
import { NO_MERCHANT } from '../../src/loadtest/call-log.ts';
import type { Told } from '../../src/loadtest/outcome.ts';
import type { Outcome } from '../../src/loadtest/result.ts';
import { Settling } from '../../src/loadtest/settling.ts';
import type { ReadyCall } from '../../src/loadtest/user.ts';

function call(number: number): ReadyCall {
  const http = { method: 'POST', path: '/', idempotencyKey: `lt:x:${number}` } as const;
  return { call: number, operation: 'buy', wallet: 0, merchant: NO_MERCHANT, amount: 1, request: { http } };
}

/** Answers each call with one outcome after the other, the last of them for ever. */
function answering(outcomes: readonly Outcome[]) {
  const tries = new Map<number, ReadyCall[]>();
  const send = async (one: ReadyCall): Promise<Told> => {
    const before = tries.get(one.call) ?? [];
    tries.set(one.call, [...before, one]);
    return { outcome: outcomes[Math.min(before.length, outcomes.length - 1)]!, answer: '', body: null };
  };
  return { tries, send };
}

async function settle(outcomes: readonly Outcome[], count: number, ms = 20_000) {
  const { tries, send } = answering(outcomes);
  const settled: [number, Outcome][] = [];
  const calls = Array.from({ length: count }, (_, number) => call(number));
  await new Settling(send, ms).run(calls, (one, { outcome }) => settled.push([one.call, outcome]));
  return { tries, calls, settled };
}

describe('settling', () => {
  test.each<Outcome>(['ok', 'declined'])('ends with %s, once for each call', async (outcome) => {
    const { settled } = await settle([outcome], 50);
    expect(settled.map(([number]) => number).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, at) => at));
    expect(new Set(settled.map(([, one]) => one))).toEqual(new Set([outcome]));
  });

  test('sends the same call again until it is known', async () => {
    const { tries, calls, settled } = await settle(['unknown', 'refused', 'ok'], 3);
    for (const one of calls) expect(tries.get(one.call)).toEqual([one, one, one]);
    expect(settled).toHaveLength(3);
  });

  test.each<Outcome>(['refused', 'failed', 'unknown'])(
    'does not take %s for an answer, and ends when its time is up',
    async (outcome) => {
      const { tries, settled } = await settle([outcome], 40, 150);
      expect(settled).toEqual([]);
      expect(tries.get(0)!.length).toBeGreaterThan(0);
    },
  );
});
