import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Log } from '../ledger/ports.ts';
import { backoffMs } from '../ledger/retry.ts';
import { BATCH_MAX } from './batcher.ts';
import { SqsCalls } from './calls.ts';
import { type ConsumerStats, Counters, type OnCount } from './counters.ts';
import { type DeadLetter, DeadLetters } from './dead-letter.ts';
import { type ReadEvent, readEvent } from './event.ts';
import { Failures } from './failures.ts';
import { Gatherer } from './gatherer.ts';
import { Groups } from './groups.ts';
import { Health } from './health.ts';
import { InHand } from './in-hand.ts';
import { type EventErrorCode, type EventPayments, judge, type Verdict } from './judge.ts';
import { ATTRIBUTES, type Received, SYSTEM_ATTRIBUTES, toReceived } from './message.ts';
import { pause } from './pause.ts';
import type { MessageTracer } from './ports.ts';
import { Receipts } from './receipts.ts';
import { Receivers } from './receivers.ts';
import { type CompleteSettings, type ConsumerSettings, complete } from './settings.ts';

const LEDGER_PAUSE_MIN_MS = 200;
const LEDGER_PAUSE_MAX_MS = 30_000;
/** The first pause before a failed message is handed out again; doubles with each receive. */
const REDELIVERY_BASE_MS = 1_000;
/** Between attempts to give the ledger a message while it has too much to do. */
const OVERLOAD_BASE_MS = 50;
const OVERLOAD_MAX_MS = 2_000;
/** Messages that go to the ledger together, while there are many: a share of those that may be in hand. */
const GATHERED_SHARE = 1 / 3;
const GATHERING_MS = 200;
/** Bodies in hand, see {@link InHand.bytes}; those of the receives under way come on top. */
const IN_HAND_BYTES_MAX = 32 << 20;
/** In a FIFO queue: how often a message may be received for each time that it may fail, as others of its batch fail. */
const RECEIVES_PER_FAILURE = BATCH_MAX;
/** To give back what was not done in time. */
const GIVE_BACK_MS_MAX = 2_000;

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
 * | no event in it: not JSON, not as the schema says, of an unknown type, not to be unpacked, a pointer to elsewhere | dead-lettered | its reason |
 * | unknown account, other currency than the account's, event id used with other data | dead-lettered | its reason |
 * | sent longer ago than `maxAgeSeconds` and not begun before | dead-lettered | `too_old` |
 * | about a payment that is not there: it may be overtaken by this event | as the next; at last dead-lettered | `failed`, `not_found` |
 * | database or network trouble, outcome unknown, no answer in time, unexpected error | hidden for a while, longer each time, then redelivered | `failed` |
 * | the same, and received `maxReceiveCount` times by now | dead-lettered | `too_many_receives` |
 * | received more often than `maxReceiveCount` (the process died on it each time) | dead-lettered untried | `too_many_receives` |
 * | the ledger has too much to do | kept in hand and tried again there; after two minutes as with other trouble | `failed` |
 * | received while the consumer was told to stop, or not done in the time it was given for that | given back at once | `returned` |
 *
 * Dead-lettered means: sent to the dead-letter queue with the reason, *then* deleted. If that queue does not take it,
 * the message stays where it is and is redelivered (`failed`). If it took it and the delete fails, it is dead-lettered
 * twice, with the same `original_message_id`. A message whose delete fails for good comes again and is replayed. When the
 * queue has a redrive policy of its own with a smaller count, SQS moves the message first, and without a reason.
 *
 * In a standard queue every message has its own fate: none waits for another of its batch. In a FIFO queue those of a
 * group are done one after the other; when one is to come again, those behind it are given back (`returned`) and come
 * after it, so what counts there is how often a message failed here, and not how often it was received. One that can never be done is dead-lettered as elsewhere, or stops its group (`stopped`): see
 * {@link ConsumerSettings.poisonInGroup}.
 *
 * While there are many, they go to the ledger hundreds at a time, which makes one claim and one block of them. While it
 * has too much to do, messages wait in hand, hidden from others, and once enough are in hand none is asked for. While it
 * does not work, a few are asked for now and then, so that an outage does not use up the receive counts of the whole
 * queue.
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
  readonly #inHand: InHand;
  readonly #receivers: Receivers;
  readonly #groups: Groups;
  readonly #gatherer: Gatherer;
  readonly #failures = new Failures();
  readonly #isFifo: boolean;
  readonly #calls: SqsCalls;
  readonly #stopping = new AbortController();
  #emptied: (() => void) | null = null;
  /** Its name. */
  readonly #queue: string;

  /** Begins to receive at once. A queue that cannot be reached is no error: it is tried for ever, with pauses. */
  constructor(parts: ConsumerParts, settings: ConsumerSettings) {
    this.#settings = complete(settings);
    this.#parts = parts;
    this.#queue = settings.queueUrl.split('/').at(-1)!;
    const { log, client } = parts;
    this.#counters = new Counters(parts.onCount);
    this.#queueHealth = new Health(
      log,
      'receiving from the SQS queue',
      'check its URL, region, endpoint and credentials',
    );
    this.#deadLetterHealth = new Health(log, 'sending to the SQS dead-letter queue', 'check its URL and permissions');
    this.#ledgerHealth = new Health(log, 'the ledger, for SQS events,', 'check the database');
    const receiptHealth = new Health(log, 'deleting from the SQS queue', 'check its permissions');
    this.#isFifo = settings.queueUrl.endsWith('.fifo');
    this.#calls = new SqsCalls(client, settings.queueUrl, settings.receiversMax);
    this.#receipts = new Receipts(this.#calls, settings.queueUrl, receiptHealth);
    this.#deadLetters = new DeadLetters(client, settings.deadLetterQueueUrl);
    const { visibilityTimeoutSeconds, receiversMax } = this.#settings;
    this.#inHand = new InHand(visibilityTimeoutSeconds, ({ receipt }, seconds) =>
      this.#receipts.hideFor(receipt, seconds),
    );
    this.#groups = new Groups({
      work: (message) => this.#handle(message),
      giveBack: (message) => this.#done(message, this.#giveBack(message)),
    });
    this.#gatherer = new Gatherer(Math.floor(this.#settings.inHandMax * GATHERED_SHARE), GATHERING_MS);
    this.#receivers = new Receivers({
      receive: () => this.#receive(),
      mayBegin: (underWay) => this.#mayReceive(underWay),
      receiversMax,
      batchMax: BATCH_MAX,
    });
    this.#receivers.pump();
  }

  stats(): ConsumerStats {
    return this.#counters.snapshot({ inFlight: this.#inHand.count, receivers: this.#receivers.underWay });
  }

  /**
   * Receives no more, gives back what was not begun, finishes what was. A receive that waits for messages is not cut off,
   * for the next message would be lost to it until its visibility runs out: so give it more than `waitSeconds`.
   *
   * Resolves with true when all is done; with false after `graceMs`, when the rest was given back undone.
   */
  async stop(graceMs: number): Promise<boolean> {
    this.#stopping.abort();
    this.#gatherer.release();
    const timer = new AbortController();
    const drained = await Promise.race([
      this.#drain().then(() => true),
      pause(graceMs, timer.signal).then(() => false),
    ]);
    timer.abort();
    this.#inHand.letGo();
    if (!drained) await this.#abandon(graceMs);
    await this.#calls.destroy();
    return drained;
  }

  async #abandon(graceMs: number): Promise<void> {
    const left = this.#inHand.all();
    this.#parts.log.warn({ inFlight: left.length, graceMs }, 'SQS consumer stopped before its work was done');
    const givenBack = Promise.all(left.map(({ receipt }) => this.#receipts.hideFor(receipt, 0)));
    const late = new AbortController();
    await Promise.race([givenBack, pause(GIVE_BACK_MS_MAX, late.signal)]);
    late.abort();
  }

  async #drain(): Promise<void> {
    await this.#receivers.stop();
    if (this.#inHand.count > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
  }

  #mayReceive(underWay: number): boolean {
    if (this.#ledgerHealth.downMs !== undefined) return underWay === 0;
    const { inHandMax } = this.#settings;
    const hasRoom = this.#inHand.count + (underWay + 1) * BATCH_MAX <= inHandMax;
    return hasRoom && this.#inHand.bytes < IN_HAND_BYTES_MAX;
  }

  /** How many came; null when the queue could not be reached. */
  async #receive(): Promise<number | null> {
    await this.#waitForLedger();
    if (this.#stopping.signal.aborted) return 0;
    const askedAt = performance.now();
    const messages = await this.#ask();
    for (const message of messages ?? []) this.#begin(message, askedAt);
    // That there are no more of them just now.
    if (messages !== null && messages.length < BATCH_MAX) this.#gatherer.release();
    return messages?.length ?? null;
  }

  /** The longer the ledger has been down, the longer the pause. */
  async #waitForLedger(): Promise<void> {
    const downMs = this.#ledgerHealth.downMs;
    if (downMs === undefined) return;
    const pauseMs = Math.min(LEDGER_PAUSE_MAX_MS, Math.max(LEDGER_PAUSE_MIN_MS, downMs));
    await pause(pauseMs, this.#stopping.signal);
  }

  async #ask(): Promise<Received[] | null> {
    try {
      const messages = await this.#calls.receive({
        QueueUrl: this.#settings.queueUrl,
        MaxNumberOfMessages: BATCH_MAX,
        WaitTimeSeconds: this.#settings.waitSeconds,
        VisibilityTimeout: this.#settings.visibilityTimeoutSeconds,
        MessageSystemAttributeNames: SYSTEM_ATTRIBUTES,
        MessageAttributeNames: ATTRIBUTES,
      });
      this.#queueHealth.up();
      return messages.map(toReceived).filter((message) => message !== undefined);
    } catch (error) {
      this.#queueHealth.down(error);
      return null;
    }
  }

  #begin(message: Received, askedAt: number): void {
    this.#counters.count('received');
    this.#inHand.add(message, askedAt);
    const { group } = message;
    if (this.#isFifo && group !== null) this.#groups.add(group, message);
    else void this.#handle(message);
  }

  /** True when the message has found its end. Never rejects. */
  async #handle(message: Received): Promise<boolean> {
    const isStopping = this.#stopping.signal.aborted;
    return await this.#done(message, isStopping ? this.#giveBack(message) : this.#work(message));
  }

  /** Takes the message out of hand when that was done. */
  async #done(message: Received, work: Promise<boolean>): Promise<boolean> {
    try {
      return await work;
    } catch (error) {
      this.#parts.log.error({ err: error, messageId: message.messageId }, 'SQS message left for redelivery');
      return false;
    } finally {
      this.#inHand.remove(message);
      if (this.#inHand.count === 0) this.#emptied?.();
      this.#receivers.pump();
    }
  }

  async #giveBack(message: Received): Promise<false> {
    this.#counters.count('returned');
    await this.#inHand.end(message);
    await this.#receipts.hideFor(message.receipt, 0);
    return false;
  }

  async #work(message: Received): Promise<boolean> {
    // Those of a group wait for each other already.
    if (!this.#isFifo) await this.#gatherer.join();
    const verdict = this.#untried(message) ?? (await this.#tried(message));
    if (verdict.kind === 'retry' && verdict.code === 'overloaded' && this.#stopping.signal.aborted) {
      return await this.#giveBack(message);
    }
    const settled = await this.#settle(message, verdict);
    await this.#inHand.end(message);
    if (settled) {
      this.#failures.forget(message.messageId);
      this.#counters.count((await this.#receipts.delete(message.receipt)) ? 'deleted' : 'deleteFailed');
    } else await this.#redeliverLater(message);
    return settled;
  }

  /** Of a message that is not even looked at: it may end the process that does. Null: it is to be tried. */
  #untried({ receiveCount }: Received): Verdict | null {
    const { maxReceiveCount, poisonInGroup } = this.#settings;
    if (this.#isFifo && poisonInGroup === 'stop_group') return null;
    if (receiveCount <= maxReceiveCount * (this.#isFifo ? RECEIVES_PER_FAILURE : 1)) return null;
    const detail = `received ${receiveCount} times and never settled; it may end the process that works on it`;
    return { kind: 'dead_letter', reason: 'too_many_receives', code: 'unexpected_error', detail };
  }

  #tried(message: Received): Promise<Verdict> {
    const read = readEvent(message);
    const { tracer } = this.#parts;
    const judged = () => this.#judge(message, read);
    if (tracer === undefined) return judged();
    const traceParent = read.ok ? read.traceParent : message.traceParent;
    return tracer.trace({ ...message, traceParent, queue: this.#queue }, judged);
  }

  async #judge(message: Received, read: ReadEvent): Promise<Verdict> {
    const { messageId, receiveCount } = message;
    const verdict = await this.#judgePatiently(message, read);
    this.#noteLedger(verdict, message);
    if (verdict.kind !== 'retry') return verdict;
    this.#parts.log.debug({ err: verdict.error, messageId, receiveCount }, 'SQS message failed for now');
    const { maxReceiveCount, poisonInGroup } = this.#settings;
    const tries = this.#isFifo ? this.#failures.add(messageId) : receiveCount;
    const isStopping = this.#isFifo && poisonInGroup === 'stop_group';
    if (tries < maxReceiveCount || isStopping) return verdict;
    const last = verdict.error instanceof Error ? verdict.error.message : String(verdict.error);
    const reason = verdict.code === 'not_found' ? 'not_found' : 'too_many_receives';
    return { kind: 'dead_letter', reason, code: verdict.code, detail: last };
  }

  /** While the ledger has too much to do, what is in hand waits for it, and what is not stays in the queue. */
  async #judgePatiently(message: Received, read: ReadEvent): Promise<Verdict> {
    const { workTimeoutMs } = this.#settings;
    const options = { messageId: message.messageId, workTimeoutMs, tooOld: this.#tooOld(message) };
    const until = performance.now() + workTimeoutMs;
    for (let attempts = 1; ; attempts++) {
      const verdict = await judge(read, this.#parts.payments, options);
      const isOverload = verdict.kind === 'retry' && verdict.code === 'overloaded';
      if (!isOverload || this.#stopping.signal.aborted || performance.now() > until) return verdict;
      await pause(backoffMs(attempts, OVERLOAD_BASE_MS, OVERLOAD_MAX_MS), this.#stopping.signal);
    }
  }

  /** Null: it is not. By the clock of the server that said when it was sent. */
  #tooOld({ sentAt }: Received): string | null {
    const { maxAgeSeconds } = this.#settings;
    if (maxAgeSeconds === 0 || sentAt === null) return null;
    const ageSeconds = Math.floor((this.#calls.now() - sentAt) / 1000);
    if (ageSeconds <= maxAgeSeconds) return null;
    return `sent ${ageSeconds} s before it was received, of ${maxAgeSeconds} at most; nothing was done for it`;
  }

  /** True when the message has found its end and is to be deleted. */
  async #settle(message: Received, verdict: Verdict): Promise<boolean> {
    switch (verdict.kind) {
      case 'posted':
      case 'replayed':
      case 'rejected':
        this.#counters.count(verdict.kind);
        return true;
      case 'dead_letter': {
        const isStopped = this.#isFifo && this.#settings.poisonInGroup === 'stop_group';
        if (this.#isFifo) this.#failures.add(message.messageId);
        return isStopped ? this.#stopGroup(message, verdict) : await this.#deadLetter(message, verdict);
      }
      case 'retry':
        this.#counters.count('failed');
        return false;
      default:
        return verdict satisfies never;
    }
  }

  #stopGroup({ messageId, group, receiveCount }: Received, { reason, code }: DeadLetter): false {
    this.#counters.count('stopped');
    const found = { messageId, group, receiveCount, reason, code };
    this.#parts.log.error(found, 'SQS message stops its group: remove it from the queue, or mend what it needs');
    return false;
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
    const { messageId, receiveCount } = message;
    const tries = this.#isFifo ? Math.max(1, this.#failures.of(messageId)) : receiveCount;
    const delayMs = backoffMs(tries, REDELIVERY_BASE_MS, this.#settings.retryDelayMaxSeconds * 1000);
    await this.#receipts.hideFor(message.receipt, Math.ceil(delayMs / 1000));
  }
}
