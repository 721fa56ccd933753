import type { Db } from 'mongodb';
import { afterAll, describe, type ExpectStatic, it } from 'vitest';
import type { Command } from '../../src/ledger/types.ts';
import { CLAIMS } from '../../src/mongo/claims.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { faultsOf, type Told } from '../simulation/check-journal.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, allBlocks, allClaims, startEngine } from '../support/engine.ts';
import { ACCOUNTS_IN_TWO_BOOKS, again, BOOKS, isSettled, mixedCommand, tellOf } from './support/load.ts';
import type { Point, WorkerPlan } from './support/worker-messages.ts';
import { WorkerProcess } from './support/worker-process.ts';

/** At which arrival the process stops: not at the first, where there is little that could be lost. */
const POINTS: readonly (readonly [name: string, point: Point, arrival: number])[] = [
  ['before a claim', 'before_claim', 3],
  ['after a claim', 'after_claim', 3],
  ['before an append', 'before_append', 3],
  ['in an append, after 1 block', 1, 2],
  ['in an append, after 2 blocks', 2, 2],
  ['in an append, after 3 blocks', 3, 2],
  ['after an append', 'after_append', 3],
  ['before claims are marked done', 'before_done', 1],
  ['after claims were marked done', 'after_done', 1],
];
const LIMITS = { callerPatienceMs: 40_000, recoverAfterMs: 200, recoveryIntervalMs: 100 };
const PATIENCE_MS = 50_000;
const TEST_MS_MAX = 240_000;

const database = useDatabase();
const databases: string[] = [];

afterAll(async () => {
  for (const name of databases) await database.client.db(name).dropDatabase();
});

async function freshDatabase(): Promise<Db> {
  const db = database.client.db(`${database.name}_${databases.length}`);
  databases.push(db.databaseName);
  await migrateUp(db);
  await addAccounts(db, [...ACCOUNTS_IN_TWO_BOOKS]);
  return db;
}

async function faults(db: Db, told: readonly Told[]): Promise<string[]> {
  const claims = await allClaims(db);
  return faultsOf({ blocks: await allBlocks(db, BOOKS), claims, accounts: ACCOUNTS_IN_TWO_BOOKS, told });
}

/** Does what stands now show where the process stopped? */
function isAsPlanned(point: Point, found: readonly string[]): boolean {
  switch (point) {
    case 'before_claim':
    case 'after_done':
      return true;
    case 'after_claim':
    case 'before_append':
      return found.some((fault) => fault.includes('was claimed and stands nowhere'));
    case 'after_append':
    case 'before_done':
      return found.some((fault) => fault.includes('is pending'));
    default:
      return found.some((fault) => /lacks|moved/.test(fault));
  }
}

function planFor(db: Db, point: Point, arrival: number, signal: 'SIGKILL' | 'SIGSTOP'): WorkerPlan {
  return { uri: database.uri, database: db.databaseName, end: { point, arrival, signal } };
}

/** Another process goes on: it takes the unanswered requests again and new ones, and ends every claim. */
async function survive(db: Db, unanswered: readonly Command[], expect: ExpectStatic): Promise<Survivor> {
  const engine = startEngine(db, { limits: LIMITS });
  const commands = [...unanswered.map(again), ...Array.from({ length: 20 }, (_, n) => mixedCommand(n))];
  const told = await Promise.all(commands.map((command) => tellOf(engine, command)));
  expect(told.filter((one) => !isSettled(one))).toEqual([]);
  const pending = () => db.collection(CLAIMS).countDocuments({ state: 'pending' });
  await expect.poll(pending, { timeout: PATIENCE_MS }).toBe(0);
  return { told, stop: () => engine.stop() };
}

interface Survivor {
  readonly told: readonly Told[];
  readonly stop: () => Promise<void>;
}

describe.concurrent('a process killed with SIGKILL', { timeout: TEST_MS_MAX }, () => {
  it.for(POINTS)(
    '%s leaves nothing undone and nothing done twice',
    async ([, point, arrival], { expect, onTestFinished }) => {
      const db = await freshDatabase();
      const worker = new WorkerProcess(planFor(db, point, arrival, 'SIGKILL'));
      onTestFinished(() => worker.kill());
      await worker.loadUntilReached(mixedCommand);
      expect(await worker.ended()).toEqual([null, 'SIGKILL']);
      expect(await faults(db, worker.told)).toSatisfy((found: string[]) => isAsPlanned(point, found));

      const survivor = await survive(db, worker.unanswered(), expect);
      await survivor.stop();
      expect(await faults(db, [...worker.told, ...survivor.told])).toEqual([]);
    },
  );
});

describe.concurrent('a process stopped with SIGSTOP, while another takes over', { timeout: TEST_MS_MAX }, () => {
  it.for(POINTS)('%s does nothing twice when it wakes', async ([, point, arrival], { expect, onTestFinished }) => {
    const db = await freshDatabase();
    const worker = new WorkerProcess(planFor(db, point, arrival, 'SIGSTOP'));
    onTestFinished(() => worker.kill());
    await worker.loadUntilReached(mixedCommand);
    expect(await faults(db, [])).toSatisfy((found: string[]) => isAsPlanned(point, found));

    const left = worker.unanswered();
    const survivor = await survive(db, left, expect);
    expect(left.length).toBeGreaterThan(0);
    expect(worker.unanswered()).toEqual(left);
    worker.signal('SIGCONT');
    await expect.poll(() => worker.unanswered().length, { timeout: PATIENCE_MS }).toBe(0);
    const later = Array.from({ length: 20 }, (_, n) => mixedCommand(n));
    worker.submit(later);
    await expect.poll(() => worker.unanswered().length, { timeout: PATIENCE_MS }).toBe(0);
    const keys = new Set(later.map(({ key }) => key));
    expect(worker.told.filter((one) => keys.has(one.key) && !isSettled(one))).toEqual([]);

    worker.stop();
    expect(await worker.ended()).toEqual([0, null]);
    await survivor.stop();
    expect(await faults(db, [...worker.told, ...survivor.told])).toEqual([]);
  });
});
