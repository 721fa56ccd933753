/** Connections to the replica set of the test run, each test file in a database of its own. */
import { randomUUID } from 'node:crypto';
import type { Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, inject } from 'vitest';
import { createClient } from '../../src/mongo/client.ts';

export interface TestDatabase {
  readonly uri: string;
  readonly name: string;
  readonly client: MongoClient;
  readonly db: Db;
}

function freshDatabaseName(): string {
  return `test_${randomUUID().replaceAll('-', '')}`;
}

/** A connected client with the settings of the service; the caller closes it. */
export async function connectClient(uri: string = inject('mongodbUri')): Promise<MongoClient> {
  return createClient(uri).connect();
}

/**
 * Call at the top of a test file or a `describe`: connects before its tests, and afterwards drops the database and
 * closes the client. The answer's fields may be read from within tests and hooks only.
 */
export function useDatabase(): TestDatabase {
  const name = freshDatabaseName();
  let client: MongoClient;
  beforeAll(async () => {
    client = await connectClient();
  });
  afterAll(async () => {
    await client.db(name).dropDatabase();
    await client.close();
  });
  return {
    name,
    get uri() {
      return inject('mongodbUri');
    },
    get client() {
      return client;
    },
    get db() {
      return client.db(name);
    },
  };
}
