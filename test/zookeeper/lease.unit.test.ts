import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { HEARTBEATS_PER_TIMEOUT, Lease } from '../../src/zookeeper/lease.ts';

const TIMEOUT_MS = 800;
const HEARTBEAT_MS = TIMEOUT_MS / HEARTBEATS_PER_TIMEOUT;
const RUN_MS = 5 * TIMEOUT_MS;

const at = (ms: number) => ({ monotonicMs: ms, wallMs: ms });

/** How a client, its follower and the leader live together. Delays are taken in turn, again and again. */
interface World {
  /** Between two pings of the leader to its followers. */
  readonly pingEveryMs: number;
  readonly pingPhaseMs: number;
  readonly delays: readonly number[];
}

/** An answered heartbeat: for how long the client and the leader count on the session then. */
interface Count {
  readonly answeredAtMs: number;
  readonly certainUntilMs: number;
  readonly endsAtMs: number;
}

/**
 * A client whose server follows a leader, as ZooKeeper does it: the follower notes that it heard of the client, passes
 * heartbeats on, and names its clients when the leader pings it; only then the leader begins their time anew. Each way
 * keeps its order.
 */
function live({ pingEveryMs, pingPhaseMs, delays }: World): Count[] {
  const events: { atMs: number; number: number; happen: (nowMs: number) => void }[] = [];
  let [number, taken] = [0, 0];
  const schedule = (atMs: number, happen: (nowMs: number) => void) => events.push({ atMs, number: number++, happen });
  /** A way that keeps the order of what is sent along it. */
  const way = () => {
    let lastMs = 0;
    return (nowMs: number, arrive: (nowMs: number) => void) => {
      lastMs = Math.max(lastMs, nowMs + delays[taken++ % delays.length]!);
      schedule(lastMs, arrive);
    };
  };
  const [toFollower, toClient, up, down] = [way(), way(), way(), way()];
  const lease = new Lease();
  const counts: Count[] = [];
  let [isNoted, heardAtMs] = [false, 0];
  let waitingSinceMs: number | null = null;
  let isLeft = false;

  lease.connected(at(0), TIMEOUT_MS);
  const answered = (nowMs: number, sentMs: number) => {
    waitingSinceMs = null;
    lease.answered(at(sentMs));
    const certainUntilMs = nowMs + lease.certainForMs(at(nowMs));
    counts.push({ answeredAtMs: nowMs, certainUntilMs, endsAtMs: heardAtMs + TIMEOUT_MS });
    schedule(Math.max(nowMs, sentMs + HEARTBEAT_MS), beat);
  };
  const beat = (sentMs: number) => {
    waitingSinceMs = sentMs;
    // The client leaves a connection that is silent for so long, and begins anew.
    schedule(sentMs + TIMEOUT_MS / 4, () => {
      if (waitingSinceMs === sentMs) isLeft = true;
    });
    toFollower(sentMs, (followerMs) => {
      isNoted = true;
      up(followerMs, (leaderMs) => {
        down(leaderMs, (backMs) => toClient(backMs, (answeredMs) => answered(answeredMs, sentMs)));
      });
    });
  };
  const ping = (nowMs: number) => {
    schedule(nowMs + pingEveryMs, ping);
    down(nowMs, (followerMs) => {
      const names = isNoted;
      isNoted = false;
      up(followerMs, (leaderMs) => {
        if (names) heardAtMs = leaderMs;
      });
    });
  };
  schedule(0, beat);
  schedule(pingPhaseMs, ping);
  for (;;) {
    events.sort((a, b) => a.atMs - b.atMs || a.number - b.number);
    const next = events.shift()!;
    if (next.atMs > RUN_MS || isLeft) return counts;
    next.happen(next.atMs);
  }
}

const worlds = (pingEveryMs: number): fc.Arbitrary<World> =>
  fc.record({
    pingEveryMs: fc.constant(pingEveryMs),
    pingPhaseMs: fc.integer({ min: 0, max: pingEveryMs }),
    // Mostly hardly any; now and then longer ones.
    delays: fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: TIMEOUT_MS / 8 }) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: TIMEOUT_MS / 4 }) },
      ),
      { minLength: 1, maxLength: 60 },
    ),
  });

/** Found by search: where a lease that counts from one heartbeat later outlives the session. */
const CLOSE_CALLS: readonly World[] = [
  { pingEveryMs: 133, pingPhaseMs: 16, delays: [8, 19, 1, 1, 1, 1, 95, 1, 1, 1, 6, 1, 1, 1] },
  { pingEveryMs: 200, pingPhaseMs: 1, delays: [23, 63, 1, 1, 1, 43, 1] },
];

describe('a lease', () => {
  // Half a tick, in sessions of four ticks, of three and of two, which are the shortest.
  for (const pingEveryMs of [TIMEOUT_MS / 8, Math.floor(TIMEOUT_MS / 6), TIMEOUT_MS / 4]) {
    const examples = CLOSE_CALLS.filter((world) => world.pingEveryMs === pingEveryMs).map((world): [World] => [world]);
    test.prop([worlds(pingEveryMs)], { numRuns: 300, examples })(
      `is over before the leader ends the session, which asks its followers every ${pingEveryMs} of ${TIMEOUT_MS} ms`,
      (world) => {
        for (const { certainUntilMs, endsAtMs } of live(world)) expect(certainUntilMs).toBeLessThanOrEqual(endsAtMs);
      },
    );
  }

  test('lasts for about half of the session’s time after each answer, if those are quick', () => {
    const counts = live({ pingEveryMs: TIMEOUT_MS / 4, pingPhaseMs: 0, delays: [1] });
    expect(counts.length).toBe(RUN_MS / HEARTBEAT_MS);
    for (const { answeredAtMs, certainUntilMs } of counts) {
      expect(certainUntilMs - answeredAtMs).toBeGreaterThanOrEqual(TIMEOUT_MS * 0.48 - 10);
    }
  });
});
