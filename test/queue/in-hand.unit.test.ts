import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InHand } from '../../src/queue/in-hand.ts';
import type { Received } from '../../src/queue/message.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const message = { messageId: 'm', body: 'four' } as Received;

/** Renewals of a visibility of 8 s, looked at each second: when each was asked for, answered by hand. */
function underTest() {
  const asked: number[] = [];
  const answers: ((isHidden: boolean) => void)[] = [];
  const hide = () => {
    asked.push(performance.now());
    return new Promise<boolean>((resolve) => answers.push(resolve));
  };
  const inHand = new InHand(8, hide);
  const from = performance.now();
  inHand.add(message, from);
  return { inHand, answers, seconds: () => asked.map((at) => Math.round((at - from) / 1000)) };
}

test('a message in hand is hidden anew at half of its time, again and again', async () => {
  const { answers, seconds, inHand } = underTest();
  for (let second = 0; second < 13; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    for (const answer of answers.splice(0)) answer(true);
  }
  expect(seconds()).toEqual([4, 8, 12]);
  expect([inHand.count, inHand.bytes]).toEqual([1, 4]);
  inHand.remove(message);
  expect([inHand.count, inHand.bytes]).toEqual([0, 0]);
  inHand.letGo();
});

test('a renewal that fails is made again a moment later, and never two at once', async () => {
  const { answers, seconds, inHand } = underTest();
  await vi.advanceTimersByTimeAsync(5_500);
  expect(seconds()).toEqual([4]);
  answers.shift()!(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seconds()).toEqual([4, 6]);
  inHand.letGo();
});

test('what is said of a message comes after its last renewal', async () => {
  const { answers, seconds, inHand } = underTest();
  await vi.advanceTimersByTimeAsync(4_000);
  let hasEnded = false;
  void inHand.end(message).then(() => {
    hasEnded = true;
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(hasEnded).toBe(false);
  answers.shift()!(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([hasEnded, seconds()]).toEqual([true, [4]]);
  inHand.letGo();
});
