/** The whole service in this process, wired as in production, over a database of its own. */
import type { Db } from 'mongodb';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { generateApiKey } from '../../../src/http/auth.ts';
import { createLog } from '../../../src/log.ts';
import { type Service, startService } from '../../../src/main.ts';
import { MongoAudit } from '../../../src/mongo/audit.ts';
import { useDatabase } from '../../support/database.ts';
import { Api } from './api.ts';

export interface TestService {
  readonly api: Api;
  readonly db: Db;
  /** The settings that it runs with, as variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** Before the tests end, for those who want the database for themselves. */
  stop(): Promise<void>;
  /** Ends it, and starts it again over the same database with these settings changed. */
  restart(changed: Record<string, string>): Promise<void>;
}

/**
 * Call at the top of a test file or a `describe`: starts the service before its tests and stops it after them. The
 * answer's fields may be read from within tests and hooks only.
 */
export function useService(settings: Record<string, string> | (() => Record<string, string>) = {}): TestService {
  const database = useDatabase();
  const key = generateApiKey();
  let environment: Record<string, string>;
  let service: Service;
  let api: Api;
  const start = async () => {
    service = await startService(readConfig(environment), createLog('error'), { http: true, consumer: true });
    api = new Api(service.address!, key);
  };
  beforeAll(async () => {
    environment = {
      MONGODB_URI: database.uri,
      MONGODB_DATABASE: database.name,
      HTTP_PORT: '0',
      BOOTSTRAP_API_KEY: key,
      ...(typeof settings === 'function' ? settings() : settings),
    };
    await start();
  });
  afterAll(() => service?.stop());
  return {
    get api() {
      return api;
    },
    get db() {
      return database.db;
    },
    get environment() {
      return environment;
    },
    stop: () => service.stop(),
    restart: async (changed) => {
      await service.stop();
      environment = { ...environment, ...changed };
      await start();
    },
  };
}

/** How many documents each collection of the ledger has: what bad input must not change. */
export async function countDocuments(db: Db): Promise<Record<string, number>> {
  const names = ['journal', 'idempotency', 'accounts', 'payments', 'reconciliations'];
  const counts = await Promise.all(names.map((name) => db.collection(name).countDocuments()));
  return Object.fromEntries(names.map((name, i) => [name, counts[i]!]));
}

/** Waits until the list of payments holds everything that the journal does now. */
export async function listsCaughtUp(db: Db): Promise<void> {
  const tips = await new MongoAudit(db).tips();
  await vi.waitFor(
    async () => {
      const taken = await new MongoAudit(db).checkpoints('payments');
      for (const { book, height } of tips) expect(taken.get(book) ?? 0).toBeGreaterThanOrEqual(height);
    },
    { timeout: 40_000, interval: 50 },
  );
}
