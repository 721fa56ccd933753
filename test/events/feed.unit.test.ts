import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { Cursor } from '../../src/events/cursor.ts';
import { EventFeed, type EventPageQuery } from '../../src/events/feed.ts';
import { EVENT_TYPES, type EventType, type EventView } from '../../src/events/types.ts';
import type { Entry, StoredBlock } from '../../src/ledger/types.ts';
import { lifeOf } from '../simulation/simulation.ts';
import { seeded } from '../simulation/virtual-world.ts';
import { MemoryStore, NO_FAULTS } from '../support/memory-store.ts';
import { History, SEEDS, SEEDS_MS } from './support/history.ts';
import { aReconciliation, MemoryNotices, opened } from './support/notices.ts';

const PAGES_MAX = 2_000;
const MIX = {
  faults: { ...NO_FAULTS, latencyMs: 2 },
  engines: 3,
  books: 3,
  accounts: 9,
  lifeCycle: true,
  // Blocks of one book are older than what they follow in another.
  clockOffMs: 20_000,
};
/** With money between books, of which some is on its way while pages are read. */
const MIXES = [MIX, { ...MIX, lifeCycle: false, crossing: true }, { ...MIX, books: 1 }];

const ids = (events: readonly { readonly id: string }[]) => events.map(({ id }) => id);

/** Reads on until there is no more, while the journal grows, and the log of notices if it is to. */
async function readAll(
  history: History,
  random: () => number,
  filter: Partial<EventPageQuery>,
  { notices = new MemoryNotices(), grows = false } = {},
): Promise<EventView[]> {
  const feed = new EventFeed(history, notices);
  const read: EventView[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    if (random() < 0.4) history.showMore(1 + Math.floor(6 * random()));
    if (grows && random() < 0.3) await noticeSomething(history, notices, random);
    const limit = 1 + Math.floor((random() < 0.5 ? 3 : 40) * random());
    const page = await feed.page({ ...filter, limit, cursor });
    expect(page.data.length).toBeLessThanOrEqual(limit);
    read.push(...page.data);
    cursor = page.nextCursor;
    if (history.isWhole && !page.hasMore) {
      if (!grows) return read;
      grows = false;
    }
  }
  throw new Error(`events did not end after ${PAGES_MAX} pages`);
}

/** A batch of up to a dozen notices, at about the time of the youngest block that is shown, or within a minute of it. */
async function noticeSomething(history: History, notices: MemoryNotices, random: () => number): Promise<void> {
  const youngest = Math.max(0, ...(await history.read(0, 0, Number.MAX_SAFE_INTEGER)).map(({ at }) => at));
  notices.now = youngest + Math.floor(60_000 * (random() - 0.5));
  const batch = `batch ${notices.blocks.length}`;
  await notices.append(
    batch,
    opened(...Array.from({ length: 1 + Math.floor(12 * random()) }, (_, i) => `${batch}-${i}`)),
  );
}

describe('pages of events', () => {
  it(
    'hold each once, in the order of its book or as it was noticed, whatever is appended between them',
    async () => {
      for (const seed of SEEDS) {
        const history = new History((await lifeOf(seed, MIXES[seed % MIXES.length]!)).store);
        history.show(0);
        const notices = new MemoryNotices();
        const read = await readAll(history, seeded(seed), {}, { notices, grows: true });
        const expected = history.expected();
        const noticed = read.filter(({ book }) => book === null);
        expect(noticed, `notices, seed ${seed}`).toEqual(notices.expected());
        for (const book of history.tips().keys()) {
          const ofBook = (events: readonly { id: string; book: number | null }[]) =>
            events.filter((one) => one.book === book);
          expect(ids(ofBook(read)), `book ${book}, seed ${seed}`).toEqual(ids(ofBook(expected)));
        }
        expect(read).toHaveLength(expected.length + noticed.length);
        const again = await new EventFeed(history, notices).find(ids(read));
        for (const event of read) expect({ ...again.get(event.id), index: event.index }).toEqual(event);
      }
    },
    SEEDS_MS,
  );

  it(
    'hold what fits a filter, and all of that',
    async () => {
      for (const seed of SEEDS) {
        const history = new History((await lifeOf(seed, MIXES[seed % MIXES.length]!)).store);
        const random = seeded(seed);
        history.show(history.blocks.length);
        const notices = new MemoryNotices();
        for (let i = 0; i < 5; i++) await noticeSomething(history, notices, random);
        const all = await readAll(history, random, {}, { notices });
        const types = EVENT_TYPES.filter(() => random() < 0.3) as EventType[];
        const account = random() < 0.5 ? `a${Math.floor(9 * random())}` : undefined;
        history.show(0);
        const read = await readAll(history, random, { types, account }, { notices });
        const fits = ({ type, accounts }: EventView) =>
          types.includes(type) && (account === undefined || accounts.includes(account));
        expect(ids(read).sort()).toEqual(ids(all.filter(fits)).sort());
      }
    },
    SEEDS_MS,
  );

  it('go on from a cursor of before a book had any block', async () => {
    const { store } = await lifeOf(3, MIX);
    const history = new History(store);
    const only = history.blocks.filter(({ book }) => book === 0).length;
    const others = new MemoryStore();
    const inOrder = [...history.blocks].sort((a, b) => a.book - b.book);
    for (const block of inOrder) others.blocks.set(`${block.book}/${block.height}`, block);
    for (const [id, claim] of store.claims) others.claims.set(id, claim);
    for (const [id, account] of store.accounts) others.accounts.set(id, account);
    const later = new History(others);
    later.show(only);
    const feed = new EventFeed(later, new MemoryNotices());
    const first = await feed.page({ limit: 1_000 });
    expect(new Set(first.data.map(({ book }) => book))).toEqual(new Set([0]));
    later.show(later.blocks.length);
    const rest = await feed.page({ limit: 1_000, cursor: first.nextCursor });
    expect(ids([...first.data, ...rest.data]).sort()).toEqual(ids(later.expected()).sort());
  });

  it(
    'begin at a time, and leave out nothing that happened since',
    async () => {
      for (const seed of SEEDS) {
        const history = new History((await lifeOf(seed, MIX)).store);
        history.show(history.blocks.length);
        const notices = new MemoryNotices();
        for (let i = 0; i < 5; i++) await noticeSomething(history, notices, seeded(i));
        const all = await readAll(history, seeded(seed), {}, { notices });
        const createdFrom = all[Math.floor(all.length / 2)]!.createdAt;
        const since = all.filter(({ createdAt }) => createdAt >= createdFrom);
        const read = (await new EventFeed(history, notices).page({ limit: 1_000, createdFrom })).data;
        expect(ids(read).sort()).toEqual(ids(since).sort());
        const times = read.map(({ createdAt }) => createdAt.getTime());
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }
    },
    SEEDS_MS,
  );

  test.prop([
    fc.oneof(
      fc.string(),
      fc.base64String(),
      fc
        .array(fc.tuple(fc.nat(300), fc.bigInt({ min: 0n, max: 10n ** 16n }), fc.nat(10 ** 7)))
        .map((parts) => Buffer.from(['v1', ...parts.map((part) => part.join('.'))].join(' ')).toString('base64url')),
    ),
  ])('answer any cursor, or refuse it, and never go back', async (text) => {
    const history = new Wide(2, 5, 2);
    const feed = new EventFeed(history, new MemoryNotices());
    const cursor = Cursor.parse(text);
    const page = feed.page({ limit: 3, cursor: text });
    if (cursor === null) {
      await expect(page).rejects.toMatchObject({ code: 'invalid_cursor' });
      return;
    }
    const next = Cursor.parse((await page).nextCursor)!;
    for (const [book, { height, index }] of cursor.streams) {
      const { height: reached, index: at } = next.of(book);
      expect(reached > height || (reached === height && at >= index)).toBe(true);
    }
  });
});

/** Payments in many books. */
class Wide extends History {
  readonly reads: number[] = [];

  constructor(
    readonly bookCount: number,
    readonly heights: number,
    readonly perBlock: number,
  ) {
    super(new MemoryStore());
  }

  override books(): Promise<number[]> {
    return Promise.resolve(Array.from({ length: this.bookCount }, (_, book) => book));
  }

  override read(book: number, from: number, limit: number): Promise<StoredBlock[]> {
    this.reads.push(book);
    const count = Math.max(0, Math.min(limit, this.heights - from + 1));
    return Promise.resolve(Array.from({ length: count }, (_, i) => this.#block(book, from + i)));
  }

  #block(book: number, height: number): StoredBlock {
    const entries = Array.from({ length: this.perBlock }, (_, i): Entry => {
      const id = `txn_${book}-${height}-${i}`;
      const posting = { currency: 'EUR', posted: 0n, held: 0n };
      const postings = [
        { ...posting, account: `a${book}`, amount: -1n },
        { ...posting, account: `b${book}`, amount: 1n },
      ];
      return { id, key: id, kind: 'payment', postings, details: {} };
    });
    const none = new Uint8Array(32);
    return { book, height, prev: none, hash: none, term: 1, at: height, kind: 'entries', postingsBelow: 0, entries };
  }
}

describe('pages of many books that are far behind', () => {
  it('read each book once for a filter that nothing fits, move on in each, and end', async () => {
    const history = new Wide(256, 40, 1);
    const feed = new EventFeed(history, new MemoryNotices());
    let cursor: string | undefined;
    for (let pages = 0; ; pages++) {
      history.reads.length = 0;
      const page = await feed.page({ limit: 100, cursor, types: ['account.changed'] });
      expect(history.reads.length).toBeLessThanOrEqual(256);
      expect(page.data).toEqual([]);
      cursor = page.nextCursor;
      if (!page.hasMore) break;
      expect(pages).toBeLessThan(50);
    }
  });

  it('hold all events, oldest first', async () => {
    const history = new Wide(256, 10, 4);
    const feed = new EventFeed(history, new MemoryNotices());
    const seen = new Set<string>();
    let last = 0;
    let cursor: string | undefined;
    for (let pages = 0; pages < 200; pages++) {
      const page = await feed.page({ limit: 1_000, cursor });
      for (const { id, createdAt } of page.data) {
        expect(createdAt.getTime()).toBeGreaterThanOrEqual(last);
        last = createdAt.getTime();
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
      cursor = page.nextCursor;
      if (!page.hasMore) break;
    }
    expect(seen.size).toBe(256 * 10 * 4);
  });

  it('hold all of a block with more events than are kept of one book', async () => {
    const history = new Wide(1, 2, 300);
    const feed = new EventFeed(history, new MemoryNotices());
    const found: string[] = [];
    let cursor: string | undefined;
    for (let hasMore = true; hasMore; ) {
      const page = await feed.page({ limit: 7, cursor });
      found.push(...ids(page.data));
      ({ hasMore, nextCursor: cursor } = page);
    }
    const inOrder = [1, 2].flatMap((height) => Array.from({ length: 300 }, (_, i) => `evt_0-${height}-${i}`));
    expect(found).toEqual(inOrder);
  });
});

describe('notices', () => {
  const history = new History(new MemoryStore());

  it('go on from a cursor of before there were any, and from within a block', async () => {
    const notices = new MemoryNotices();
    const feed = new EventFeed(history, notices);
    const { nextCursor } = await feed.page({ limit: 10 });
    await notices.append('a', opened(...Array.from({ length: 1_203 }, (_, i) => String(i))));
    const expected = notices.expected();
    expect(notices.blocks.map(({ entries }) => entries.length)).toEqual([500, 500, 203]);
    const read: EventView[] = [];
    let cursor = nextCursor;
    for (let hasMore = true; hasMore; ) {
      const page = await feed.page({ limit: 7, cursor });
      read.push(...page.data);
      ({ hasMore, nextCursor: cursor } = page);
    }
    expect(read).toEqual(expected);
  });

  it('are found by their ids, and nothing else is', async () => {
    const notices = new MemoryNotices();
    const feed = new EventFeed(history, notices);
    await notices.append('a', [
      { type: 'reconciliation.completed', object: aReconciliation('1') },
      ...opened('1', '2'),
    ]);
    const [first, , third] = notices.expected();
    expect(await feed.get(third!.id)).toEqual(third);
    expect([...(await feed.find([first!.id, 'evt_nothing', third!.id])).keys()]).toEqual([first!.id, third!.id]);
    await expect(feed.get('evt_nothing')).rejects.toMatchObject({ code: 'not_found' });
  });
});
