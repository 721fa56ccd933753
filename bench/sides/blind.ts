import { randomUUID } from 'node:crypto';
import type { Db, MongoClient } from 'mongodb';
import { type Command, type Entry, postingsIn } from '../../src/ledger/types.ts';
import { encodeBlock } from '../../src/mongo/block-codec.ts';
import { encodeClaim } from '../../src/mongo/claim-codec.ts';
import { WRITE_TIMEOUT_MS } from '../../src/mongo/client.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
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
 * The store's limit: the same claims and blocks under the same indexes, written in the same groups, by somebody who
 * decides nothing, knows no balance, and looks at no answer but that the insert succeeded.
 */
export async function blindInsert(client: MongoClient, database: string): Promise<Side> {
  const db = client.db(database);
  await migrateUp(db);
  const writer = new GroupWriter(db);
  return {
    name: 'blind insert of the same blocks and claims',
    transfer: async (transfers) => {
      await Promise.all(transfers.map((transfer) => writer.write(commandOf(transfer))));
    },
    close: async () => undefined,
  };
}

/** Group commit: one claim and then its blocks in flight, whoever arrives meanwhile is in the next group. */
class GroupWriter {
  #waiting: Waiting[] = [];
  #running = false;
  #height = 0;
  #postings = 0;

  constructor(readonly db: Db) {}

  write(command: Command): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ command, done });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      await new Promise(setImmediate);
      const group = this.#waiting.splice(0, CLAIM_MAX);
      const commands = group.map(({ command }) => command);
      await this.#insert('idempotency', [claimBytes(commands)]);
      await this.#insert(
        'journal',
        [...slices(commands)].map((some) => this.#block(some)),
      );
      for (const { done } of group) done();
    }
    this.#running = false;
  }

  async #insert(collection: string, documents: readonly Uint8Array[]): Promise<void> {
    const { ended, cause } = await insertRaw(this.db, collection, documents, WRITE_TIMEOUT_MS);
    if (ended !== 'done') throw new Error(`the blind insert failed: ${ended}`, { cause });
  }

  #block(commands: readonly Command[]): Uint8Array {
    const entries = commands.map(entryOf);
    const bytes = blockBytes(entries, ++this.#height, this.#postings);
    this.#postings += postingsIn({ entries });
    return bytes;
  }
}

function* slices<T>(all: readonly T[]): Generator<T[]> {
  for (let i = 0; i < all.length; i += BLOCK_MAX) yield all.slice(i, i + BLOCK_MAX);
}

function claimBytes(commands: Command[]): Uint8Array {
  return encodeClaim({ id: randomUUID(), owner: 'blind', at: Date.now(), state: 'pending', commands });
}

function entryOf({ id, key, kind, legs, details }: Command): Entry {
  return { id, key, kind, postings: legs.map((leg) => ({ ...leg, posted: 1_000_000n, held: 0n })), details };
}

function blockBytes(entries: readonly Entry[], height: number, postingsBelow: number): Uint8Array {
  const prev = new Uint8Array(32);
  const block = { book: 0, height, prev, term: 1, at: Date.now(), kind: 'entries', postingsBelow, entries } as const;
  return encodeBlock(block).bytes;
}
