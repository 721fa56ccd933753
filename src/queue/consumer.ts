import { setTimeout as sleep } from 'node:timers/promises';
import { ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Log } from '../ledger/ports.ts';
import { backoffMs } from '../ledger/retry.ts';
import { BATCH_MAX } from './batcher.ts';
import { type ConsumerStats, Counters, type OnCount } from './counters.ts';
import { type DeadLetter, DeadLetters } from './dead-letter.ts';
import { Health } from './health.ts';
import { type EventErrorCode, type EventPayments, judge, type Verdict } from './judge.ts';
import { ATTRIBUTES, type Received, SYSTEM_ATTRIBUTES, toReceived } from './message.ts';
import type { MessageTracer } from './ports.ts';
import { Receipts } from './receipts.ts';
import { type CompleteSettings, type ConsumerSettings, complete } from './settings.ts';
import { Slots } from './slots.ts';

const RECEIVE_RETRY_BASE_MS = 200;
const RECEIVE_RETRY_MAX_MS = 20_000;
const LEDGER_PAUSE_MIN_MS = 200;
const LEDGER_PAUSE_MAX_MS = 30_000;
/** The first pause before a failed message is handed out again; doubles with each receive. */
const REDELIVERY_BASE_MS = 1_000;
/** Batches in hand per receive loop: one being worked on while the next is asked for. */
const BATCHES_PER_LOOP = 2;

/** Of the ledger as a whole, while other codes may be of one message alone. */
const LEDGER_TROUBLE: ReadonlySet<EventErrorCode> = new Set(['overloaded', 'unavailable', 'outcome_unknown']);

export interface ConsumerParts {
  /** Made by the caller, with `endpoint` when the server is not AWS; destroyed by the caller after `stop`. */
  readonly client: SQSClient;
  readonly payments: EventPayments;
  readonly log: Log;
  readonly onCount?: OnCount;
  /** Without one nothing is traced. */
  readonly tracer?: MessageTracer;
}

/**
 * Consumes events from SQS that ask for payments, captures, cancels and refunds. The queue delivers at least once; the
 * event's id is the idempotency key, so each has one effect.
 *
 * What becomes of a message:
 *
 * | the message | what is done | counted as |
 * |---|---|---|
 * | what it asks for was done | deleted | `posted` |
 * | its event was handled before: the same id and data | deleted | `replayed` |
 * | the ledger rejected it (insufficient funds, more than is held, …): its final entry is in the journal | deleted | `rejected` |
 * | not JSON, not as the schema says, of an unknown type | dead-lettered | its reason |
 * | unknown account, other currency than the account's, event id used with other data | dead-lettered | its reason |
 * | about a payment that is not there: it may be overtaken by this event | as the next; at last dead-lettered | `failed`, `not_found` |
 * | overload, database or network trouble, outcome unknown, no answer in time, unexpected error | hidden for a while, longer each time, then redelivered | `failed` |
 * | the same, and received `maxReceiveCount` times by now | dead-lettered | `too_many_receives` |
 * | received more often than `maxReceiveCount` (the process died on it each time) | dead-lettered untried | `too_many_receives` |
 * | received while the consumer was told to stop | given back at once | `returned` |
 *
 * Dead-lettered means: sent to the dead-letter queue with the reason, *then* deleted. If that queue does not take it,
 * the message stays where it is and is redelivered (`failed`). If it took it and the delete fails, it is dead-lettered
 * twice, with the same `original_message_id`. A message whose delete fails for good comes again and is replayed. When the
 * queue has a redrive policy of its own with a smaller count, SQS moves the message first, and without a reason.
 *
 * Every message has its own fate: none waits for another of its batch. While the ledger does not work, fewer are asked
 * for, so that an outage does not use up the receive counts of the whole queue.
 */
export class Consumer {
  readonly #settings: CompleteSettings;
  readonly #parts: ConsumerParts;
  readonly #counters: Counters;
  readonly #receipts: Receipts;
  readonly #deadLetters: DeadLetters;
  readonly #queueHealth: Health;
  readonly #deadLetterHealth: Health;
  readonly #ledgerHealth: Health;
  readonly #slots: Slots;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #abandoned = new AbortController();
  readonly #loops: Promise<void>[];
  /** Its name. */
  readonly #queue: string;

  /** Begins to receive at once. A queue that cannot be reached is no error: it is tried for ever, with pauses. */
  constructor(parts: ConsumerParts, settings: ConsumerSettings) {
    this.#settings = complete(settings);
    this.#parts = parts;
    this.#queue = settings.queueUrl.split('/').at(-1)!;
    const { log } = parts;
    this.#counters = new Counters(parts.onCount);
    this.#queueHealth = new Health(
      log,
      'receiving from the SQS queue',
      'check its URL, region, endpoint and credentials',
    );
    this.#deadLetterHealth = new Health(log, 'sending to the SQS dead-letter queue', 'check its URL and permissions');
    this.#ledgerHealth = new Health(log, 'the ledger, for SQS events,', 'check the database');
    const receiptHealth = new Health(log, 'deleting from the SQS queue', 'check its permissions');
    this.#receipts = new Receipts(parts.client, settings.queueUrl, receiptHealth);
    this.#deadLetters = new DeadLetters(parts.client, settings.deadLetterQueueUrl);
    this.#slots = new Slots(settings.concurrency * BATCHES_PER_LOOP * BATCH_MAX);
    this.#loops = Array.from({ length: settings.concurrency }, () => this.#loop());
  }

  stats(): ConsumerStats {
    return this.#counters.snapshot(this.#inFlight.size);
  }

  /**
   * Receives no more, gives back what was not begun, finishes what was. A receive that waits for messages is not cut off,
   * for the next message would be lost to it until its visibility runs out: so give it more than `waitSeconds`.
   *
   * Resolves with true when all is done; with false after `graceMs`, when some is left to be redelivered.
   */
  async stop(graceMs: number): Promise<boolean> {
    this.#stopping.abort();
    const timer = new AbortController();
    const drained = await Promise.race([
      this.#drain().then(() => true),
      pause(graceMs, timer.signal).then(() => false),
    ]);
    timer.abort();
    this.#abandoned.abort();
    if (!drained) {
      this.#parts.log.warn({ inFlight: this.#inFlight.size, graceMs }, 'SQS consumer stopped before its work was done');
    }
    return drained;
  }

  async #drain(): Promise<void> {
    await Promise.all(this.#loops);
    await Promise.all(this.#inFlight);
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      await this.#waitForLedger();
      await this.#slots.take(BATCH_MAX);
      const messages = signal.aborted ? [] : await this.#receive();
      this.#slots.release(BATCH_MAX - (messages?.length ?? 0));
      failures = messages === undefined ? failures + 1 : 0;
      if (failures > 0) await pause(backoffMs(failures, RECEIVE_RETRY_BASE_MS, RECEIVE_RETRY_MAX_MS), signal);
      for (const message of messages ?? []) this.#begin(message);
    }
  }

  /** The longer the ledger has been down, the longer the pause. */
  async #waitForLedger(): Promise<void> {
    const downMs = this.#ledgerHealth.downMs;
    if (downMs === undefined) return;
    const pauseMs = Math.min(LEDGER_PAUSE_MAX_MS, Math.max(LEDGER_PAUSE_MIN_MS, downMs));
    await pause(pauseMs, this.#stopping.signal);
  }

  /** Undefined when the queue could not be reached. */
  async #receive(): Promise<Received[] | undefined> {
    try {
      const answer = await this.#parts.client.send(
        new ReceiveMessageCommand({
          QueueUrl: this.#settings.queueUrl,
          MaxNumberOfMessages: BATCH_MAX,
          WaitTimeSeconds: this.#settings.waitSeconds,
          VisibilityTimeout: this.#settings.visibilityTimeoutSeconds,
          MessageSystemAttributeNames: SYSTEM_ATTRIBUTES,
          MessageAttributeNames: ATTRIBUTES,
        }),
      );
      this.#queueHealth.up();
      return (answer.Messages ?? []).map(toReceived).filter((message) => message !== undefined);
    } catch (error) {
      this.#queueHealth.down(error);
      return undefined;
    }
  }

  /** Takes over the slot of the message, and frees it once the message is settled. */
  #begin(message: Received): void {
    this.#counters.count('received');
    const work = (this.#stopping.signal.aborted ? this.#giveBack(message) : this.#work(message))
      .catch((error: unknown) =>
        this.#parts.log.error({ err: error, messageId: message.messageId }, 'SQS message left for redelivery'),
      )
      .finally(() => {
        this.#slots.release(1);
        this.#inFlight.delete(work);
      });
    this.#inFlight.add(work);
  }

  async #giveBack(message: Received): Promise<void> {
    this.#counters.count('returned');
    await this.#receipts.hideFor(message.receipt, 0);
  }

  async #work(message: Received): Promise<void> {
    const letGo = this.#keepHidden(message);
    let settled = false;
    try {
      settled = await this.#settle(message, await this.#traced(message));
      if (settled) this.#counters.count((await this.#receipts.delete(message.receipt)) ? 'deleted' : 'deleteFailed');
    } finally {
      letGo();
    }
    if (!settled) await this.#redeliverLater(message);
  }

  /** Renews the message's visibility at half its time, until the returned function is called. */
  #keepHidden(message: Received): () => void {
    const seconds = this.#settings.visibilityTimeoutSeconds;
    const timer = setInterval(() => {
      if (this.#abandoned.signal.aborted) clearInterval(timer);
      else void this.#receipts.hideFor(message.receipt, seconds);
    }, seconds * 500);
    timer.unref();
    return () => clearInterval(timer);
  }

  #traced(message: Received): Promise<Verdict> {
    const { tracer } = this.#parts;
    const judged = () => this.#judge(message);
    return tracer === undefined ? judged() : tracer.trace({ ...message, queue: this.#queue }, judged);
  }

  async #judge(message: Received): Promise<Verdict> {
    if (message.receiveCount > this.#settings.maxReceiveCount) {
      const detail = `received ${message.receiveCount} times and never settled; it may end the process that works on it`;
      return {
        kind: 'dead_letter',
        reason: 'too_many_receives',
        code: 'unexpected_error',
        detail,
      };
    }
    const verdict = await judge(message, this.#parts.payments, this.#settings.workTimeoutMs);
    this.#noteLedger(verdict, message);
    if (verdict.kind !== 'retry') return verdict;
    const { messageId, receiveCount } = message;
    this.#parts.log.debug({ err: verdict.error, messageId, receiveCount }, 'SQS message failed for now');
    if (receiveCount < this.#settings.maxReceiveCount) return verdict;
    const last = verdict.error instanceof Error ? verdict.error.message : String(verdict.error);
    const reason = verdict.code === 'not_found' ? 'not_found' : 'too_many_receives';
    return { kind: 'dead_letter', reason, code: verdict.code, detail: last };
  }

  /** True when the message has found its end and is to be deleted. */
  async #settle(message: Received, verdict: Verdict): Promise<boolean> {
    switch (verdict.kind) {
      case 'posted':
      case 'replayed':
      case 'rejected':
        this.#counters.count(verdict.kind);
        return true;
      case 'dead_letter':
        return await this.#deadLetter(message, verdict);
      case 'retry':
        this.#counters.count('failed');
        return false;
      default:
        return verdict satisfies never;
    }
  }

  /** An event that never reached the ledger says nothing of it. */
  #noteLedger(verdict: Verdict, { messageId }: Received): void {
    if (verdict.kind === 'dead_letter' && verdict.code === 'invalid_event') return;
    if (verdict.kind !== 'retry' || verdict.code === 'not_found') this.#ledgerHealth.up();
    else if (LEDGER_TROUBLE.has(verdict.code)) this.#ledgerHealth.down(verdict.error, { messageId });
  }

  /** True when the dead-letter queue took it. */
  async #deadLetter(message: Received, letter: DeadLetter): Promise<boolean> {
    const { messageId, receiveCount } = message;
    const { reason, code } = letter;
    try {
      await this.#deadLetters.send(message, letter);
    } catch (error) {
      this.#deadLetterHealth.down(error, { messageId });
      this.#counters.count('failed');
      return false;
    }
    this.#deadLetterHealth.up();
    this.#counters.countDeadLetter(reason);
    // Its detail may quote the message, and goes with the letter only.
    this.#parts.log.warn({ messageId, receiveCount, reason, code }, 'SQS message dead-lettered');
    return true;
  }

  async #redeliverLater(message: Received): Promise<void> {
    const delayMs = backoffMs(message.receiveCount, REDELIVERY_BASE_MS, this.#settings.retryDelayMaxSeconds * 1000);
    await this.#receipts.hideFor(message.receipt, Math.ceil(delayMs / 1000));
  }
}

/** Waits, or returns early when the signal is given. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
