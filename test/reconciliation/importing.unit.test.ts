/** What is kept of a statement that comes, and of one that does not come whole. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { importStatement } from '../../src/reconciliation/importing.ts';
import type { StatementFileWriter } from '../../src/reconciliation/ports.ts';
import { Reconciliations, type ReconciliationsDeps } from '../../src/reconciliation/reconciliations.ts';
import { Sources } from '../../src/reconciliation/source.ts';
import { quietLog } from '../support/log.ts';
import { bytesOf, MemoryWorld, SOURCE } from './support/memory-world.ts';
import { anItem, csvOf, DAY } from './support/sides.ts';

const LINES = Array.from({ length: 200 }, (_, i) => ({ reference: `INV-${100_000 + i}`, amount: 100 + i, day: DAY }));
const CSV = csvOf(LINES);
const OPTIONS = { source: SOURCE, startedBy: 'test' };

function reconciliationsOf(world: MemoryWorld, more: Partial<ReconciliationsDeps> = {}): Reconciliations {
  const lease = () => ({ hold: async () => true, isHeld: () => true, release: async () => undefined });
  const sources = new Sources({ [SOURCE]: world.config, other: world.config });
  return new Reconciliations({ ...world.deps, sources, lease, log: quietLog, ...more });
}

afterEach(() => void vi.useRealTimers());

const kept = ({ store, files }: MemoryWorld) => [store.all.size, files.begun.size, files.whole.size];

/** The writer of the files, of which one thing goes wrong. */
function filesThat(world: MemoryWorld, wrong: (writer: StatementFileWriter) => Partial<StatementFileWriter>) {
  const { files } = world;
  const open = (id: string) => {
    const writer = files.open(id);
    return { ...writer, ...wrong(writer) };
  };
  return {
    open,
    read: files.read.bind(files),
    remove: files.remove.bind(files),
    removeOrphans: files.removeOrphans.bind(files),
  };
}

describe('nothing is kept of a statement', () => {
  test('whose writing fails at any piece, or at its end', async () => {
    const pieces = Math.ceil(CSV.length / 700);
    for (let at = 0; at <= pieces; at++) {
      const world = new MemoryWorld();
      let count = 0;
      const failing = async () => {
        throw new Error('disk is full');
      };
      const files = filesThat(world, (writer) => ({
        write: (chunk) => (count++ === at ? failing() : writer.write(chunk)),
        ...(at === pieces ? { finish: failing } : {}),
      }));
      const importing = importStatement({ ...world.deps, files }, bytesOf(CSV), { ...OPTIONS, config: world.config });
      await expect(importing).rejects.toThrow('disk is full');
      expect(kept(world)).toEqual([0, 0, 0]);
    }
  });

  test('whose sender is cut off at any piece', async () => {
    for (let pieces = 0; pieces < CSV.length / 700; pieces++) {
      const world = new MemoryWorld();
      async function* input() {
        let left = pieces;
        for await (const piece of bytesOf(CSV)) {
          if (left-- === 0) throw new Error('connection reset');
          yield piece;
        }
      }
      const importing = importStatement(world.deps, input(), { ...OPTIONS, config: world.config });
      await expect(importing).rejects.toThrow('connection reset');
      expect(kept(world)).toEqual([0, 0, 0]);
    }
  });

  test.each([
    ['that is wrong at its end', `${CSV}INV-1,1.001,EUR,2026-03-02,,\n`],
    ['that is cut off in its last record', `${CSV}INV-1,1.00`],
    ['that is empty', ''],
    ['without any line', csvOf([])],
  ])('%s', async (_, csv) => {
    const world = new MemoryWorld();
    await expect(world.import(csv)).rejects.toMatchObject({ name: 'StatementError' });
    expect(kept(world)).toEqual([0, 0, 0]);
  });

  test('of which it cannot be found out whether it is known', async () => {
    const world = new MemoryWorld();
    const store = {
      insert: world.store.insert.bind(world.store),
      findByFile: async () => Promise.reject(new Error('no database')),
    };
    const options = { ...OPTIONS, config: world.config };
    await expect(importStatement({ ...world.deps, store }, bytesOf(CSV), options)).rejects.toThrow('no database');
    expect(kept(world)).toEqual([0, 0, 0]);
  });
});

test('the file stays while nobody knows whether its reconciliation was kept; else it is swept away', async () => {
  for (const isKept of [true, false]) {
    const world = new MemoryWorld();
    world.items.all.push(...LINES.map(({ reference, amount, day }) => anItem(reference, amount, day)));
    const store = {
      findByFile: world.store.findByFile.bind(world.store),
      insert: async (one: Parameters<typeof world.store.insert>[0]) => {
        if (isKept) await world.store.insert(one);
        throw new Error('the answer is lost');
      },
    };
    const options = { ...OPTIONS, config: world.config };
    await expect(importStatement({ ...world.deps, store }, bytesOf(CSV), options)).rejects.toThrow('lost');
    world.now = Date.now() + 2 * 86_400_000;
    expect(await reconciliationsOf(world).sweep()).toBe(isKept ? 0 : 1);
    // Whoever sends it again learns what became of it.
    const again = await reconciliationsOf(world).import(bytesOf(CSV), OPTIONS);
    expect(again.isKnown).toBe(isKept);
    expect(await world.run(again.reconciliation.id)).toMatchObject({ status: 'succeeded', ok: true });
  }
});

describe('the same file again', () => {
  test('is what it was, for its source only, and keeps no second copy', async () => {
    const world = new MemoryWorld();
    const reconciliations = reconciliationsOf(world);
    const first = await reconciliations.import(bytesOf(CSV), OPTIONS);
    const again = await reconciliations.import(bytesOf(CSV), OPTIONS);
    expect(again).toMatchObject({ isKnown: true, reconciliation: { id: first.reconciliation.id } });
    expect(kept(world)).toEqual([1, 1, 1]);
    const other = await reconciliations.import(bytesOf(CSV), { ...OPTIONS, source: 'other' });
    expect(other.isKnown).toBe(false);
  });

  test('while the first one still comes is one of them, and the other keeps nothing', async () => {
    const world = new MemoryWorld();
    const reconciliations = reconciliationsOf(world);
    const both = await Promise.all([1, 2, 3].map(() => reconciliations.import(bytesOf(CSV), OPTIONS)));
    expect(both.map(({ isKnown }) => isKnown).sort()).toEqual([false, true, true]);
    expect(new Set(both.map(({ reconciliation }) => reconciliation.id)).size).toBe(1);
    expect(kept(world)).toEqual([1, 1, 1]);
  });

  test('is no dry run, and a dry run is not it', async () => {
    const world = new MemoryWorld();
    const reconciliations = reconciliationsOf(world);
    for (const dryRun of [true, false, true]) {
      expect(await reconciliations.import(bytesOf(CSV), { ...OPTIONS, dryRun })).toMatchObject({ isKnown: false });
    }
  });

  test('is tried anew where it failed, by whoever looks for work', async () => {
    const world = new MemoryWorld();
    const many = Array.from({ length: 100_001 }, (_, i) => ({ reference: `INV-${i}`, amount: 100, day: DAY }));
    const reconciliations = reconciliationsOf(world);
    const { reconciliation } = await reconciliations.import(bytesOf(csvOf(many)), OPTIONS);
    await reconciliations.attempt(reconciliation.id);
    expect(await world.store.get(reconciliation.id)).toMatchObject({ status: 'failed', step: null });
    // What was missing is posted meanwhile.
    world.items.all.push(...many.slice(0, 50_000).map(({ reference, amount, day }) => anItem(reference, amount, day)));
    const again = await reconciliations.import(bytesOf(csvOf(many)), OPTIONS);
    expect(again).toMatchObject({ isKnown: true, reconciliation: { id: reconciliation.id, status: 'running' } });
    expect((await world.store.running()).map(({ id, step }) => [id, step])).toEqual([[reconciliation.id, 'verify']]);
    await reconciliations.attempt(reconciliation.id);
    expect(await world.store.get(reconciliation.id)).toMatchObject({
      ...{ status: 'succeeded', failure: null },
      external: { matchedLines: 50_000 },
    });
  });

  test('goes on with what was found before where some of that is kept already', async () => {
    const world = new MemoryWorld();
    const failing = async () => Promise.reject(new Error('no database'));
    const { breaks } = world;
    const cut = {
      openBefore: breaks.openBefore.bind(breaks),
      get: breaks.get.bind(breaks),
      insert: failing,
    } as unknown as typeof breaks;
    world.items.all.push(...LINES.slice(0, 50).map(({ reference, amount, day }) => anItem(reference, amount, day)));
    const reconciliations = reconciliationsOf(world, { breaks: cut });
    const { reconciliation } = await reconciliations.import(bytesOf(CSV), OPTIONS);
    for (let i = 0; i < 5; i++) await reconciliations.attempt(reconciliation.id);
    expect(await world.store.get(reconciliation.id)).toMatchObject({ status: 'failed', step: 'record' });
    world.items.all.push(...LINES.slice(50).map(({ reference, amount, day }) => anItem(reference, amount, day)));
    const sound = reconciliationsOf(world);
    const again = await sound.import(bytesOf(CSV), OPTIONS);
    // That some of it is kept stays known, also of one that is cut off before it keeps any more.
    const read = () => {
      throw new Error('no database');
    };
    const files = { ...filesThat(world, () => ({})), read };
    await reconciliationsOf(world, { files }).attempt(reconciliation.id);
    expect(await world.store.get(reconciliation.id)).toMatchObject({ status: 'running', step: 'record' });
    await sound.attempt(again.reconciliation.id);
    const done = await world.store.get(reconciliation.id);
    expect(done).toMatchObject({ status: 'succeeded', external: { matchedLines: 50, breaksOpened: 150 } });
    expect([world.store.matchesOf(reconciliation.id).length, world.breaks.all.size]).toEqual([50, 150]);
  });
});

describe('of several that wait for one source', () => {
  test('the one that has kept some of what it found goes first, then the oldest', async () => {
    const world = new MemoryWorld();
    const reconciliations = reconciliationsOf(world);
    const ids: string[] = [];
    for (const day of [0, 1, 2]) {
      const line = { reference: 'INV-100001', amount: 100 + day, day: DAY + day };
      const { reconciliation } = await reconciliations.import(bytesOf(csvOf([line])), OPTIONS);
      ids.push(reconciliation.id);
    }
    await world.store.update(ids[1]!, { step: 'record', asOf: await world.items.tips() });
    const done: string[] = [];
    const update = world.store.update.bind(world.store);
    world.store.update = async (id, change, from) => {
      if (change.status === 'succeeded') done.push(id);
      return await update(id, change, from);
    };
    // Whichever of them somebody waits for.
    await reconciliations.carryOut(ids[2]!);
    expect(done).toEqual([ids[1], ids[0], ids[2]]);
  });

  test('a newer one waits while an older one is tried again', async () => {
    const world = new MemoryWorld();
    let isBroken = true;
    const items = {
      tips: world.items.tips.bind(world.items),
      items: (query: Parameters<typeof world.items.items>[0]) => {
        if (isBroken) throw new Error('no database');
        return world.items.items(query);
      },
    };
    const reconciliations = reconciliationsOf(world, { items });
    const [first, second] = [csvOf(LINES.slice(0, 3)), csvOf(LINES.slice(3, 6))];
    const older = (await reconciliations.import(bytesOf(first), OPTIONS)).reconciliation;
    const newer = (await reconciliations.import(bytesOf(second), OPTIONS)).reconciliation;
    vi.useFakeTimers({ shouldAdvanceTime: true });
    reconciliations.start();
    await vi.advanceTimersByTimeAsync(900);
    expect(await world.store.get(newer.id)).toMatchObject({ attempts: 0 });
    isBroken = false;
    expect(await reconciliations.carryOut(newer.id)).toMatchObject({ status: 'succeeded' });
    expect(await world.store.get(older.id)).toMatchObject({ status: 'succeeded', attempts: 2 });
    await reconciliations.close();
  });
});

test('a process that ends before it has begun is not started over and over at once', async () => {
  const world = new MemoryWorld();
  let started = 0;
  const elsewhere = async () => void started++;
  const reconciliations = reconciliationsOf(world, { elsewhere });
  await reconciliations.import(bytesOf(CSV), OPTIONS);
  vi.useFakeTimers();
  reconciliations.start();
  await vi.advanceTimersByTimeAsync(2_700);
  await reconciliations.close();
  expect(started).toBe(2);
});

test('whoever was cut off for long does not say that it failed once it is done', async () => {
  const world = new MemoryWorld();
  let fail = (_: Error) => {};
  const stuck = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const { reconciliation } = await reconciliationsOf(world).import(bytesOf(CSV), OPTIONS);
  await world.store.update(reconciliation.id, { attempts: 4 });
  const late = reconciliationsOf(world, { verify: () => stuck }).attempt(reconciliation.id);
  await new Promise(setImmediate);
  await world.run(reconciliation.id);
  fail(new Error('no database'));
  await late;
  expect(await world.store.get(reconciliation.id)).toMatchObject({ status: 'succeeded', step: null, failure: null });
});
