/** What every implementation of the stores does, in memory as over MongoDB. */
import { createHash, randomBytes } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Page, PageQuery } from '../../../src/payments/types.ts';
import { begun } from '../../../src/reconciliation/importing.ts';
import type { BreakStore, ReconciliationStore, StatementFiles } from '../../../src/reconciliation/ports.ts';
import type {
  Break,
  BreakItem,
  BreakLine,
  BreakMatter,
  KeptMatch,
  Reconciliation,
  Resolution,
} from '../../../src/reconciliation/types.ts';
import { anItem, DAY } from './sides.ts';

export interface Stores {
  readonly reconciliations: ReconciliationStore;
  readonly breaks: BreakStore;
  readonly files: StatementFiles;
}

const NOW = new Date('2026-03-10T10:00:00.000Z');
const LATER = new Date('2026-03-10T11:00:00.000Z');

let count = 0;

function aReconciliation(more: Partial<Reconciliation> = {}, sha256?: string): Reconciliation {
  const id = `rec_${uuidv7()}`;
  const file = { name: null, sha256: sha256 ?? id, format: 'csv', bytes: 1, lines: 1, statements: [] } as const;
  const one = begun(id, { source: 'bank', startedBy: 'test' }, { now: () => NOW.getTime() });
  return { ...one, kind: 'statement', file, ...more };
}

const aLine = (line: number, reconciliation = 'rec_1'): BreakLine => ({
  ...{ reconciliation, line, day: DAY, amount: 1_000n, currency: 'EUR', direction: 'in', fee: 0n },
  ...{ references: ['INV-1'], text: 'Ærlig talt, 5 €', id: null, batch: null, count: null },
});
const anItemOf = (name: string, day = DAY): BreakItem => ({ ...anItem(name, 1_000, day), reconciliation: 'rec_1' });

function aBreak(more: Partial<Break> = {}): Break {
  count++;
  return {
    ...{ id: `brk_${String(count).padStart(32, '0')}`, source: 'bank', cause: 'missing_here', status: 'open' },
    ...{ currency: 'EUR', amount: 1_000n, day: DAY, expectedBy: null, openedAt: NOW, updatedAt: NOW, assignee: null },
    ...{ reference: 'INV-1', message: 'it differs', line: aLine(count), item: null, reconciliation: 'rec_1' },
    ...{ position: count, comments: [], adjustmentsRejected: 0, resolution: null },
    ...more,
  };
}

const byPerson = (at = LATER): Resolution => ({
  ...{ by: 'kari', at, how: 'reason', reason: 'it may stay', transactionId: null, reconciliation: null, rule: null },
});
const byRun = (reconciliation: string): Resolution => ({
  ...{ by: 'kvitt', at: NOW, how: 'settled', reason: null, transactionId: null, reconciliation, rule: 'reference' },
});

const aMatch = (items: readonly string[]): KeptMatch => ({
  ...{ rule: 'reference', confidence: 0.98, lines: [count++], breaks: [], items, amount: 9_007_199_254_740_993n },
  currency: 'EUR',
});

async function allOf<T>(some: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of some) all.push(one);
  return all;
}

/** All pages from the first, and again from the last. */
async function walk<T>(list: (page: PageQuery) => Promise<Page<T>>, cursorOf: (one: T) => string, limit: number) {
  const forwards: T[] = [];
  for (let page = await list({ limit }); ; ) {
    forwards.push(...page.data);
    expect(page.data.length).toBeLessThanOrEqual(limit);
    if (!page.hasMore) break;
    page = await list({ limit, startingAfter: cursorOf(page.data.at(-1)!) });
  }
  const last = forwards.at(-1);
  if (last === undefined) return forwards;
  const backwards: T[] = [last];
  for (let page = await list({ limit, endingBefore: cursorOf(last) }); ; ) {
    backwards.unshift(...page.data);
    if (!page.hasMore) break;
    page = await list({ limit, endingBefore: cursorOf(page.data[0]!) });
  }
  expect(backwards).toEqual(forwards);
  return forwards;
}

/** `fresh` answers stores with nothing in them. */
export function describeStores(fresh: () => Promise<Stores>): void {
  let stores: Stores;
  beforeEach(async () => {
    stores = await fresh();
  });

  describe('reconciliations', () => {
    it('come back as they were kept', async () => {
      const one = aReconciliation({ asOf: [{ book: 0, height: 12 }], config: null });
      expect(await stores.reconciliations.insert(one)).toBe(null);
      expect(await stores.reconciliations.get(one.id)).toEqual(one);
      expect(await stores.reconciliations.get('rec_none')).toBe(null);
    });

    it('of the same file are one, for each source, but for dry runs', async () => {
      const store = stores.reconciliations;
      const all = [1, 2, 3, 4, 5].map(() => aReconciliation({}, 'abc'));
      const answers = await Promise.all(all.map((one) => store.insert(one)));
      const [kept] = all.filter((_, i) => answers[i] === null);
      expect(answers.filter((one) => one !== null)).toEqual([kept, kept, kept, kept]);
      expect(await store.findByFile('bank', 'abc')).toEqual(kept);
      expect(await store.findByFile('other', 'abc')).toBe(null);
      for (const more of [{ source: 'other' }, { dryRun: true }, { dryRun: true }]) {
        expect(await store.insert(aReconciliation(more, 'abc'))).toBe(null);
      }
      expect(await store.insert(aReconciliation({}, 'abd'))).toBe(null);
    });

    it('of one time of the schedule are one; others are as many as they are', async () => {
      const store = stores.reconciliations;
      const at = (scheduledFor: Date | null) => aReconciliation({ kind: 'internal', file: null, scheduledFor });
      const first = at(NOW);
      expect(await store.insert(first)).toBe(null);
      expect(await store.insert(at(NOW))).toEqual(first);
      for (const time of [LATER, null, null]) expect(await store.insert(at(time))).toBe(null);
    });

    it('change while they are as is said, and not after', async () => {
      const store = stores.reconciliations;
      const one = aReconciliation();
      await store.insert(one);
      expect(await store.update(one.id, { step: 'match', attempts: 2 })).toBe(true);
      expect(await store.update(one.id, { status: 'failed', failure: 'no' })).toBe(true);
      expect(await store.update(one.id, { step: 'tell' })).toBe(false);
      expect(await store.update('rec_none', { step: 'tell' })).toBe(false);
      expect(await store.get(one.id)).toEqual({ ...one, step: 'match', attempts: 2, status: 'failed', failure: 'no' });
      const anew = await Promise.all([1, 2, 3].map(() => store.update(one.id, { status: 'running' }, 'failed')));
      expect(anew.sort()).toEqual([false, false, true]);
    });

    it('are compared as far as was decided first', async () => {
      const store = stores.reconciliations;
      const one = aReconciliation();
      await store.insert(one);
      const heights = [5, 6, 7, 8];
      const decided = await Promise.all(heights.map((height) => store.decideAsOf(one.id, [{ book: 0, height }])));
      for (const each of decided) expect(each).toEqual((await store.get(one.id))!.asOf);
      expect(await store.decideAsOf(one.id, [{ book: 0, height: 99 }])).toEqual(decided[0]);
    });

    it.each([1, 2, 3, 100])('are listed newest first, both ways, %i at a time', async (limit) => {
      const store = stores.reconciliations;
      const all = [];
      for (const i of [0, 1, 2, 3, 4, 5, 6]) {
        const one = aReconciliation({ source: i % 2 ? 'bank' : 'other', status: i % 3 ? 'running' : 'failed' });
        all.unshift(one);
        await store.insert(one);
      }
      const list = (filter: Parameters<typeof store.list>[0]) =>
        walk(
          (page) => store.list(filter, page),
          ({ id }) => id,
          limit,
        );
      expect(await list({})).toEqual(all);
      expect(await list({ source: 'bank' })).toEqual(all.filter(({ source }) => source === 'bank'));
      expect(await list({ source: 'other', status: 'failed' })).toEqual([all[0], all[6]]);
      const running = all.filter(({ status }) => status === 'running');
      expect(await store.running()).toEqual(running.reverse());
    });
  });

  describe('matches', () => {
    it('are kept once under their number, and listed by position', async () => {
      const store = stores.reconciliations;
      const one = aReconciliation();
      const days = { from: DAY, to: DAY };
      const all = Array.from({ length: 7 }, (_, i) => aMatch([`txn_${i}`]));
      await store.saveMatches(one, 1, 4, all.slice(3), days);
      for (let i = 0; i < 2; i++) await store.saveMatches(one, 0, 1, all.slice(0, 3), days);
      await store.saveMatches(one, 0, 1, [aMatch(['txn_other'])], days);
      await store.saveMatches(aReconciliation(), 0, 1, [aMatch(['txn_else'])], days);
      const expected = all.map((match, i) => ({ position: i + 1, ...match }));
      for (const limit of [1, 2, 3, 4, 100]) {
        expect(
          await walk(
            (page) => store.matches(one.id, page),
            ({ position }) => String(position),
            limit,
          ),
        ).toEqual(expected);
      }
    });

    it('and resolved breaks settle items about their days, but for those of the one that asks', async () => {
      const { reconciliations: store, breaks } = stores;
      const [mine, other] = [aReconciliation(), aReconciliation()];
      await store.saveMatches(other, 0, 1, [aMatch(['a', 'b'])], { from: DAY, to: DAY + 3 });
      await store.saveMatches(mine, 0, 1, [aMatch(['mine'])], { from: DAY, to: DAY });
      await store.saveMatches(aReconciliation({ source: 'other' }), 0, 1, [aMatch(['x'])], { from: DAY, to: DAY });
      const resolved: [BreakItem | null, Resolution | null][] = [
        // Its line is of another time.
        [anItemOf('person', DAY + 1), byPerson()],
        [anItemOf('run', DAY + 1), byRun(other.id)],
        [anItemOf('own', DAY + 1), byRun(mine.id)],
        [anItemOf('open', DAY + 1), null],
        [null, byPerson()],
      ];
      for (const [item, resolution] of resolved) {
        const one = aBreak({ item, day: DAY + 90 });
        await breaks.insert([one]);
        if (resolution !== null) await breaks.resolve(one.id, resolution);
      }
      const ids = async (from: number, to: number) =>
        (await allOf(store.settledItems('bank', { from, to }, mine.id))).flat().sort();
      const ofBreaks = [anItemOf('person').id, anItemOf('run').id];
      expect(await ids(DAY - 5, DAY + 9)).toEqual(['a', 'b', ...ofBreaks].sort());
      expect(await ids(DAY + 3, DAY + 3)).toEqual(['a', 'b']);
      expect(await ids(DAY + 1, DAY + 1)).toEqual(['a', 'b', ...ofBreaks].sort());
      expect(await ids(DAY + 4, DAY + 99)).toEqual([]);
      expect(await ids(DAY - 9, DAY - 1)).toEqual([]);
    });
  });

  describe('breaks', () => {
    it('come back as they were kept; those that are there stay as they are', async () => {
      const one = aBreak({ item: anItemOf('INV-1'), amount: 9_007_199_254_740_993n });
      await stores.breaks.insert([one]);
      const more = aBreak();
      await stores.breaks.insert([{ ...one, message: 'another' }, more]);
      expect(await stores.breaks.get(one.id)).toEqual(one);
      expect(await stores.breaks.get(more.id)).toEqual(more);
      await stores.breaks.insert([]);
      expect(await stores.breaks.get('brk_none')).toBe(null);
    });

    it.each([1, 2, 3, 100])(
      'are listed by age, or by position of one that opened them, %i at a time',
      async (limit) => {
        const all = [3, 1, 2, 2, 2, 5, 1].map((days, i) =>
          aBreak({
            ...{ day: DAY + days, reconciliation: i % 2 ? 'rec_1' : 'rec_2', position: 10 - i },
            ...{ assignee: i % 3 ? 'kari' : null, cause: i === 4 ? 'timing' : 'missing_here' },
          }),
        );
        await stores.breaks.insert(all);
        const list = (filter: Parameters<BreakStore['list']>[0]) =>
          walk(
            (page) => stores.breaks.list(filter, page),
            ({ id }) => id,
            limit,
          );
        const byAge = [...all].sort((a, b) => a.day - b.day || (a.id < b.id ? -1 : 1));
        expect(await list({})).toEqual(byAge);
        expect(await list({ upToDay: DAY + 2 })).toEqual(byAge.filter(({ day }) => day <= DAY + 2));
        expect(await list({ assignee: null })).toEqual(byAge.filter(({ assignee }) => assignee === null));
        expect(await list({ assignee: 'kari', cause: 'timing' })).toEqual([all[4]]);
        expect(await list({ status: 'resolved' })).toEqual([]);
        expect(await list({ source: 'other' })).toEqual([]);
        const ofOne = all.filter(({ reconciliation }) => reconciliation === 'rec_1');
        expect(await list({ reconciliation: 'rec_1' })).toEqual(ofOne.reverse());
        const unknown = stores.breaks.list({}, { limit, startingAfter: 'brk_none' });
        await expect(unknown).rejects.toMatchObject({ code: 'invalid_cursor' });
      },
    );

    it('are worked on while they are open', async () => {
      const { breaks } = stores;
      const one = aBreak();
      await breaks.insert([one]);
      expect(await breaks.change(one.id, { assignee: 'kari' }, LATER)).toBe(true);
      expect(await breaks.comment(one.id, { by: 'kari', at: LATER, text: 'asked' })).toBe(true);
      const resolutions = [byPerson(), byRun('rec_2'), byRun('rec_3')];
      const answers = await Promise.all(resolutions.map((resolution) => breaks.resolve(one.id, resolution)));
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await breaks.change(one.id, { assignee: null }, LATER)).toBe(false);
      expect(await breaks.comment(one.id, { by: 'kari', at: LATER, text: 'after' })).toBe(true);
      expect(await breaks.get(one.id)).toMatchObject({
        ...{ status: 'resolved', assignee: 'kari', resolution: resolutions[answers.indexOf(true)] },
        comments: [{ text: 'asked' }, { text: 'after' }],
      });
      for (const id of ['brk_none', '']) {
        expect(await breaks.comment(id, { by: 'kari', at: LATER, text: 'x' })).toBe(false);
        expect(await breaks.resolve(id, byPerson())).toBe(false);
      }
      for (let i = 2; i < 200; i++) await breaks.comment(one.id, { by: 'kari', at: LATER, text: `${i}` });
      expect(await breaks.comment(one.id, { by: 'kari', at: LATER, text: 'too many' })).toBe(false);
    });

    it('are before a reconciliation as they were then, whatever it has done to them', async () => {
      const { breaks } = stores;
      const [kept, changed, settled, resolved] = [aBreak(), aBreak(), aBreak({ item: anItemOf('i') }), aBreak()];
      const long = aBreak();
      const all = [kept, changed, settled, resolved];
      await breaks.insert([...all, long, aBreak({ reconciliation: 'rec_2' }), aBreak({ source: 'other' })]);
      await breaks.resolve(long.id, byPerson(new Date(NOW.getTime() - 1)));
      const openTo = async (id: string) => await allOf(breaks.openBefore('bank', id, NOW));
      expect(await openTo('rec_2')).toEqual(all);
      const to: BreakMatter = {
        ...{ cause: 'amount_differs', line: changed.line, item: anItemOf('new'), message: 'now', expectedBy: 7 },
        ...{ amount: 2n, currency: 'USD', day: DAY + 1, reference: null },
      };
      expect(await breaks.revise(changed, to, 'rec_2', LATER)).toBe(true);
      // Once more it is done already.
      expect(await breaks.revise(changed, to, 'rec_2', LATER)).toBe(false);
      expect(await breaks.get(changed.id)).toEqual({ ...changed, ...to, updatedAt: LATER });
      await breaks.resolve(settled.id, byRun('rec_2'));
      await breaks.resolve(resolved.id, byPerson());
      const again = await openTo('rec_2');
      expect(again.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
      expect(again[1]).toEqual({ ...changed, updatedAt: LATER });
      // For the next one they are as they are now.
      const next = await allOf(breaks.openBefore('bank', 'rec_3', new Date(LATER.getTime() + 1)));
      expect(next.filter(({ reconciliation }) => reconciliation === 'rec_1').map(({ id }) => id)).toEqual([
        kept.id,
        changed.id,
      ]);
      expect(next.find(({ id }) => id === changed.id)).toMatchObject(to);
    });

    it('that are about something else by now, or resolved, are not revised', async () => {
      const { breaks } = stores;
      const [one, other] = [aBreak({ item: anItemOf('i') }), aBreak({ line: null, item: anItemOf('j') })];
      await breaks.insert([one, other]);
      const { cause, line, item, message, expectedBy, amount, currency, day, reference } = one;
      const to = { cause, line, item, message, expectedBy, amount, currency, day, reference };
      const wrong: Partial<Break>[] = [
        ...[{ cause: 'timing' as const }, { line: null }, { line: aLine(999) }, { item: null }],
        ...[{ item: anItemOf('j') }, { line: { ...line!, reconciliation: 'rec_9' } }],
      ];
      for (const than of wrong) expect(await breaks.revise({ ...one, ...than }, to, 'rec_2', LATER)).toBe(false);
      expect(await breaks.revise(other, { ...to, line: null }, 'rec_2', LATER)).toBe(true);
      await breaks.resolve(one.id, byPerson());
      expect(await breaks.revise(one, to, 'rec_2', LATER)).toBe(false);
    });

    it('are counted by source, cause, currency and day while they are open', async () => {
      const { breaks } = stores;
      const some = [{}, {}, { day: DAY + 1 }, { cause: 'timing' as const }, { currency: 'USD' }, { source: 'other' }];
      const all = some.map((more) => aBreak(more));
      await breaks.insert([...all, aBreak()]);
      await breaks.resolve(`brk_${String(count).padStart(32, '0')}`, byPerson());
      const rows = await breaks.ageing('bank');
      expect(rows).toHaveLength(4);
      expect(rows).toContainEqual({
        ...{ source: 'bank', cause: 'missing_here', currency: 'EUR', day: DAY, count: 2, amount: 2_000n },
      });
      expect(await breaks.ageing()).toHaveLength(5);
    });
  });

  describe('files', () => {
    const write = async (id: string, bytes: Uint8Array, piece: number) => {
      const writer = stores.files.open(id);
      for (let at = 0; at < bytes.length; at += piece) await writer.write(bytes.subarray(at, at + piece));
      return writer;
    };
    const idAt = (time: number) => {
      const hex = time.toString(16).padStart(12, '0');
      return `rec_${hex.slice(0, 8)}-${hex.slice(8)}${uuidv7().slice(13)}`;
    };
    const hashOf = async (id: string) => {
      const hash = createHash('sha256');
      for await (const piece of stores.files.read(id)) hash.update(piece);
      return hash.digest('hex');
    };

    it.each([0, 1, 999, 300_000])('of %i bytes come back byte for byte', async (size) => {
      const bytes = randomBytes(size);
      const id = idAt(Date.now());
      await (await write(id, bytes, 777)).finish();
      expect(await hashOf(id)).toBe(createHash('sha256').update(bytes).digest('hex'));
      await stores.files.remove(id);
      await expect(hashOf(id)).rejects.toThrow();
    });

    it('may be left half read', async () => {
      const id = idAt(Date.now());
      await (await write(id, randomBytes(3_000_000), 100_000)).finish();
      for await (const piece of stores.files.read(id)) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      expect(await hashOf(id)).toHaveLength(64);
    });

    it('that are given up are not there, nor is what anybody had written of them', async () => {
      for (const size of [0, 10, 3_000_000]) {
        const id = idAt(Date.now());
        const writer = await write(id, randomBytes(size), 100_000);
        await writer.abort();
        await expect(hashOf(id)).rejects.toThrow();
        const whole = await write(id, randomBytes(10), 10);
        await whole.finish();
        await whole.abort();
        await expect(hashOf(id)).rejects.toThrow();
      }
      const sweeping = await stores.files.removeOrphans(new Date(Date.now() + 1_000), async () => false);
      expect(sweeping).toBe(0);
    });

    it('that nobody knows are swept away once they are old', async () => {
      const old = Date.now() - 100_000;
      const [known, orphan, young] = [idAt(old), idAt(old), idAt(Date.now() + 50_000)];
      for (const id of [known, orphan, young]) await (await write(id, randomBytes(10), 10)).finish();
      const sweep = () => stores.files.removeOrphans(new Date(Date.now() + 10_000), async (id) => id === known);
      expect([await sweep(), await sweep()]).toEqual([1, 0]);
      for (const id of [known, young]) expect(await hashOf(id)).toHaveLength(64);
      await expect(hashOf(orphan)).rejects.toThrow();
    });
  });
}
