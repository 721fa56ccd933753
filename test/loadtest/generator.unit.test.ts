import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { merged } from '../../src/loadtest/distribution.ts';
import { bucketOf, OUTCOMES } from '../../src/loadtest/result.ts';
import { validityOf } from '../../src/loadtest/validity.ts';
import { type Carried, carryOut, planOf } from './support/generators.ts';
import { answer, Crowd, paying, startServer } from './support/local-server.ts';

/** Calls that took at least so long, from when they were due. */
function slowerThan({ tally }: Carried, ms: number): number {
  const slow = merged(tally.timeline().map(({ latencies }) => latencies)).filter(
    ([bucket]) => bucket >= bucketOf(1000 * ms),
  );
  return slow.reduce((sum, [, calls]) => sum + calls, 0);
}

const SHORT = { kind: 'constant', perSecond: 100, seconds: 0.6 } as const;

function totalOf({ counts }: Pick<Carried, 'counts'>): number {
  return OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0);
}

describe('a service that stands still for a second', () => {
  const STILL_MS = 1_000;

  /** Answers at once, but from half a second after the first request on not for a second. */
  function stalling() {
    let from: number | null = null;
    return paying(async () => {
      from ??= performance.now() + 500;
      const since = performance.now() - from;
      await sleep(since >= 0 && since < STILL_MS ? STILL_MS - since : 5);
    });
  }

  test('is seen by all that were due meanwhile', async () => {
    const { address } = await startServer(stalling());
    const profile = { kind: 'constant', perSecond: 100, seconds: 2 } as const;
    const open = await carryOut([planOf(address, { scenario: { profile } })]);
    expect(totalOf(open)).toBe(200);
    // Half of those that were due within the second waited for more than half of it; a slow machine adds to them.
    expect(slowerThan(open, STILL_MS / 2)).toBeGreaterThanOrEqual(45);
    expect(open.latencyMs!.p50).toBeGreaterThanOrEqual(4);
    expect(open.latencyMs!.p90).toBeGreaterThanOrEqual(740);
    expect(open.latencyMs!.p99).toBeGreaterThanOrEqual(930);
  });

  test('is hidden from users who wait, which is why they are not to be believed about latency', async () => {
    const { address } = await startServer(stalling());
    const closed = await carryOut([
      planOf(address, { scenario: { profile: { kind: 'closed', users: 1, seconds: 3 } } }),
    ]);
    expect(totalOf(closed)).toBeGreaterThan(10);
    expect(slowerThan(closed, STILL_MS / 2)).toBeLessThan(0.15 * totalOf(closed));
  });
});

describe('a service that never answers', () => {
  test('is not sent more than may be unanswered; the rest is held back, and its end is bounded', async () => {
    const crowd = new Crowd();
    const { address } = await startServer((_, response) => crowd.enter(response));
    const profile = { kind: 'constant', perSecond: 200, seconds: 1 } as const;
    const limits = { outstandingMax: 15, timeoutMs: 400, drainMs: 300, settleMs: 300 };
    const run = await carryOut([planOf(address, { scenario: { profile }, ...limits })]);
    expect(crowd.most).toBeLessThanOrEqual(16);
    expect(run.counts.held_back).toBeGreaterThan(0);
    // Without a connection in time a call was not sent.
    expect(run.counts.unknown + run.counts.refused + run.counts.held_back).toBe(200);
    expect(run.journeys).toEqual({ begun: 200, ended: 0, brokenOff: 200 });
    expect(run.tally.calls.end).toBeGreaterThan(0);
    for (const { outcome } of run.tally.calls) expect(['unknown', 'refused']).toContain(outcome);
    expect(run.ended[0]!.settled).toBe(0);
  });
});

describe('calls of unknown fate', () => {
  test.each([
    [201, { id: 'p', last_transaction_id: '0192f0c1-7a5e-7000-8000-0000000000ff' }, 'ok'],
    [422, { code: 'insufficient_funds' }, 'declined'],
  ] as const)('are sent again with the same key until one is answered %i', async (status, body, outcome) => {
    const tries = new Map<string, number>();
    const { address } = await startServer((request, response) => {
      const key = String(request.headers['idempotency-key']);
      const before = tries.get(key) ?? 0;
      tries.set(key, before + 1);
      if (before === 0) request.socket.resetAndDestroy();
      else if (before === 1) answer(response, 503, { code: 'overloaded' });
      else answer(response, status, body);
    });
    const profile = { kind: 'constant', perSecond: 40, seconds: 0.5 } as const;
    const run = await carryOut([planOf(address, { scenario: { profile }, settleMs: 30_000 })]);
    expect(run.counts).toMatchObject({ ok: 0, unknown: 20 });
    expect(run.ended[0]!.settled).toBe(20);
    const calls = [...run.tally.calls];
    expect(calls).toHaveLength(20);
    for (const call of calls) expect(call.outcome).toBe(outcome);
    expect([...tries.values()]).toEqual(new Array(20).fill(3));
  });
});

describe('a generator', () => {
  test('that stood still itself says that its run is not valid', async () => {
    const { address } = await startServer(paying());
    const profile = { kind: 'constant', perSecond: 100, seconds: 2 } as const;
    const run = await carryOut([planOf(address, { scenario: { profile } })], () => {
      setTimeout(() => {
        for (const from = performance.now(); performance.now() < from + 1_300; );
      }, 500);
    });
    const { tally, latencyMs } = run;
    const { valid, reasons } = validityOf({
      ...{ lagMs: tally.lagMs(), latencyMs, timeline: tally.timeline(), series: tally.generatorSeries() },
    });
    expect(tally.lagMs().max).toBeGreaterThan(1_000);
    expect(valid).toBe(false);
    expect(reasons.length).toBeGreaterThan(0);
  });

  test('that cannot keep up still lets answers and its end in', async () => {
    let stop = () => {};
    let asked = 0;
    // More than may be unanswered: some were answered before.
    const { address } = await startServer(
      paying(async () => {
        if (++asked > 110) stop();
      }),
    );
    const profile = { kind: 'constant', perSecond: 1_000_000, seconds: 10 } as const;
    const limits = { outstandingMax: 50, settleMs: 100 };
    const run = await carryOut([planOf(address, { scenario: { profile }, ...limits })], ([generator]) => {
      stop = () => generator!.stop();
    });
    expect(run.journeys.begun).toBeLessThan(10_000_000);
    expect(run.counts.ok).toBeGreaterThan(50);
    expect(totalOf(run)).toBe(run.journeys.begun);
  });

  test('does not send users back at once who were turned away', async () => {
    const scenario = { profile: { kind: 'closed', users: 2, seconds: 0.5 } as const };
    const run = await carryOut([planOf('http://127.0.0.1:1', { scenario, settleMs: 100 })]);
    expect(run.counts.refused).toBeGreaterThanOrEqual(2);
    expect(run.counts.refused).toBeLessThanOrEqual(12);
  });

  test('that is told to stop before its time sends nothing', async () => {
    const crowd = new Crowd();
    const { address } = await startServer((_, response) => crowd.enter(response));
    const run = await carryOut([planOf(address)], ([generator]) => generator!.stop());
    expect(run.journeys).toEqual({ begun: 0, ended: 0, brokenOff: 0 });
    expect(crowd.all).toBe(0);
  });

  test('counts journeys whose users still think at the end as broken off', async () => {
    const { address } = await startServer(paying());
    const buy = { do: 'buy', amount: { from: 1, to: 9 } } as const;
    const scenario = {
      journeys: [{ name: 'slow', weight: 1, steps: [buy, { do: 'think', seconds: 60 } as const, buy] }],
      profile: { kind: 'constant', perSecond: 60, seconds: 0.5 } as const,
    };
    const run = await carryOut([planOf(address, { scenario, drainMs: 100 })]);
    const { begun, ended, brokenOff } = run.journeys;
    expect(begun).toBe(30);
    expect(ended + brokenOff).toBe(30);
    expect(brokenOff).toBeGreaterThan(20);
  });

  test('and others of a run never use the same key, nor open the same wallet', async () => {
    const [keys, wallets] = [[] as string[], [] as string[]];
    const { address } = await startServer((request, response) => {
      keys.push(String(request.headers['idempotency-key']));
      request.setEncoding('utf8').on('data', (body: string) => wallets.push(JSON.parse(body).id));
      request.on('end', () => answer(response, 201, { id: 'a' }));
    });
    const scenario = {
      journeys: [{ name: 'open', weight: 1, steps: [{ do: 'open_wallet' } as const] }],
      profile: SHORT,
    };
    const startAt = Date.now() + 50;
    const run = await carryOut([0, 1, 2].map((index) => planOf(address, { scenario, index, of: 3, startAt })));
    expect(run.counts.ok).toBe(60);
    expect(new Set(keys).size).toBe(60);
    expect(new Set(wallets).size).toBe(60);
    for (const wallet of wallets) expect(Number(wallet.split(':').at(-1))).toBeGreaterThanOrEqual(20);
  });

  test('with the same seed sends the same users', async () => {
    const sent = async () => {
      const bodies: string[] = [];
      const { address } = await startServer((request, response) => {
        request.setEncoding('utf8').on('data', (body: string) => bodies.push(body));
        request.on('end', () => answer(response, 201, { id: 'a' }));
      });
      await carryOut([planOf(address, { seed: 42, scenario: { profile: SHORT } })]);
      return bodies.sort();
    };
    expect(await sent()).toEqual(await sent());
  });
});

test('seconds, operations and calls of a run agree with each other', async () => {
  let turn = 0;
  const { address } = await startServer((request, response) => {
    const kinds = [201, 201, 201, 422, 401, 503] as const;
    const status = kinds[turn++ % kinds.length]!;
    if (turn % 17 === 0) request.socket.resetAndDestroy();
    else
      answer(
        response,
        status,
        status === 201 ? { id: 'x' } : { code: status === 422 ? 'insufficient_funds' : 'overloaded' },
      );
  });
  const amount = { from: 100, to: 200 };
  const steps = [{ do: 'check_balance' }, { do: 'buy', amount }, { do: 'refund' }] as const;
  const scenario = {
    journeys: [{ name: 'mixed', weight: 1, steps: [...steps] }],
    arrivals: 'poisson' as const,
    profile: SHORT,
  };
  const startAt = Date.now() + 50;
  const run = await carryOut(
    [0, 1].map((index) => planOf(address, { scenario, index, of: 2, startAt, settleMs: 200 })),
  );
  const timeline = run.tally.timeline();
  for (const outcome of OUTCOMES) {
    expect(timeline.reduce((sum, { counts }) => sum + counts[outcome], 0)).toBe(run.counts[outcome]);
  }
  expect(timeline.reduce((sum, { arrivals }) => sum + arrivals, 0)).toBe(run.journeys.begun);
  const money = run.operations.filter(({ operation }) => operation === 'buy' || operation === 'refund');
  const calls = money.reduce((sum, one) => sum + totalOf(one), 0);
  expect([...run.tally.calls]).toHaveLength(calls);
});
