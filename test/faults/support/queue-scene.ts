import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { MongoClient } from 'mongodb';
import { MongoAudit } from '../../../src/mongo/audit.ts';
import { createClient } from '../../../src/mongo/client.ts';
import { migrateUp } from '../../../src/mongo/migrate.ts';
import { verify } from '../../../src/verification/verify.ts';
import { clientOf } from '../../queue/support/sqs.ts';
import { seeded } from '../../simulation/virtual-world.ts';
import { anAccount } from '../../support/commands.ts';
import type { ElasticMq } from '../../support/elasticmq.ts';
import { addAccounts } from '../../support/engine.ts';
import { queueFaultsOf } from './check-queue.ts';
import { ConsumingProcess } from './consuming-process.ts';
import { BOOKS, type EventPlan, OTHERS, SOURCES } from './event-plan.ts';
import { EventSender } from './event-sender.ts';
import { createQueue, lettersIn, type QueueSize, sizeOf } from './queues.ts';
import { journalOf } from './read-journal.ts';
import { until } from './until.ts';

const SETTLED_MS_MAX = 60_000;
const BREAKS_SHOWN = 10;

export interface ScenePlan {
  /** Of its database and queues. */
  readonly name: string;
  readonly mongodbUri: string;
  readonly server: ElasticMq;
  /** What Node.js is given to run the service. */
  readonly program: readonly string[];
  readonly seed: number;
  /** How many processes consume. */
  readonly consumers?: number;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Processes that consume one queue over one database, all new, and what is sent to them. */
export class QueueScene {
  /** Of others than the proxies. */
  faults = 0;
  readonly #startedAt = performance.now();
  #isSending = false;

  private constructor(
    readonly plan: ScenePlan,
    readonly folder: string,
    readonly mongo: MongoClient,
    readonly sqs: SQSClient,
    readonly queueUrl: string,
    readonly deadLetterQueueUrl: string,
    readonly sender: EventSender,
    readonly consumers: readonly ConsumingProcess[],
  ) {}

  /** Its processes are not started. Whoever makes it closes it. */
  static async create(plan: ScenePlan): Promise<QueueScene> {
    const { name: database, mongodbUri, server, program, seed, settings = {} } = plan;
    const folder = await mkdtemp(join(tmpdir(), 'kvitt-queue-'));
    const mongo = await createClient(mongodbUri).connect();
    const db = mongo.db(database);
    await migrateUp(db);
    await addAccounts(db, [
      ...SOURCES.map((id, book) => anAccount(id, { book, minBalance: null })),
      ...OTHERS.map((id, n) => anAccount(id, { book: n % BOOKS })),
    ]);
    const sqs = clientOf(server.endpoint);
    const queueUrl = await createQueue(sqs, `${database}-events`);
    const deadLetterQueueUrl = await createQueue(sqs, `${database}-events-dlq`);
    const queues = { sqsEndpoint: server.endpoint, queueUrl, deadLetterQueueUrl };
    const where = { mongodbUri, database, ...queues, folder, program, settings };
    const consumers: ConsumingProcess[] = [];
    for (let n = 0; n < (plan.consumers ?? 2); n++) {
      consumers.push(await ConsumingProcess.create({ ...where, random: seeded(seed + n) }));
    }
    const sender = new EventSender(server.endpoint, queueUrl);
    return new QueueScene(plan, folder, mongo, sqs, queueUrl, deadLetterQueueUrl, sender, consumers);
  }

  async start(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.start()));
  }

  /** Resolves when the queue has taken all. */
  async send({ messages }: Pick<EventPlan, 'messages'>, pace?: () => Promise<void>): Promise<void> {
    this.#isSending = true;
    await this.sender.send(messages, pace);
    this.#isSending = false;
  }

  size(): Promise<QueueSize> {
    return sizeOf(this.sqs, this.queueUrl);
  }

  async left(): Promise<number> {
    const { visible, hidden } = await this.size();
    return visible + hidden;
  }

  /** Resolves when nothing is left in the queue, visible or hidden. */
  async drained(ms: number): Promise<void> {
    await until('the queue is empty', async () => (await this.left()) === 0, ms);
  }

  /** How many entries of events stand by now, each counted once a book. */
  async entries(): Promise<number> {
    const [sum] = await this.#db
      .collection('journal')
      .aggregate<{ count: number }>([{ $group: { _id: null, count: { $sum: { $size: '$entries' } } } }])
      .toArray();
    return Number(sum?.count ?? 0);
  }

  /** Resolves when so many more entries stand, or there is nothing more to do. */
  async goesOn(more: number, ms: number): Promise<void> {
    const from = await this.entries();
    const isOn = async () => (await this.entries()) >= from + more || (await this.isDone());
    await until(`${more} more entries stand`, isOn, ms);
  }

  /** Was all sent, and is nothing left in the queue? */
  async isDone(): Promise<boolean> {
    return !this.#isSending && (await this.left()) === 0;
  }

  /** Once all was sent: waits until all is done, ends the processes in order, and says everything that is wrong. */
  async end(drainMs: number): Promise<string[]> {
    for (const { proxy } of this.consumers) proxy.rate = 0;
    await this.drained(drainMs);
    const pending = () => this.#db.collection('idempotency').countDocuments({ state: 'pending' });
    await until('no claim is pending', async () => (await pending()) === 0, SETTLED_MS_MAX);
    const codes = await Promise.all(this.consumers.map((consumer) => consumer.stop()));
    const found = queueFaultsOf({
      sent: this.sender.sent,
      entries: await journalOf(this.#db),
      unlimited: SOURCES,
      letters: await lettersIn(this.sqs, this.deadLetterQueueUrl),
      left: await this.size(),
    });
    const { breaks } = await verify(new MongoAudit(this.#db), { breaksKept: BREAKS_SHOWN });
    return [
      ...codes.filter((code) => code !== 0).map((code) => `a process ended with ${code}`),
      ...found,
      ...breaks.map(({ message }) => message),
    ];
  }

  /** One line about what was survived. */
  summary(): string {
    const events = this.sender.sent.length;
    const duplicates = this.sender.messages - events;
    const inCalls = this.consumers.reduce((sum, { proxy }) => sum + proxy.faults, 0);
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    const faults = `${inCalls + this.faults} faults (${inCalls} of calls)`;
    return `${this.plan.name.replaceAll('_', ' ')}: ${events} events, ${duplicates} duplicates, ${faults}, ${seconds} s survived`;
  }

  async close(): Promise<void> {
    this.sender.close();
    await Promise.all(this.consumers.map((consumer) => consumer.close()));
    this.sqs.destroy();
    await this.mongo.db(this.plan.name).dropDatabase();
    await this.mongo.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #db() {
    return this.mongo.db(this.plan.name);
  }
}
