/** What becomes of breaks when later statements come: lines and items are in one place, always. */
import { expect, test } from 'vitest';
import type { Break } from '../../src/reconciliation/types.ts';
import { MemoryWorld } from './support/memory-world.ts';
import { anItem, csvOf, DAY, type Line } from './support/sides.ts';

class Scene extends MemoryWorld {
  has(name: string, amount: number, day: number, more: Parameters<typeof anItem>[3] = {}): this {
    this.items.all.push(anItem(name, amount, day, more));
    return this;
  }

  /** The statement of a day, with a line besides that agrees. */
  async day(day: number, ...lines: Line[]): Promise<this> {
    const agrees = { reference: `AGREES-${day + 100}`, amount: 5, day: DAY + day };
    this.has(agrees.reference, agrees.amount, agrees.day);
    await this.reconcile(csvOf([...lines, agrees]), { from: DAY + day, to: DAY + day });
    return this;
  }

  /** `<cause> <reference and amount of the line> / <of the item>`. */
  get open(): string[] {
    return this.#shown(({ status }) => status === 'open');
  }

  get resolved(): string[] {
    return this.#shown(({ status }) => status === 'resolved');
  }

  get matched(): string[] {
    const items = new Map(this.items.all.map(({ id, reference }) => [id, reference]));
    const all = [...this.store.saved.values()].flatMap(({ matches }) => matches);
    return all
      .flatMap((match) => match.items.map((id) => `${match.rule} ${items.get(id)}`))
      .filter((one) => !one.includes('AGREES'))
      .sort();
  }

  #shown(wanted: (one: Break) => boolean): string[] {
    return [...this.breaks.all.values()]
      .filter(wanted)
      .map(({ cause, line, item }) => {
        const there = line === null ? '-' : `${line.references[0]} ${line.amount}`;
        return `${cause} ${there} / ${item === null ? '-' : `${item.reference} ${item.amount}`}`;
      })
      .sort();
  }
}

const at = (day: number) => DAY + day;

test('amounts that differ stay told together when later statements do not look at that day any more', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0, { reference: 'INV-100001', amount: 1_001, day: at(0) });
  const differ = ['amount_differs INV-100001 1001 / INV-100001 1000'];
  expect(scene.open).toEqual(differ);
  for (const day of [1, 2, 3, 10]) expect((await scene.day(day)).open).toEqual(differ);
  // 40 days later the item is further away than anything is looked for.
  expect((await scene.day(40)).open).toEqual(differ);
});

test('an item whose amount differs is matched by the corrected line; the wrong one stays', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0, { reference: 'INV-100001', amount: 1_001, day: at(0) });
  await scene.day(1, { reference: 'INV-100001', amount: 1_000, day: at(1) });
  expect(scene.matched).toEqual(['reference INV-100001']);
  expect(scene.open).toEqual(['missing_here INV-100001 1001 / -']);
  // And then the ledger has what the wrong line was.
  scene.has('another', 1_001, at(1), { reference: 'INV-100001' });
  await scene.day(2);
  expect([scene.open, scene.matched.length]).toEqual([[], 2]);
});

test('a corrected line that comes much later takes the item over, and the wrong line is not lost', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0, { reference: 'INV-100001', amount: 1_001, day: at(0) });
  await scene.day(8, { reference: 'INV-100001', amount: 1_000, day: at(8) });
  expect(scene.matched).toEqual([]);
  expect(scene.open).toEqual(['date_differs INV-100001 1000 / INV-100001 1000', 'missing_here INV-100001 1001 / -']);
  for (const day of [9, 14]) expect((await scene.day(day)).open).toHaveLength(2);
});

test('a line that is matched leaves its item, which is told by itself', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0, { reference: 'INV-100001', amount: 1_001, day: at(0) });
  scene.has('another', 1_001, at(1), { reference: 'INV-100001' });
  await scene.day(4);
  expect(scene.matched).toEqual(['reference INV-100001']);
  expect(scene.open).toEqual(['missing_there - / INV-100001 1000']);
});

test('a line that is told with another item leaves its first one, which is told by itself', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0, { reference: 'INV-100001', amount: 1_001, day: at(0) });
  // Of the same amount, on another date.
  scene.has('another', 1_001, at(9), { reference: 'INV-100001' });
  await scene.day(10);
  expect(scene.open).toEqual(['date_differs INV-100001 1001 / INV-100001 1001', 'missing_there - / INV-100001 1000']);
  expect((await scene.day(11)).open).toHaveLength(2);
});

test('a line and an item of two breaks that are told together are one break; the other goes on as it', async () => {
  const scene = new Scene();
  await scene.day(0, { reference: 'INV-100001', amount: 1_001, day: at(0) });
  scene.has('INV-100001', 1_000, at(9));
  expect(scene.open).toEqual(['missing_here INV-100001 1001 / -']);
  await scene.day(9);
  expect(scene.open).toEqual(['amount_differs INV-100001 1001 / INV-100001 1000']);
  expect((await scene.day(12)).open).toHaveLength(1);
});

test('a timing break is settled by the next statement, and told once', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0);
  expect(scene.open).toEqual(['timing - / INV-100001 1000']);
  await scene.day(1, { reference: 'INV-100001', amount: 1_000, day: at(1) });
  expect([scene.open, scene.resolved]).toEqual([[], ['timing - / INV-100001 1000']]);
  await scene.day(2);
  expect(scene.notices.told.filter((one) => one.includes('break'))).toHaveLength(2);
});

test('what was expected is missing once its day is over, and differs in its date when it comes', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  for (const day of [0, 1, 2, 3]) expect((await scene.day(day)).open).toEqual(['timing - / INV-100001 1000']);
  expect((await scene.day(4)).open).toEqual(['missing_there - / INV-100001 1000']);
  await scene.day(5, { reference: 'INV-100001', amount: 1_000, day: at(5) });
  expect(scene.open).toEqual(['date_differs INV-100001 1000 / INV-100001 1000']);
});

test('what somebody resolved is not told again, whatever the days of its sides', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(25, { reference: 'INV-100001', amount: 1_000, day: at(25) });
  const [one] = scene.breaks.all.values();
  expect(one).toMatchObject({ cause: 'date_differs' });
  const resolution = { by: 'kari', at: new Date(), how: 'reason', reason: 'late', transactionId: null } as const;
  await scene.breaks.resolve(one!.id, { ...resolution, reconciliation: null, rule: null });
  for (const day of [0, 1, -6]) await scene.day(day);
  expect(scene.open).toEqual([]);
});

test('the same line in a later statement is one too many', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0, { reference: 'INV-100001', amount: 1_000, day: at(0) });
  await scene.day(1, { reference: 'INV-100001', amount: 1_000, day: at(1) });
  expect(scene.open).toEqual(['duplicate_there INV-100001 1000 / -']);
  // The ledger has it twice, too, by then.
  scene.has('INV-100001 again', 1_000, at(1), { reference: 'INV-100001' });
  await scene.day(2);
  expect([scene.open, scene.matched.length]).toEqual([[], 2]);
});

test('the run that finds that something expected later has not come does not agree', async () => {
  const scene = new Scene().has('INV-100001', 1_000, at(0));
  await scene.day(0);
  const last = () => [...scene.store.all.values()].at(-1)!;
  expect([scene.open, last().ok]).toEqual([['timing - / INV-100001 1000'], true]);
  await scene.day(2);
  expect([scene.open, last().ok]).toEqual([['timing - / INV-100001 1000'], true]);
  await scene.day(6);
  expect(scene.open).toEqual(['missing_there - / INV-100001 1000']);
  expect(last()).toMatchObject({ ok: false, external: { breaksOpened: 0, breaksOverdue: 1 } });
  await scene.day(7);
  expect(last()).toMatchObject({ ok: true, external: { breaksOverdue: 0 } });
});
