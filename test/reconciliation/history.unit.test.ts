/** Random days, reconciled one after the other: what must hold after each of them, by a model that only counts. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Run } from '../../src/reconciliation/run.ts';
import type { Break, Reconciliation, Resolution } from '../../src/reconciliation/types.ts';
import { CutOff, cutOffAt } from './support/cut-off.ts';
import { DAYS, type Day, history, type Movement, movementsOf } from './support/history.ts';
import { MemoryWorld } from './support/memory-world.ts';
import { csvOf, DAY, type Line } from './support/sides.ts';

const RUNS = Number(process.env.RUNS ?? 40);
const DAY_MS = 86_400_000;
/** Later than all lines and items. */
const END = DAYS + 4;

test('every line and every item is in one place after each day, and crashes change nothing', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (lived) => {
      const all = movementsOf(lived);
      const [sound, cut] = [new MemoryWorld(), new MemoryWorld()];
      const model = new Model(all);
      for (let day = 0; day < END; day++) {
        const { resolves, cuts }: Day = lived.days[day] ?? { resolves: 0, cuts: [] };
        const reconciliation = await importDay(sound, all, day);
        await cut.store.insert(reconciliation);
        cut.files.whole.set(reconciliation.id, sound.files.whole.get(reconciliation.id)!);
        for (const world of [sound, cut]) world.items.all.splice(0, Number.POSITIVE_INFINITY, ...upTo(all, day));
        const before = structuredClone([...sound.breaks.all.values()]);
        await sound.run(reconciliation.id);
        model.check(sound, before, reconciliation, day);
        await runWithCuts(cut, reconciliation.id, cuts);
        expect(cut.state()).toEqual(sound.state());
        await resolveSome([sound, cut], resolves);
      }
      model.checkEnd(sound);
    }),
    { numRuns: RUNS },
  );
}, 120_000);

test('and so it is when statements come in any order, of a ledger that has all of it', async () => {
  const days = Array.from({ length: END }, (_, day) => day);
  const order = fc.shuffledSubarray(days, { minLength: END });
  await fc.assert(
    fc.asyncProperty(history, order, async (lived, shuffled) => {
      const all = movementsOf(lived);
      const world = new MemoryWorld();
      world.items.all.push(...upTo(all, END));
      const model = new Model(all);
      for (const [i, day] of shuffled.entries()) {
        const reconciliation = await importDay(world, all, day, i);
        const before = structuredClone([...world.breaks.all.values()]);
        await world.run(reconciliation.id);
        const done = new Set(shuffled.slice(0, i + 1).map((one) => DAY + one));
        model.check(world, before, reconciliation, null, (one) => done.has(one));
        await resolveSome([world], lived.days[day]?.resolves ?? 0);
      }
    }),
    { numRuns: RUNS },
  );
}, 120_000);

const upTo = (all: readonly Movement[], day: number) =>
  all.flatMap(({ items }) => items).filter(({ at }) => at < (DAY + day + 1) * DAY_MS);

/** `on`: the day on which it comes. */
function importDay(world: MemoryWorld, all: readonly Movement[], day: number, on = day + 1): Promise<Reconciliation> {
  world.now = (DAY + on) * DAY_MS;
  const lines = all.flatMap((one) => one.lines).filter((line) => line.day === DAY + day);
  // Without any line two statements would be the same file.
  const text = `statement ${day}`;
  const own: Line = { amount: 1_234_567 + day, day: DAY + day, text };
  return world.import(csvOf([...lines, own]), { from: DAY + day, to: DAY + day });
}

async function runWithCuts(world: MemoryWorld, id: string, cuts: Day['cuts']): Promise<void> {
  for (const { at, isDone } of cuts) {
    const reconciliation = (await world.store.get(id))!;
    if (reconciliation.status !== 'running') return;
    await new Run(cutOffAt(world.deps, at, isDone), reconciliation).execute().catch((error: unknown) => {
      if (!(error instanceof CutOff)) throw error;
    });
  }
  if ((await world.store.get(id))!.status === 'running') await world.run(id);
}

async function resolveSome(worlds: readonly MemoryWorld[], count: number): Promise<void> {
  const [first] = worlds;
  const at = new Date(first!.now - 1);
  const resolution: Resolution = {
    ...{ by: 'kari', at, how: 'reason', reason: 'it may stay', transactionId: null, reconciliation: null, rule: null },
  };
  const open = [...first!.breaks.all.values()].filter(({ status }) => status === 'open');
  for (const { id } of open.slice(0, count)) for (const world of worlds) await world.breaks.resolve(id, resolution);
}

const lineOf = ({ line }: Break) => (line === null ? null : `${line.reconciliation} ${line.line}`);

class Model {
  readonly #matchedLines = new Set<string>();
  /** All of earlier statements. */
  readonly #lines: string[] = [];

  constructor(readonly all: readonly Movement[]) {}

  /** `upTo`: the last day that was reconciled; null: they are in no order. `isDone`: of a day, was it reconciled? */
  check(
    world: MemoryWorld,
    before: readonly Break[],
    { id, file }: Reconciliation,
    upTo: number | null,
    isDone: (day: number) => boolean = () => true,
  ): void {
    const breaks = [...world.breaks.all.values()];
    const open = breaks.filter(({ status }) => status === 'open');
    for (let i = 0; i < file!.lines; i++) this.#lines.push(`${id} ${i + 2}`);
    const matches = world.store.matchesOf(id);
    for (const { lines, breaks: named } of matches) {
      const own = lines.map((line) => `${id} ${line}`);
      const carried = named.map((one) => lineOf(before.find((was) => was.id === one)!)!);
      for (const line of [...own, ...carried]) {
        expect(this.#matchedLines, 'a line that is matched again').not.toContain(line);
        this.#matchedLines.add(line);
      }
    }
    const resolved = breaks.filter(({ resolution }) => resolution !== null && resolution.how !== 'settled');
    for (const line of this.#lines) {
      const places = [this.#matchedLines.has(line), ...[...open, ...resolved].map((one) => lineOf(one) === line)];
      expect(places.filter(Boolean), `places of line ${line}`).toHaveLength(1);
    }
    const matched = [...world.store.all.keys()].flatMap((one) =>
      world.store.matchesOf(one).flatMap(({ items }) => items),
    );
    for (const { id: item, reference, at } of world.items.all) {
      const places = [...matched, ...[...open, ...resolved].map((one) => one.item?.id)].filter((one) => one === item);
      const isSeen = isDone(Math.floor(at / DAY_MS)) || places.length > 0;
      expect(places, `places of the item ${reference}`).toHaveLength(isSeen ? 1 : 0);
    }
    for (const { cause, expectedBy } of open)
      if (cause === 'timing' && upTo !== null) expect(expectedBy).toBeGreaterThanOrEqual(DAY + upTo);
    // What somebody has resolved is as it was.
    for (const one of before.filter(({ status }) => status === 'resolved')) expect(breaks).toContainEqual(one);
    const told = world.notices.told;
    expect(new Set(told).size).toBe(told.length);
    for (const one of breaks) expect(told).toContain(`reconciliation.break_opened ${one.id}`);
    const settled = breaks.filter(({ resolution }) => resolution?.how === 'settled').length;
    expect(told.filter((one) => one.startsWith('reconciliation.break_resolved'))).toHaveLength(settled);
  }

  /** What became of each, unless somebody resolved something of it. */
  checkEnd(world: MemoryWorld): void {
    const breaks = [...world.breaks.all.values()];
    for (const { fate, items, lines } of this.all) {
      const ids = new Set(items.map(({ id }) => id));
      const names = new Set(lines.map((line) => line.reference));
      const its = breaks.filter(({ line, item }) => names.has(line?.references[0]) || ids.has(item?.id ?? ''));
      if (its.some(({ resolution }) => resolution?.by === 'kari')) continue;
      const open = its.filter(({ status }) => status === 'open').map(({ cause }) => cause);
      expect([fate, ...open.sort()]).toEqual([fate, ...EXPECTED[fate]]);
      if (fate === 'next_day')
        expect(its).toMatchObject([{ cause: 'timing', resolution: { how: 'settled', rule: 'reference' } }]);
    }
  }
}

/** Open in the end. */
const EXPECTED: Readonly<Record<Movement['fate'], readonly string[]>> = {
  same_day: [],
  next_day: [],
  late: ['date_differs'],
  never: ['missing_there'],
  twice: ['duplicate_there'],
  again: ['duplicate_there'],
  amended: ['missing_here'],
  amended_late: ['date_differs', 'missing_here'],
  differs: ['amount_differs'],
  only_there: ['missing_here'],
  ledger_late: [],
  ledger_twice: ['duplicate_here'],
  instalments: [],
  swapped: [],
  unnamed: [],
  paid_out: [],
  // Which of them it was nobody can tell.
  paid_out_in_part: ['missing_here', 'missing_there', 'missing_there', 'missing_there'],
};
