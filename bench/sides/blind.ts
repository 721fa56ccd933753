import { randomUUID } from 'node:crypto';
import type { Db, MongoClient } from 'mongodb';
import { up as createLedger } from '../../migrations/0001-ledger.ts';
import type { Command, Entry } from '../../src/ledger/types.ts';
import { encodeBlock } from '../../src/mongo/block-codec.ts';
import { encodeClaim } from '../../src/mongo/claim-codec.ts';
import { WRITE_TIMEOUT_MS } from '../../src/mongo/client.ts';
import { insertRaw } from '../../src/mongo/raw-insert.ts';
import type { Side } from '../side.ts';
import { commandOf } from '../workload.ts';

interface Waiting {
  readonly command: Command;
  readonly done: () => void;
}

const BLOCK_MAX = 1000;
const CLAIM_MAX = 4000;

/**
 * The store's limit: the same claims and blocks under the same indexes, written in the same two overlapping groups, by
 * somebody who decides nothing, knows no balance, and looks at no answer but that the insert succeeded.
 */
export async function blindInsert(client: MongoClient, database: string): Promise<Side> {
  const db = client.db(database);
  await createLedger(db);
  let height = 0;
  const blocks = new Groups(db, 'journal', (group) => chunks(group).map((chunk) => blockBytes(chunk, ++height)));
  // In the rhythm of the engine: a claim leaves together with the blocks before it.
  const claims = new Groups(
    db,
    'idempotency',
    (group) => [claimBytes(group)],
    () => blocks.flushed,
  );
  const once = (command: Command) => claims.write(command).then(() => blocks.write(command));
  return {
    name: 'blind insert of the same blocks and claims',
    transfer: async (transfers) => {
      await Promise.all(transfers.map((transfer) => once(commandOf(transfer))));
    },
    close: async () => undefined,
  };
}

/** Group commit: one insert in flight, whoever arrives meanwhile is in the next. */
class Groups {
  #waiting: Waiting[] = [];
  #running = false;
  #flight: Promise<unknown> = Promise.resolve();

  constructor(
    readonly db: Db,
    readonly collection: string,
    readonly encode: (commands: Command[]) => Uint8Array[],
    readonly ready: () => Promise<unknown> = async () => undefined,
  ) {}

  /** Resolves at the end of the insert in flight. */
  get flushed(): Promise<unknown> {
    return this.#flight;
  }

  write(command: Command): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ command, done });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      await this.ready();
      const group = this.#waiting.splice(0, this.collection === 'journal' ? 8 * BLOCK_MAX : CLAIM_MAX);
      const documents = this.encode(group.map(({ command }) => command));
      const flight = insertRaw(this.db, this.collection, documents, WRITE_TIMEOUT_MS);
      this.#flight = flight;
      const { ended, cause } = await flight;
      if (ended !== 'done') throw new Error(`the blind insert failed: ${ended}`, { cause });
      for (const { done } of group) done();
    }
    this.#running = false;
  }
}

function* slices<T>(all: readonly T[]): Generator<T[]> {
  for (let i = 0; i < all.length; i += BLOCK_MAX) yield all.slice(i, i + BLOCK_MAX);
}

function chunks(commands: Command[]): Command[][] {
  return [...slices(commands)];
}

function claimBytes(commands: Command[]): Uint8Array {
  return encodeClaim({ id: randomUUID(), owner: 'blind', at: Date.now(), state: 'pending', commands });
}

function blockBytes(commands: Command[], height: number): Uint8Array {
  const entries: Entry[] = commands.map(({ id, key, kind, legs, details }) => ({
    id,
    key,
    kind,
    postings: legs.map((leg) => ({ ...leg, posted: 1_000_000n, held: 0n })),
    details,
  }));
  const block = {
    book: 0,
    height,
    prev: new Uint8Array(32),
    term: 1,
    at: Date.now(),
    kind: 'entries' as const,
    postingsBelow: 2 * (height - 1) * commands.length,
    entries,
  };
  return encodeBlock(block).bytes;
}
