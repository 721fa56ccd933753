/** The process that sends payments: in a closed loop, or in an open one where arrivals wait for nobody. */
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'hdr-histogram-js';
import { randomTransfer } from '../workload.ts';
import { type Answer, Connection } from './connection.ts';
import type { ClosedLoop, Ended, FromGenerator, GeneratorPlan, OpenLoop, Second, ToGenerator } from './messages.ts';

const TICK_MS = 2;
const CONNECT_AT_ONCE = 100;
const LAST_ANSWER_MS_MAX = 30_000;
const EXAMPLES_MAX = 5;
const PAYMENT_ID = '"id":"pay_';
const UUID_LENGTH = 36;
const TAIL_LENGTH = 8;

const { port, apiKey, connectionsMax }: GeneratorPlan = JSON.parse(process.argv[2]!);
const HEAD = [
  'POST /v1/payments HTTP/1.1',
  `host: 127.0.0.1:${port}`,
  `authorization: Bearer ${apiKey}`,
  'content-type: application/json',
].join('\r\n');

/** Which payment was acknowledged under which id; grows with them. */
class Acknowledgements {
  tails = new Uint32Array(1 << 20);
  isAcknowledged = new Uint8Array(1 << 20);

  note(payment: number, body: string): void {
    while (payment >= this.tails.length) this.#grow();
    const end = body.indexOf(PAYMENT_ID) + PAYMENT_ID.length + UUID_LENGTH;
    this.tails[payment] = Number.parseInt(body.slice(end - TAIL_LENGTH, end), 16);
    this.isAcknowledged[payment] = 1;
  }

  #grow(): void {
    const [tails, isAcknowledged] = [this.tails, this.isAcknowledged];
    this.tails = new Uint32Array(2 * tails.length);
    this.tails.set(tails);
    this.isAcknowledged = new Uint8Array(2 * tails.length);
    this.isAcknowledged.set(isAcknowledged);
  }
}

const acknowledgements = new Acknowledgements();
const refusals = build({ highestTrackableValue: 120_000_000, numberOfSignificantValueDigits: 3 });
const examples: string[] = [];
const idle: Connection[] = [];
let open = 0;
let unanswered = 0;
let payments = 0;
let count = zero();

function zero(): { -readonly [K in keyof Second]: Second[K] } {
  const [sent, accepted, refused, withoutRetryAfter, others, heldBack, lateMs] = [0, 0, 0, 0, 0, 0, 0];
  return { seconds: 0, sent, accepted, refused, withoutRetryAfter, others, heldBack, lateMs };
}

function tell(message: FromGenerator): void {
  process.send!(message);
}

/** One that is free; null: there is none. */
function connection(): Connection | null {
  return idle.pop() ?? null;
}

/** Some at a time: those that wait to be let in beyond a few hundred would be dropped, and try again much later. */
async function makeConnections(wanted: number): Promise<void> {
  while (open < wanted) {
    const made = Array.from({ length: Math.min(CONNECT_AT_ONCE, wanted - open) }, connect);
    await Promise.all(made);
  }
}

function connect(): Promise<void> {
  open++;
  return new Promise((resolve) => {
    const made = new Connection(port, {
      onOpen: () => {
        idle.push(made);
        resolve();
      },
      onEnd: () => {
        open--;
        const at = idle.indexOf(made);
        if (at >= 0) idle.splice(at, 1);
        resolve();
      },
    });
  });
}

/** Sends the next payment and counts what becomes of it. */
function pay(over: Connection, then: (answer: Answer | null) => void): void {
  const payment = payments++;
  const { source, destination, amount } = randomTransfer('uniform');
  const body = `{"source":"${source}","destination":"${destination}","amount":${amount},"currency":"EUR"}`;
  const from = performance.now();
  count.sent++;
  unanswered++;
  over.call(`${HEAD}\r\nidempotency-key: ${payment}\r\ncontent-length: ${body.length}\r\n\r\n${body}`, (answer) => {
    unanswered--;
    if (answer?.status === 201) {
      count.accepted++;
      acknowledgements.note(payment, answer.body);
    } else if (answer?.status === 503) {
      count.refused++;
      if (!answer.hasRetryAfter) count.withoutRetryAfter++;
      refusals.recordValue(Math.round(1000 * (performance.now() - from)));
    } else {
      count.others++;
      if (examples.length < EXAMPLES_MAX) examples.push(answer ? `${answer.status} ${answer.body}` : 'no answer');
    }
    then(answer);
  });
}

/** Every connection carries the next payment when the one before is answered. */
async function runClosed({ connections, seconds }: ClosedLoop): Promise<void> {
  await makeConnections(connections);
  count = zero();
  const until = performance.now() + seconds * 1000;
  const next = (over: Connection) =>
    pay(over, (answer) => {
      if (answer === null) return;
      if (performance.now() < until) next(over);
      else idle.push(over);
    });
  for (let n = 0; n < connections; n++) next(connection()!);
  await sleep(seconds * 1000);
  const { accepted } = count;
  await allAnswered();
  tell({ accepted: accepted / seconds });
}

/** Each payment is sent at its time, whatever became of those before. */
async function runOpen({ perSecond, seconds }: OpenLoop): Promise<void> {
  await makeConnections(connectionsMax);
  count = zero();
  refusals.reset();
  const from = performance.now();
  let [due, reportedAt] = [0, from];
  for (let now = from; now < from + seconds * 1000; now = performance.now()) {
    count.lateMs = Math.max(count.lateMs, now - from - (due * 1000) / perSecond);
    for (; (due * 1000) / perSecond <= now - from; due++) {
      const over = connection();
      if (over === null) count.heldBack++;
      else pay(over, (answer) => answer && idle.push(over));
    }
    if (now - reportedAt >= 1000) {
      tell({ second: { ...count, seconds: (now - reportedAt) / 1000 } });
      count = zero();
      reportedAt = now;
    }
    await sleep(TICK_MS);
  }
  await allAnswered();
  tell({ ended: endOf() });
}

async function allAnswered(): Promise<void> {
  const until = performance.now() + LAST_ANSWER_MS_MAX;
  while (unanswered > 0 && performance.now() < until) await sleep(10);
}

function endOf(): Ended {
  const at = (percentile: number) => refusals.getValueAtPercentile(percentile) / 1000;
  const { tails, isAcknowledged } = acknowledgements;
  const acknowledged = { tails: tails.slice(0, payments), isAcknowledged: isAcknowledged.slice(0, payments) };
  return { refusalMs: { p50: at(50), p99: at(99), max: refusals.maxValue / 1000 }, acknowledged, examples };
}

process.once('disconnect', () => process.exit(0));
process.on('message', (message: ToGenerator) => {
  if (message === 'end') process.exit(0);
  void ('closed' in message ? runClosed(message.closed) : runOpen(message.open));
});
