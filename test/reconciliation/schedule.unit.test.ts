/** What is done at a time of the schedule, and what is made of the files that somebody has put into the inbox. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log } from '../../src/ledger/ports.ts';
import type { SourceLease } from '../../src/reconciliation/ports.ts';
import { Reconciliations, type ReconciliationsDeps } from '../../src/reconciliation/reconciliations.ts';
import { Schedule } from '../../src/reconciliation/schedule.ts';
import { Sources } from '../../src/reconciliation/source.ts';
import { MemoryWorld, SOURCE } from './support/memory-world.ts';
import { csvOf, DAY } from './support/sides.ts';

const TIME = new Date('2026-03-05T06:00:00.000Z');
const LATER = new Date('2026-03-05T07:00:00.000Z');
const NOBODY_READS = { debug: () => {}, info: () => {}, warn: () => {} };

/** One lease, and any number of those who would hold it. */
class Leases {
  #holder: object | null = null;

  lease(): SourceLease {
    const me = {};
    const isFree = () => this.#holder === null || this.#holder === me;
    return {
      hold: async () => {
        if (isFree()) this.#holder = me;
        return this.#holder === me;
      },
      isHeld: () => this.#holder === me,
      release: async () => {
        if (this.#holder === me) this.#holder = null;
      },
    };
  }
}

let inbox: string;
let world: MemoryWorld;
let leases: Leases;
let errors: string[];

beforeEach(() => {
  inbox = mkdtempSync(join(tmpdir(), 'kvitt-inbox-'));
  world = new MemoryWorld();
  world.now = Date.now();
  leases = new Leases();
  errors = [];
});
afterEach(() => rmSync(inbox, { recursive: true }));

/** An instance that has just started. */
function instance(more: Partial<ReconciliationsDeps> = {}, folder: string | null = inbox): Schedule {
  const log: Log = { ...NOBODY_READS, error: (_, message) => errors.push(message) };
  const sources = new Sources({ [SOURCE]: world.config, other: world.config });
  const lease = () => new Leases().lease();
  const reconciliations = new Reconciliations({ ...world.deps, sources, lease, log, ...more });
  return new Schedule({ reconciliations, sources, lease: leases.lease(), log, expression: '0 6 * * *', inbox: folder });
}

/** Puts a file there that nobody has written to for some time. */
function put(path: string, text: string, ageMs = 60_000): void {
  const whole = join(inbox, path);
  mkdirSync(join(whole, '..'), { recursive: true });
  writeFileSync(whole, text);
  const at = new Date(Date.now() - ageMs);
  utimesSync(whole, at, at);
}

const csv = (i: number) => csvOf([{ reference: `INV-${i}`, amount: 100, day: DAY }]);

const kept = () =>
  [...world.store.all.values()].map(({ source, kind, status, file, failure }) =>
    [source, kind, status, file?.name ?? failure ?? ''].join(' ').trim(),
  );

describe('at a time of the schedule', () => {
  it('the ledger is compared with itself, once, whichever instances there are', async () => {
    const instances = [1, 2, 3].map(() => instance());
    await Promise.all(instances.map((one) => one.run(TIME)));
    // One whose clock is late, and one that has just started.
    for (const one of [...instances, instance()]) await one.run(TIME);
    expect(kept()).toEqual(['default internal running']);
    await instances[1]!.run(LATER);
    expect(kept()).toHaveLength(2);
  });

  it('what another instance does is left to it', async () => {
    const other = leases.lease();
    await other.hold();
    put(`${SOURCE}/one.csv`, csv(1));
    await instance().run(TIME);
    expect(kept()).toEqual([]);
    await other.release();
    await instance().run(TIME);
    expect(kept()).toEqual(['bank statement running one.csv', 'default internal running']);
  });

  it('what is left of files that nobody knows is swept away', async () => {
    const writer = world.files.open('rec_00000000-0000-7000-8000-000000000000');
    await writer.finish();
    put(`${SOURCE}/one.csv`, csv(1));
    await instance().run(TIME);
    expect([...world.files.whole.keys()]).toEqual([...world.store.all.keys()].slice(0, 1));
  });

  it('no inbox is needed', async () => {
    for (const folder of [null, join(inbox, 'nowhere')]) await instance({}, folder).run(TIME);
    expect([kept(), errors]).toEqual([['default internal running'], []]);
  });

  it('the right is given back, also when something goes wrong', async () => {
    const begin = async () => Promise.reject(new Error('no database'));
    await expect(instance({ store: { ...world.store, running: begin } as never }).run(TIME)).rejects.toThrow();
    await instance().run(TIME);
    expect(kept()).toHaveLength(1);
  });
});

describe('the inbox', () => {
  it('has its files taken in once, by the name of their folder, whoever looks and whatever they are called', async () => {
    put(`${SOURCE}/a.csv`, csv(1));
    put(`${SOURCE}/b.txt`, csv(2));
    put('other/a.csv', csv(1));
    put('unknown/a.csv', csv(3));
    put('a.csv', csv(4));
    put(`${SOURCE}/.hidden.csv`, csv(5));
    put(`${SOURCE}/folder/deep.csv`, csv(6));
    const one = instance();
    for (const time of [TIME, LATER]) await one.run(time);
    await instance().run(TIME);
    const statements = kept().filter((each) => each.includes('statement'));
    expect(statements).toEqual([
      'bank statement running a.csv',
      'bank statement running b.txt',
      'other statement running a.csv',
    ]);
    // The same bytes under another name are the same statement.
    put(`${SOURCE}/copy.csv`, csv(1));
    put(`${SOURCE}/new.csv`, csv(7));
    await one.run(LATER);
    expect(kept().filter((each) => each.includes('statement'))).toEqual([
      ...statements,
      'bank statement running new.csv',
    ]);
  });

  it('leaves files alone to which somebody still writes', async () => {
    put(`${SOURCE}/a.csv`, csv(1).slice(0, 40), 1_000);
    const one = instance();
    await one.run(TIME);
    expect(kept()).toEqual(['default internal running']);
    put(`${SOURCE}/a.csv`, csv(1));
    await one.run(LATER);
    expect(kept()).toContain('bank statement running a.csv');
  });

  it('has damaged files recorded as failed once, also by those who start later, and again once they are changed', async () => {
    put(`${SOURCE}/bad.csv`, `${csv(1)}INV-2,1.001,EUR,2026-03-02,,\n`);
    put(`${SOURCE}/good.csv`, csv(1));
    const one = instance();
    for (const time of [TIME, LATER]) await one.run(time);
    for (let i = 0; i < 3; i++) await instance().run(LATER);
    const failed = () => kept().filter((each) => each.includes('failed'));
    expect(failed()).toEqual([expect.stringMatching(/^bank statement failed bad\.csv: .*line 3/)]);
    expect(kept()).toContain('bank statement running good.csv');
    put(`${SOURCE}/bad.csv`, `${csv(1)}INV-2,1.00,EUR,2026-02-30,,\n`, 30_000);
    await one.run(LATER);
    expect(failed()).toHaveLength(2);
    put(`${SOURCE}/bad.csv`, csv(9), 20_000);
    await one.run(LATER);
    expect(kept()).toContain('bank statement running bad.csv');
  });

  it('has all of its files taken in, however many were taken in before', async () => {
    for (let i = 0; i < 60; i++) put(`${SOURCE}/${String(i).padStart(3, '0')}.csv`, csv(i));
    const one = instance();
    await one.run(TIME);
    expect(kept()).toHaveLength(61);
    put(`${SOURCE}/zzz.csv`, csv(1_000));
    await one.run(LATER);
    expect(kept()).toContain('bank statement running zzz.csv');
  });

  it('does not keep the ledger from being looked at where a file cannot be taken in, which is tried again', async () => {
    put(`${SOURCE}/a.csv`, csv(1));
    put(`${SOURCE}/b.csv`, csv(2));
    let broken = 1;
    const { store } = world;
    const insert = async (one: Parameters<typeof store.insert>[0]) => {
      if (one.file !== null && broken-- > 0) throw new Error('no database');
      return await store.insert(one);
    };
    const flaky = new Proxy(store, { get: (target, name) => (name === 'insert' ? insert : bound(target, name)) });
    const one = instance({ store: flaky });
    await one.run(TIME);
    expect(kept()).toEqual(['bank statement running b.csv', 'default internal running']);
    expect(errors).toHaveLength(1);
    await one.run(LATER);
    expect(kept()).toContain('bank statement running a.csv');
  });

  it('waits where too much is being reconciled', async () => {
    for (let i = 0; i < 102; i++) put(`${SOURCE}/${String(i).padStart(3, '0')}.csv`, csv(i));
    const one = instance();
    await expect(one.run(TIME)).rejects.toMatchObject({ code: 'reconciliation_running' });
    expect(kept()).toHaveLength(100);
    for (const id of world.store.all.keys()) await world.store.update(id, { status: 'succeeded' });
    await one.run(LATER);
    expect(kept()).toHaveLength(103);
  });
});

function bound(target: object, name: string | symbol): unknown {
  const member: unknown = Reflect.get(target, name, target);
  return typeof member === 'function' ? member.bind(target) : member;
}
