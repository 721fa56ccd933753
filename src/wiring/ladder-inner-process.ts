/** The process that calls what has no port: the engine, and MongoDB with the writes that a block costs. */
import { randomBytes } from 'node:crypto';
import type { Db } from 'mongodb';
import { uuidv7 } from 'uuidv7';
import { readConfig } from '../config.ts';
import { answerMeasurements, type Call, measure } from '../ladder/loops.ts';
import type { Measured, Measurement } from '../ladder/messages.ts';
import { randomPayment } from '../ladder/payment-request.ts';
import type { EngineObserver } from '../ledger/ports.ts';
import type { Block, Command } from '../ledger/types.ts';
import { createLog } from '../log.ts';
import { MongoClaims } from '../mongo/claims.ts';
import { createClient } from '../mongo/client.ts';
import { MongoJournal } from '../mongo/journal.ts';
import { paymentCommand } from '../payments/commands.ts';
import { outcomeOf } from './ladder-answers.ts';
import { createEngine } from './ledger.ts';

export interface InnerPlan {
  readonly uri: string;
  /** Databases. */
  readonly engine: string;
  readonly database: string;
}

const POOL_MAX = 200;
/** Payments in a block before the engine has shown how many it makes of them. */
const PAYMENTS_A_BLOCK = 16;
const HASH_BYTES = 32;

const plan: InnerPlan = JSON.parse(process.argv[2]!);
const client = await createClient(plan.uri, { maxPoolSize: POOL_MAX }).connect();

/** How many payments the engine puts into a block, of late. */
class BlockSize implements EngineObserver {
  #blocks = 0;
  #entries = 0;

  claimed(): void {}

  appended(blocks: readonly Block[]): void {
    this.#blocks += blocks.length;
    for (const { entries } of blocks) this.#entries += entries.length;
  }

  /** Since it was taken last. */
  take(): number {
    const mean = this.#blocks === 0 ? PAYMENTS_A_BLOCK : Math.max(1, Math.round(this.#entries / this.#blocks));
    this.#blocks = 0;
    this.#entries = 0;
    return mean;
  }
}

const blockSize = new BlockSize();
let paymentsABlock = PAYMENTS_A_BLOCK;
const engine = createEngine(readConfig({}), client.db(plan.engine), createLog('warn'), { observers: [blockSize] });
engine.start();

function randomCommand(): Command {
  const { amount, ...between } = randomPayment();
  const request = { ...between, amount: BigInt(amount), currency: 'EUR' };
  return paymentCommand(request, { client: 'ladder', key: uuidv7() });
}

const callEngine: Call = async () => {
  const { entry } = await engine.submit(randomCommand());
  return entry.kind === 'rejected' ? 'failed' : 'ok';
};

/** What the engine writes for payments that come together, each lane into a book of its own. */
class Writes {
  readonly #claims: MongoClaims;
  readonly #journal: MongoJournal;
  readonly #heights = new Map<number, number>();

  constructor(db: Db) {
    this.#claims = new MongoClaims(db);
    this.#journal = new MongoJournal(db);
  }

  readonly call: Call = async (lane) => {
    const commands = Array.from({ length: paymentsABlock }, randomCommand);
    const claim = { id: uuidv7(), owner: 'ladder', at: Date.now(), state: 'pending', commands } as const;
    if ((await this.#claims.insert(claim)) !== 'inserted') return 'failed';
    const { ended } = await this.#journal.append([this.#journal.encode(this.#block(lane, commands))]);
    return ended === 'done' ? 'ok' : 'failed';
  };

  #block(book: number, commands: readonly Command[]): Block {
    const height = (this.#heights.get(book) ?? 0) + 1;
    this.#heights.set(book, height);
    const entries = commands.map((command) => outcomeOf(command).entry);
    const prev = randomBytes(HASH_BYTES);
    return { book, height, prev, term: 1, at: Date.now(), kind: 'entries', postingsBelow: 0, entries };
  }
}

const writes = new Writes(client.db(plan.database));

async function measureEngine(measurement: Measurement): Promise<Measured> {
  blockSize.take();
  const measured = await measure((lane) => callEngine(lane).catch(() => 'failed'), measurement);
  paymentsABlock = blockSize.take();
  return measured;
}

/** In blocks of as many payments as the engine has made last, so many of them at once as hold the payments at once. */
async function measureWrites({ lanes, perSecond, ...measurement }: Measurement): Promise<Measured> {
  const blocks = Math.max(1, Math.round(lanes / paymentsABlock));
  const measured = await measure(writes.call, {
    ...measurement,
    lanes: blocks,
    perSecond: perSecond === null ? null : perSecond / paymentsABlock,
  });
  return { ...measured, ok: measured.ok * paymentsABlock };
}

answerMeasurements((measurement) => {
  return measurement.target.kind === 'engine' ? measureEngine(measurement) : measureWrites(measurement);
});
