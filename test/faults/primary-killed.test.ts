import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTransient, LedgerError } from '../../src/ledger/errors.ts';
import { createClient } from '../../src/mongo/client.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { MongoJournal } from '../../src/mongo/journal.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { faultsOf, type Told } from '../simulation/check-journal.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { addAccounts, allClaims, startEngine } from '../support/engine.ts';
import { quietLog } from '../support/log.ts';

const ACCOUNTS = 12;
const CALLERS = 24;

let set: EmbeddedReplicaSet;
let client: MongoClient;

beforeAll(async () => {
  set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
  client = await createClient(set.uri).connect();
});

afterAll(async () => {
  await client.close();
  await set.stop();
});

async function primary(): Promise<number> {
  let index: number | null = null;
  await expect.poll(async () => (index = await set.primaryIndex()), { timeout: 30_000 }).not.toBeNull();
  return index!;
}

describe('the primary killed with SIGKILL under load', () => {
  it('loses no acknowledged payment, doubles none, and leaves the balances right', async () => {
    const db = client.db('primary_killed');
    await migrateUp(db);
    const accounts = [
      anAccount('world:EUR', { minBalance: null }),
      ...Array.from({ length: ACCOUNTS }, (_, i) => anAccount(`a${i}`)),
    ];
    await addAccounts(db, accounts);
    const engine = startEngine(db, {
      limits: { callerPatienceMs: 4_000, recoverAfterMs: 1_000, recoveryIntervalMs: 500 },
    });
    const told: Told[] = [];
    let running = true;
    let acknowledgedSinceKill = 0;

    const call = async (caller: number, i: number): Promise<void> => {
      const source = i % 3 === 0 ? 'world:EUR' : `a${(caller + i) % ACCOUNTS}`;
      const command = aPayment(source, `a${(caller * 5 + i * 7 + 1) % ACCOUNTS}`, BigInt(1 + (i % 40)));
      if (command.legs[0]!.account === command.legs[1]!.account) return;
      try {
        const { entry } = await engine.submit(command);
        told.push({ key: command.key, answer: entry.kind === 'rejected' ? 'rejected' : 'posted', id: entry.id });
        acknowledgedSinceKill++;
      } catch (error) {
        if (!(error instanceof LedgerError) || !isTransient(error.code)) throw error;
        told.push({ key: command.key, answer: error.code === 'outcome_unknown' ? 'unknown' : 'refused' });
      }
    };
    const callers = Array.from({ length: CALLERS }, async (_, caller) => {
      for (let i = 0; running; i++) await call(caller, i);
    });

    await sleep(1_500);
    for (let kills = 0; kills < 2; kills++) {
      const killed = await primary();
      await set.members[killed]!.kill('SIGKILL');
      acknowledgedSinceKill = 0;
      await expect.poll(() => acknowledgedSinceKill, { timeout: 30_000 }).toBeGreaterThan(100);
      await set.restart(killed);
      await sleep(1_000);
    }
    running = false;
    await Promise.all(callers);
    await expect
      .poll(() => db.collection('idempotency').countDocuments({ state: 'pending' }), { timeout: 20_000 })
      .toBe(0);
    await engine.stop();

    const blocks = await new MongoJournal(db).read(0, 1, 1_000_000);
    expect(faultsOf({ blocks, claims: await allClaims(db), accounts, told })).toEqual([]);
    expect(told.filter(({ answer }) => answer === 'posted').length).toBeGreaterThan(500);
  });
});
