/** How calls are made and counted, whatever they call. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FromCaller, Measured, Measurement, ToCaller } from './messages.ts';
import { percentilesOf } from './percentiles.ts';

export type CallEnd = 'ok' | 'refused' | 'failed' | 'broken';
/** Makes one call on a lane, which carries one at a time. Never rejects. */
export type Call = (lane: number) => Promise<CallEnd>;

const TICK_MS = 2;

/** Calls that end after the measurement are not counted. */
class Tally {
  readonly #ends: Record<CallEnd, number> = { ok: 0, refused: 0, failed: 0, broken: 0 };
  readonly #latencies: number[] = [];
  readonly #called = new Set<number>();
  readonly #answered = new Set<number>();
  readonly #from = performance.now();
  readonly #utilization = performance.eventLoopUtilization();
  heldBack = 0;

  constructor(private readonly seconds: number) {}

  get elapsedMs(): number {
    return performance.now() - this.#from;
  }

  get isOver(): boolean {
    return this.elapsedMs >= this.seconds * 1000;
  }

  /** `dueMs`: when the call should have begun, since the measurement did. */
  async count(call: Call, lane: number, dueMs: number): Promise<void> {
    this.#called.add(lane);
    this.#add(await call(lane), lane, dueMs);
  }

  #add(end: CallEnd, lane: number, dueMs: number): void {
    this.#answered.add(lane);
    if (this.isOver) return;
    this.#ends[end]++;
    if (end === 'ok') this.#latencies.push(this.elapsedMs - dueMs);
  }

  result(): Measured {
    return {
      seconds: this.elapsedMs / 1000,
      ...this.#ends,
      unanswered: this.#called.size - this.#answered.size,
      heldBack: this.heldBack,
      latencyMs: percentilesOf(this.#latencies),
      utilization: performance.eventLoopUtilization(this.#utilization).utilization,
    };
  }
}

export function measure(call: Call, { lanes, seconds, perSecond }: Measurement): Promise<Measured> {
  return perSecond === null ? closedLoop(call, lanes, seconds) : openLoop(call, lanes, seconds, perSecond);
}

async function closedLoop(call: Call, lanes: number, seconds: number): Promise<Measured> {
  const tally = new Tally(seconds);
  const callAgain = async (lane: number) => {
    while (!tally.isOver) await tally.count(call, lane, tally.elapsedMs);
  };
  for (let lane = 0; lane < lanes; lane++) void callAgain(lane);
  await sleep(seconds * 1000);
  return tally.result();
}

async function openLoop(call: Call, lanes: number, seconds: number, perSecond: number): Promise<Measured> {
  const tally = new Tally(seconds);
  const free = Array.from({ length: lanes }, (_, lane) => lane);
  const callOnce = async (lane: number, dueMs: number) => {
    await tally.count(call, lane, dueMs);
    free.push(lane);
  };
  for (let due = 0; !tally.isOver; await sleep(TICK_MS)) {
    for (; (due * 1000) / perSecond <= tally.elapsedMs; due++) {
      const lane = free.pop();
      if (lane === undefined) tally.heldBack++;
      else void callOnce(lane, (due * 1000) / perSecond);
    }
  }
  return tally.result();
}

/** What a process does that measures for the ladder, until that lets it go. */
export function answerMeasurements(run: (measurement: Measurement) => Promise<Measured>): void {
  const tell = (message: FromCaller) => process.send!(message);
  process.once('disconnect', () => process.exit(0));
  process.on('message', ({ measure }: ToCaller) => {
    run(measure).then(
      (measured) => tell({ measured }),
      (error) => tell({ failed: String(error) }),
    );
  });
  tell({ ready: true });
}
