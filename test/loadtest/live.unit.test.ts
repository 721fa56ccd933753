import { describe, expect, test } from 'vitest';
import { Live, sparks } from '../../src/loadtest/live.ts';
import type { SecondResult } from '../../src/loadtest/result.ts';

const COUNTS = { ok: 1_234, declined: 1, refused: 2, failed: 0, unknown: 1, held_back: 0 };

function screenOf(terminal: { isTTY?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  return { ...terminal, written, write: (text: string) => written.push(text) };
}

function second(at: number, p99 = 12.3): SecondResult {
  const latencyMs = { p50: 4, p90: 9, p99, p999: 40, max: 50 };
  const lagMs = { p50: 0.1, p99: 0.5, max: 1 };
  return { at, arrivals: 100, counts: COUNTS, latencyMs, latencies: [], lagMs, outstanding: 7 };
}

/** What stands on the last line of a terminal. */
function shown(written: readonly string[]): string {
  return written.at(-1)!.replace('\r\x1b[K', '');
}

describe('without a terminal', () => {
  test('a line is written every ten seconds and at the end, without control characters', () => {
    const screen = screenOf();
    const live = new Live(screen);
    live.population({ phase: 'accounts', done: 1, of: 2 });
    for (let at = 0; at < 25; at++) live.second(second(at), 25);
    live.phase('draining', 3);
    live.check({ phase: 'statements', done: 5, of: null });
    live.end();
    expect(screen.written.map((line) => line.match(/(\d+)\/25 s/)?.[1])).toEqual(['10', '20', '25']);
    for (const control of ['\r', '\x1b']) expect(screen.written.join('')).not.toContain(control);
    expect(screen.written[0]).toBe(
      '[########------------] 10/25 s  100 users/s  1,235 answers/s  p50 4.0 ms p99 12 ms  errors 3  outstanding 7  lag 0.5 ms\n',
    );
  });

  test('a second without answers says so', () => {
    const screen = screenOf();
    new Live(screen).second({ ...second(0), latencyMs: null }, 1);
    expect(screen.written[0]).toContain('no answers');
  });
});

describe('on a terminal', () => {
  test('one line is written over, and what is said stays', () => {
    const screen = screenOf({ isTTY: true, columns: 200 });
    const live = new Live(screen);
    for (let at = 0; at < 3; at++) live.second(second(at, 10 * 2 ** at), 3);
    expect(shown(screen.written)).toMatch(/3\/3 s .* p99 ▁▂▃$/u);
    live.say('Ending.');
    expect(screen.written.slice(-2)).toEqual(['\r\x1b[K', 'Ending.\n']);
    live.second(second(0), 3);
    expect(shown(screen.written)).toMatch(/p99 ▁$/u);
  });

  test.each([1, 2, 20, 80, 500])('of %i columns no line is broken', (columns) => {
    const screen = screenOf({ isTTY: true, columns });
    const live = new Live(screen);
    for (let at = 0; at < 60; at++) live.second(second(at), 60);
    for (const line of screen.written) expect(line.replace('\r\x1b[K', '').length).toBeLessThan(columns);
  });

  test.each([0, undefined])('that says it has %s columns has 80', (columns) => {
    const screen = screenOf({ isTTY: true, ...(columns === undefined ? {} : { columns }) });
    new Live(screen).second(second(0), 60);
    expect(shown(screen.written)).toHaveLength(79);
  });

  test('progress is not drawn more often than it can be read', () => {
    const screen = screenOf({ isTTY: true, columns: 100 });
    const live = new Live(screen);
    for (let done = 0; done < 10_000; done++) live.population({ phase: 'funds', done, of: 10_000 });
    expect(screen.written.length).toBeLessThan(100);
    expect(screen.written[0]).toContain('filling wallets: 0 of 10,000');
  });

  test('nothing is said of waiting for nothing', () => {
    const screen = screenOf({ isTTY: true });
    new Live(screen).phase('settling', 0);
    expect(screen.written).toEqual([]);
  });
});

describe('sparks', () => {
  test.each([
    [[], ''],
    [[0, 0], '▁▁'],
    [[5, 10, 20, 0], '▁▂▃▁'],
    [[1, 1e9], '▁█'],
  ])('of %j are %s', (values, wanted) => {
    expect(sparks(values)).toBe(wanted);
  });
});
