import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, EngineDeps } from '../../src/ledger/engine.ts';
import type { AppendResult, Claim, ClaimResult, EncodedBlock } from '../../src/ledger/ports.ts';
import { MongoClaims } from '../../src/mongo/claims.ts';
import { MongoJournal } from '../../src/mongo/journal.ts';
import { migrateUp } from '../../src/mongo/migrate.ts';
import { faultsOf, type Told } from '../simulation/check-journal.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { useDatabase } from '../support/database.ts';
import { addAccounts, allClaims, portsOver, startEngine } from '../support/engine.ts';

const database = useDatabase();
const accounts = [
  anAccount('world:EUR', { minBalance: null }),
  ...Array.from({ length: 20 }, (_, i) => anAccount(`a${i}`)),
  anAccount('nok', { currency: 'NOK' }),
  anAccount('elsewhere', { book: 1 }),
];
const running: Engine[] = [];

function start(deps: Partial<EngineDeps> = {}): Engine {
  const engine = startEngine(database.db, deps);
  running.push(engine);
  return engine;
}

async function faults(told: Told[] = []): Promise<string[]> {
  const claims = await allClaims(database.db);
  const journal = new MongoJournal(database.db);
  const blocks = [...(await journal.read(0, 1, 100_000)), ...(await journal.read(1, 1, 100_000))];
  return faultsOf({ blocks, claims, accounts, told });
}

beforeAll(async () => {
  await migrateUp(database.db);
  await addAccounts(database.db, accounts);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.stop()));
  expect(await faults()).toEqual([]);
});

async function fund(engine: Engine, account: string, amount: bigint): Promise<void> {
  expect((await engine.submit(aPayment('world:EUR', account, amount))).entry.kind).toBe('payment');
}

async function posted(account: string): Promise<bigint> {
  return (await new MongoJournal(database.db).balances([account])).get(account)?.posted ?? 0n;
}

describe('the engine on a replica set', () => {
  it('gives 50 callers with the same key one effect and equal answers', async () => {
    const engine = start();
    await fund(engine, 'a0', 1000n);
    const request = aPayment('a0', 'a1', 10n);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => engine.submit({ ...request, id: `${request.id}-${i}` })),
    );
    expect(new Set(answers.map(({ entry }) => JSON.stringify(entry, String))).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await posted('a1')).toBe(10n);
  });

  it('gives 50 callers with the same key at two uncoordinated engines one effect', async () => {
    const engines = [start(), start()];
    await fund(engines[0]!, 'a2', 1000n);
    const request = aPayment('a2', 'a3', 10n);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => engines[i % 2]!.submit({ ...request, id: `${request.id}-${i}` })),
    );
    expect(new Set(answers.map(({ entry }) => entry.id)).size).toBe(1);
    expect(await posted('a3')).toBe(10n);
  });

  it('answers a key again after a restart, and refuses it for another request', async () => {
    const first = start();
    await fund(first, 'a4', 100n);
    const request = aPayment('a4', 'a5', 60n);
    const refused = aPayment('a4', 'a5', 60n);
    const outcome = await first.submit(request);
    expect((await first.submit(refused)).entry.rejection?.reason).toBe('insufficient_funds');
    await first.stop();
    const second = start();
    const again = await second.submit({ ...request, id: 'txn_other' });
    expect(again).toEqual({ ...outcome, replayed: true });
    await fund(second, 'a4', 100n);
    expect((await second.submit({ ...refused, id: 'txn_x' })).entry.rejection?.reason).toBe('insufficient_funds');
    await expect(second.submit({ ...request, fingerprint: 'another' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(await posted('a5')).toBe(60n);
  });

  it.each([
    ['an account that does not exist', aPayment('a0', 'nobody', 1n), 'account_not_found', 1],
    ['an account of another currency', aPayment('a0', 'nok', 1n), 'currency_mismatch', 1],
    ['an account of the ledger itself', aPayment('a0', 'transit:0:1:EUR', 1n), 'account_not_found', 1],
  ])('refuses a payment to %s and writes nothing', async (_, command, code, leg) => {
    const engine = start();
    const count = () => database.db.collection('idempotency').countDocuments();
    const before = await count();
    await expect(engine.submit(command)).rejects.toMatchObject({ code, where: { leg } });
    expect(await count()).toBe(before);
  });

  it('keeps the books right with two engines that append to one book without coordination', async () => {
    const engines = [start(), start()];
    for (let i = 0; i < 20; i++) await fund(engines[i % 2]!, `a${i}`, 500n);
    const told: Told[] = [];
    await Promise.all(
      Array.from({ length: 16 }, async (_, caller) => {
        for (let i = 0; i < 40; i++) {
          const command = aPayment(
            `a${(caller * 7 + i) % 20}`,
            `a${(caller * 3 + i * 11 + 1) % 20}`,
            BigInt(1 + ((i * caller) % 90)),
          );
          if (command.legs[0]!.account === command.legs[1]!.account) continue;
          const { entry } = await engines[(caller + i) % 2]!.submit(command);
          told.push({ key: command.key, answer: entry.kind === 'rejected' ? 'rejected' : 'posted', id: entry.id });
        }
      }),
    );
    expect(engines.some((engine) => engine.stats().taken > 0)).toBe(true);
    await Promise.all(engines.map((engine) => engine.stop()));
    expect(await faults(told)).toEqual([]);
    expect(told.length).toBeGreaterThan(500);
  });

  it('reads accounts again that did not fit into memory', async () => {
    const engine = start({ limits: { accountsInMemoryMax: 8 } });
    for (let i = 0; i < 20; i++) await fund(engine, `a${i}`, 100n);
    const before = await posted('a0');
    for (let i = 1; i < 20; i++) await engine.submit(aPayment(`a${i}`, 'a0', 5n));
    expect(await posted('a0')).toBe(before + 95n);
    expect(engine.stats().accountsInMemory).toBeLessThanOrEqual(8);
  });
});

/** A journal whose next append meets a fate. One that is late arrives when it is looked for, after all others. */
class FatefulJournal extends MongoJournal {
  fate: 'none' | 'answer lost' | 'never sent' | 'arrives late' = 'none';
  late: () => Promise<AppendResult> = async () => ({ landed: 0, ended: 'unknown' });

  override async append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
    const fate = this.fate;
    this.fate = 'none';
    if (fate === 'answer lost') await super.append(blocks);
    if (fate === 'arrives late') this.late = () => super.append(blocks);
    return fate === 'none' ? super.append(blocks) : { landed: 0, ended: 'unknown' };
  }
}

describe('an append with an unknown outcome', () => {
  it.each([
    ['answer lost', 'found in the journal', 0],
    ['never sent', 'sealed and written again', 1],
    ['arrives late', 'sealed and written again, and the late block cannot land', 1],
  ] as const)('(%s) is %s', async (fate, _, seals) => {
    const journal = new FatefulJournal(database.db);
    const engine = start({ journal });
    await fund(engine, 'a6', 100n);
    const before = await posted('a7');
    journal.fate = fate;
    const outcome = await engine.submit(aPayment('a6', 'a7', 30n));
    expect(outcome.entry.kind).toBe('payment');
    expect(engine.stats()).toMatchObject({ seals });
    if (fate === 'arrives late') expect(await journal.late()).toMatchObject({ landed: 0, ended: 'taken' });
    expect(await posted('a7')).toBe(before + 30n);
  });

  it('is told as unknown to a caller whose patience ends, and as what it was when the key is sent again', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    class SlowJournal extends MongoJournal {
      override async append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
        if (blocks[0]!.block.kind === 'entries') await held;
        return super.append(blocks);
      }
    }
    const slow = new SlowJournal(database.db);
    const engine = start({ journal: slow, limits: { callerPatienceMs: 300 } });
    const request = aPayment('world:EUR', 'a8', 5n);
    await expect(engine.submit(request)).rejects.toMatchObject({ code: 'outcome_unknown' });
    release();
    const again = await engine.submit({ ...request, id: 'txn_again' });
    expect(again).toMatchObject({ replayed: true, entry: { id: request.id, kind: 'payment' } });
  });

  it('of a claim is settled by the claim itself', async () => {
    let fate: 'answer lost' | 'never sent' | 'none' = 'answer lost';
    class UnsureClaims extends MongoClaims {
      override async insert(claim: Claim): Promise<ClaimResult> {
        const now = fate;
        fate = now === 'answer lost' ? 'never sent' : 'none';
        if (now === 'answer lost') await super.insert(claim);
        return now === 'none' ? super.insert(claim) : 'unknown';
      }
    }
    const unsure = new UnsureClaims(database.db);
    const engine = start({ claims: unsure });
    const { entry, replayed } = await engine.submit(aPayment('world:EUR', 'a9', 5n));
    expect([entry.kind, replayed]).toEqual(['payment', false]);
  });
});

describe('a payment to an account in another book', () => {
  it('moves the money in one round, over the transit accounts of both books', async () => {
    const engine = start();
    await fund(engine, 'a11', 100n);
    const { blocks } = engine.stats();
    const outcome = await engine.submit(aPayment('a11', 'elsewhere', 30n));
    expect(outcome.entry.postings.map(({ account, amount }) => [account, amount])).toEqual([
      ['a11', -30n],
      ['elsewhere', 30n],
    ]);
    expect(engine.stats().blocks).toBe(blocks + 2);
    expect([await posted('transit:0:1:EUR'), await posted('transit:1:0:EUR')]).toEqual([30n, -30n]);
    const again = start();
    expect(await again.submit({ ...aPayment('a11', 'elsewhere', 30n), key: outcome.entry.key })).toEqual({
      ...outcome,
      replayed: true,
    });
  });

  it.each(['answer lost', 'never sent', 'arrives late'] as const)(
    'is right when an append is unknown: %s',
    async (fate) => {
      const journal = new FatefulJournal(database.db);
      const engine = start({ journal });
      await fund(engine, 'a12', 100n);
      await engine.submit(aPayment('a12', 'elsewhere', 1n));
      const before = [await posted('a12'), await posted('elsewhere')] as const;
      journal.fate = fate;
      const { entry } = await engine.submit(aPayment('a12', 'elsewhere', 40n));
      expect(entry.kind).toBe('payment');
      if (fate === 'arrives late') expect(await journal.late()).toMatchObject({ landed: 0, ended: 'taken' });
      expect([await posted('a12'), await posted('elsewhere')]).toEqual([before[0] - 40n, before[1] + 40n]);
    },
  );

  it('ends in both books when its process dies between them, and another drives it on', async () => {
    class HalfJournal extends MongoJournal {
      override async append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
        if (blocks.every(({ block }) => block.kind !== 'entries' || block.book === 0)) return super.append(blocks);
        // The debit lands; then this process is never heard of again.
        await super.append(blocks.filter(({ block }) => block.book === 0));
        return new Promise(() => undefined);
      }
    }
    const dying = start({ journal: new HalfJournal(database.db), limits: { callerPatienceMs: 300 } });
    await fund(dying, 'a13', 100n);
    const before = [await posted('a13'), await posted('elsewhere')] as const;
    const request = aPayment('a13', 'elsewhere', 25n);
    await expect(dying.submit(request)).rejects.toMatchObject({ code: 'outcome_unknown' });
    running.splice(running.indexOf(dying), 1);
    expect([await posted('a13'), await posted('elsewhere')]).toEqual([before[0] - 25n, before[1]]);
    const report = await start({ limits: { recoveryIntervalMs: 60_000 } }).recover(0);
    expect(report).toMatchObject({ claims: 1, drivenOn: 1, finished: 1 });
    expect(await posted('elsewhere')).toBe(before[1] + 25n);
  });
});

describe('a claim whose owner is gone', () => {
  const abandon = async (at: number) => {
    const command = aPayment('world:EUR', 'a10', 7n);
    const claim = { id: `claim-${command.id}`, owner: 'gone', at, state: 'pending' as const, commands: [command] };
    expect(await portsOver(database.db).claims.insert(claim)).toBe('inserted');
    return command;
  };

  it('is driven on by recovery while it is young', async () => {
    const command = await abandon(Date.now() - 20_000);
    const engine = start({ limits: { recoverAfterMs: 0, recoveryIntervalMs: 60_000 } });
    await expect.poll(() => engine.stats().blocks).toBeGreaterThan(0);
    const again = await engine.submit({ ...command, id: 'txn_again' });
    expect(again).toMatchObject({ replayed: true, entry: { id: command.id, kind: 'payment' } });
  });

  it('ends as expired when it is old', async () => {
    const command = await abandon(Date.now() - 120_000);
    const engine = start({ limits: { recoveryIntervalMs: 60_000 } });
    expect(await engine.recover(0)).toMatchObject({ expired: 1 });
    const again = await engine.submit({ ...command, id: 'txn_again' });
    expect(again.entry).toMatchObject({ id: command.id, kind: 'rejected', rejection: { reason: 'expired' } });
  });

  it('is driven on by whoever sends its key again', async () => {
    const command = await abandon(Date.now());
    const engine = start({ limits: { recoveryIntervalMs: 60_000 } });
    const again = await engine.submit({ ...command, id: 'txn_again' });
    expect(again).toMatchObject({ replayed: true, entry: { id: command.id, kind: 'payment' } });
    await engine.recover(0);
  });

  it('is driven on once by several recoverers at the same time', async () => {
    const commands = await Promise.all(Array.from({ length: 5 }, () => abandon(Date.now() - 20_000)));
    const engines = [start(), start(), start()];
    await Promise.all(engines.map((engine) => engine.recover(0)));
    const found = await new MongoJournal(database.db).findEntries(commands.map(({ id }) => id));
    expect(found.map(({ entry }) => entry.id).sort()).toEqual(commands.map(({ id }) => id).sort());
  });
});
