/** A run that is cut off anywhere, and gone on with by others, ends as one that never was. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { LedgerItem } from '../../src/matching/types.ts';
import { importStatement } from '../../src/reconciliation/importing.ts';
import { Run } from '../../src/reconciliation/run.ts';
import type { Resolution } from '../../src/reconciliation/types.ts';
import { CutOff, cutOffAt, slow } from './support/cut-off.ts';
import { bytesOf, MemoryWorld, SOURCE } from './support/memory-world.ts';
import { anItem, csvOf, DAY, type Line } from './support/sides.ts';

const SEEDS = 60;
const reference = (i: number) => `INV-${100_000 + i}`;

/** The first statement leaves breaks of all kinds; the second one is kept, and not run yet. */
interface Scene {
  readonly world: MemoryWorld;
  readonly id: string;
}

async function makeScene(payments: number): Promise<Scene> {
  const world = new MemoryWorld();
  const first: Line[] = [];
  const second: Line[] = [];
  const late: LedgerItem[] = [];
  for (let i = 0; i < payments; i++) {
    const [name, amount] = [reference(i), 1_000 + 100 * i];
    const has = (more: { amount?: number; day?: number } = {}) =>
      world.items.all.push(anItem(name, more.amount ?? amount, more.day ?? DAY));
    const line = (more: Partial<Line> = {}): Line => ({ reference: name, amount, day: DAY, ...more });
    const next = (more: Partial<Line> = {}) => second.push(line({ day: DAY + 1, ...more }));
    switch (i % 12) {
      case 0:
        // Comes with the next statement.
        has();
        next();
        break;
      case 1:
        // Differs, and is corrected.
        has();
        first.push(line({ amount: amount + 1 }));
        next();
        break;
      case 2:
        // Differs, and goes on differing: the line is matched, the item is left.
        has();
        first.push(line({ amount: amount + 1 }));
        late.push(anItem(`${name} late`, amount + 1, DAY + 1, { reference: name }));
        break;
      case 3:
        first.push(line());
        break;
      case 4:
        // Two breaks that become one.
        has({ amount: amount + 5, day: DAY + 1 });
        first.push(line({ day: DAY - 1 }));
        break;
      case 5:
        has();
        first.push(line(), line());
        break;
      case 6:
        next({ amount: amount + 3 });
        has({ day: DAY + 1 });
        break;
      case 7:
        next();
        break;
      case 8:
        // Never comes.
        has({ day: DAY - 5 });
        break;
      default:
        has({ day: DAY + 1 });
        next();
    }
  }
  await world.reconcile(csvOf(first), { from: DAY - 6, to: DAY });
  world.items.all.push(...late);
  world.now += 86_400_000;
  const { id } = await world.import(csvOf(second), { from: DAY + 1, to: DAY + 1 });
  return { world, id };
}

/** What comes meanwhile: the ledger has what only the statement had, and more. */
function grow({ items }: MemoryWorld): void {
  for (const i of [3, 7, 15, 19])
    items.all.push(anItem(`${reference(i)} grown`, 1_000 + 100 * i, DAY + 1, { reference: reference(i) }));
  items.all.push(anItem('INV-999999', 77, DAY + 1));
}

let scene: Scene;
let undisturbed: ReturnType<MemoryWorld['state']>;

beforeAll(async () => {
  scene = await makeScene(36);
  const world = scene.world.copy();
  await world.run(scene.id);
  undisturbed = world.state();
});

test('the scene has all that may become of breaks', () => {
  const { breaks, matches } = undisturbed;
  const before = new Set(scene.world.breaks.all.keys());
  const carried = breaks.filter(({ id }) => before.has(id));
  const was = (id: string) => scene.world.breaks.all.get(id)!;
  expect(carried.filter(({ resolution }) => resolution?.rule === 'reference').length).toBeGreaterThan(0);
  expect(carried.filter(({ resolution }) => resolution?.how === 'settled').length).toBeGreaterThan(0);
  expect(carried.filter(({ id, line }) => was(id).line !== null && line === null).length).toBeGreaterThan(0);
  expect(carried.filter(({ id, item }) => was(id).item !== null && item === null).length).toBeGreaterThan(0);
  expect(breaks.filter(({ id }) => !before.has(id)).length).toBeGreaterThan(3);
  expect(matches.flat().length).toBeGreaterThan(10);
});

describe('a run that is cut off and gone on with ends as one that was not: ', () => {
  test.each(['began', 'verified', 'compared', 'matches_kept', 'breaks_kept', 'told'] as const)(
    'at %s',
    async (point) => {
      const world = scene.world.copy();
      const crashPoint = (at: string) => {
        if (at === point) throw new CutOff(at);
      };
      await expect(world.run(scene.id, { crashPoint })).rejects.toThrow(CutOff);
      grow(world);
      await world.run(scene.id);
      expect(world.state()).toEqual(undisturbed);
    },
  );

  test.each([true, false])('at each call of a port (%s: its answer is lost, it has no effect)', async (isDone) => {
    let at = 0;
    for (let isCut = true; isCut; at++) {
      const world = scene.world.copy();
      isCut = await endsEarly(world, at, isDone);
      if (at > 2) grow(world);
      await world.run(scene.id);
      expect(world.state(), `call ${at}`).toEqual(undisturbed);
    }
    expect(at).toBeGreaterThan(30);
  });

  test('at every second call, over and over', async () => {
    const world = scene.world.copy();
    for (let at = 3; await endsEarly(world, at, at % 4 < 2); at += 2) grow(world);
    expect(world.state()).toEqual(undisturbed);
  });

  async function endsEarly(world: MemoryWorld, at: number, isDone: boolean): Promise<boolean> {
    try {
      const reconciliation = (await world.store.get(scene.id))!;
      await new Run(cutOffAt(world.deps, at, isDone), reconciliation).execute();
      return false;
    } catch (error) {
      if (!(error instanceof CutOff)) throw error;
      return true;
    }
  }
});

test('two that run at the same time end as one, also when the ledger grows between them', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = scene.world.copy();
    const random = randomOf(seed);
    const reconciliation = (await world.store.get(scene.id))!;
    const tips = async () => {
      const found = await world.items.tips();
      grow(world);
      return found;
    };
    const items = { tips, items: world.items.items.bind(world.items) };
    const runs = [1, 2].map(() => new Run(slow({ ...world.deps, items }, random), reconciliation).execute());
    await Promise.all(runs);
    const { asOf } = (await world.store.get(scene.id))!;
    // Whichever of the two decided it.
    if (asOf![0]!.height === scene.world.items.all.length) expect(world.state(), `seed ${seed}`).toEqual(undisturbed);
    expectWhole(world);
  }
});

test('one that was paused changes nothing of what came after it', async () => {
  const world = scene.world.copy();
  const reconciliation = (await world.store.get(scene.id))!;
  let goOn = () => {};
  const paused = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const late = new Run({ ...world.deps, crashPoint: (at) => at === 'compared' && paused }, reconciliation).execute();
  await world.run(scene.id);
  const next = { reference: reference(8), amount: 1_111, day: DAY + 2 };
  await world.reconcile(csvOf([next]), { from: DAY + 2, to: DAY + 2 });
  const after = world.state();
  goOn();
  await late;
  expect(world.state()).toEqual(after);
});

test('people work on breaks while it is cut off, and what they did stays', async () => {
  let at = 4;
  for (let isCut = true; isCut; at++) {
    const world = scene.world.copy();
    const reconciliation = (await world.store.get(scene.id))!;
    isCut = await new Run(cutOffAt(world.deps, at, true), reconciliation).execute().then(
      () => false,
      () => true,
    );
    const open = [...world.breaks.all.values()].find(({ status }) => status === 'open')!;
    await world.breaks.change(open.id, { assignee: 'kari' }, new Date());
    await world.breaks.comment(open.id, { by: 'kari', at: new Date(), text: 'asked' });
    await world.run(scene.id);
    expect(await world.breaks.get(open.id)).toMatchObject({ assignee: 'kari', comments: [{ text: 'asked' }] });
    const withoutPeople = world.state().breaks.map((one) => ({ ...one, assignee: null, comments: [] }));
    expect(withoutPeople, `call ${at}`).toEqual(undisturbed.breaks);
  }
});

test('what it keeps is kept once where there is so much of it that it is kept in pieces', async () => {
  const { world, id } = await makeScene(3_700);
  const whole = world.copy();
  await whole.run(id);
  const expected = whole.state();
  expect(whole.store.saved.size).toBeGreaterThan(2);
  for (const point of ['matches_kept', 'breaks_kept'] as const) {
    const cut = world.copy();
    const crashPoint = (at: string) => {
      if (at === point) throw new CutOff(at);
    };
    await expect(cut.run(id, { crashPoint })).rejects.toThrow(CutOff);
    grow(cut);
    await cut.run(id);
    expect(cut.state()).toEqual(expected);
  }
  // In the middle of a piece.
  for (const batch of ['opened:500', 'resolved:0']) {
    const cut = world.copy();
    const notices = {
      append: async (name: string, ...rest: [never]) => {
        if (name.endsWith(batch)) throw new CutOff(name);
        return await cut.notices.append(name, ...rest);
      },
    };
    await expect(cut.run(id, { notices })).rejects.toThrow(CutOff);
    await cut.run(id);
    expect(cut.state()).toEqual(expected);
  }
});

test('more breaks than anybody could work through are refused, and nothing is kept', async () => {
  const world = new MemoryWorld();
  const lines = Array.from({ length: 100_001 }, (_, i) => ({ reference: reference(i), amount: 100, day: DAY }));
  const before = world.breaks.all.size;
  await expect(world.reconcile(csvOf(lines))).rejects.toMatchObject({ name: 'TooManyBreaks' });
  expect([world.breaks.all.size, world.store.saved.size, world.notices.all]).toEqual([before, 0, []]);
  const [kept] = world.store.all.values();
  expect(kept).toMatchObject({ status: 'running', step: 'match', external: null });
});

test('a dry run tells what would come of it, and changes nothing', async () => {
  const world = scene.world.copy();
  const { dryRun: _, ...wet } = (await world.store.get(scene.id))!;
  await world.store.remove(scene.id);
  const before = world.state();
  const csv = Buffer.from(world.files.whole.get(scene.id)!).toString();
  const options = { source: SOURCE, config: world.config, startedBy: 'test', from: DAY + 1, to: DAY + 1, dryRun: true };
  const { reconciliation } = await importStatement(world.deps, bytesOf(csv), options);
  const done = await world.run(reconciliation.id);
  expect(wet.external).toBe(null);
  const opened = undisturbed.breaks.filter((one) => one.reconciliation === scene.id);
  expect(done.preview).toHaveLength(opened.length);
  await world.store.remove(reconciliation.id);
  expect(world.state()).toEqual(before);
});

const PERSON: Omit<Resolution, 'at'> = {
  ...{ by: 'kari', how: 'reason', reason: 'it may stay', transactionId: null, reconciliation: null, rule: null },
};

test('what somebody resolves while it is cut off is never reopened', async () => {
  for (const point of ['compared', 'matches_kept', 'breaks_kept'] as const) {
    for (const id of scene.world.breaks.all.keys()) {
      const world = scene.world.copy();
      const crashPoint = (at: string) => {
        if (at === point) throw new CutOff(at);
      };
      await expect(world.run(scene.id, { crashPoint })).rejects.toThrow(CutOff);
      const isResolved = await world.breaks.resolve(id, { ...PERSON, at: new Date(world.now) });
      await world.run(scene.id);
      if (isResolved) expect(await world.breaks.get(id)).toMatchObject({ resolution: { by: 'kari' } });
      expectWhole(world, isResolved ? id : null);
    }
  }
});

/** Each item that was looked at and each line is in one place, but for what is in a break that somebody resolved. */
function expectWhole(world: MemoryWorld, resolved: string | null = null): void {
  const places = new Map<string, number>();
  const put = (what: string) => places.set(what, (places.get(what) ?? 0) + 1);
  for (const id of world.store.all.keys()) {
    for (const { lines, items } of world.store.matchesOf(id)) {
      for (const line of lines) put(`${id} ${line}`);
      items.forEach(put);
    }
  }
  for (const one of world.breaks.all.values()) {
    if (one.status !== 'open') continue;
    if (one.line !== null) put(`${one.line.reconciliation} ${one.line.line}`);
    if (one.item !== null) put(one.item.id);
  }
  const known = resolved === null ? null : world.breaks.all.get(resolved)!;
  const excused = new Set(known === null ? [] : [known.item?.id, `${known.line?.reconciliation} ${known.line?.line}`]);
  const twice = [...places].filter(([what, times]) => times > 1 && !excused.has(what));
  expect(twice).toEqual([]);
}

function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}
