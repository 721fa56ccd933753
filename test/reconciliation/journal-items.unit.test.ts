/** Movements as the journal has them: by hand, and of whole lives by a model that is made from what was asked for. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/ledger/engine.ts';
import { systemRuntime } from '../../src/ledger/runtime.ts';
import type { Command, Leg, StoredBlock } from '../../src/ledger/types.ts';
import type { LedgerItem } from '../../src/matching/types.ts';
import type { BookView } from '../../src/payments/types.ts';
import { JournalItems } from '../../src/reconciliation/journal-items.ts';
import type { ItemsQuery } from '../../src/reconciliation/ports.ts';
import { lifeOf } from '../simulation/simulation.ts';
import { aHold, anAccount, aPayment, following } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore, NO_FAULTS } from '../support/memory-store.ts';

const DAY_MS = 86_400_000;
const FIRST = 20_000;
const SEEDS = Number(process.env.SEEDS ?? 12);

type Journal = ConstructorParameters<typeof JournalItems>[0];

/** A journal that shows what stands in it, or as much as it is told to. */
function journalOf(store: MemoryStore, blocks = () => [...store.blocks.values()]): Journal {
  const ofBook = (book: number) =>
    blocks()
      .filter((block) => block.book === book)
      .sort((a, b) => a.height - b.height);
  const placed = ({ entries, book, height, at }: StoredBlock) => entries.map((entry) => ({ entry, book, height, at }));
  return {
    read: async (book: number, from: number, limit: number) =>
      ofBook(book)
        .filter(({ height }) => height >= from)
        .slice(0, limit),
    findEntries: async (ids: readonly string[]) =>
      blocks()
        .flatMap(placed)
        .filter(({ entry }) => ids.includes(entry.id)),
    heightAt: async (book: number, at: number) => ofBook(book).findLast((block) => block.at <= at)?.height ?? 0,
    tips: async () =>
      [...new Set(blocks().map(({ book }) => book))].sort().map((book) => {
        const { height, at, hash, term } = ofBook(book).at(-1)!;
        return { book, height, at, hash, term } as unknown as BookView;
      }),
  };
}

async function read(items: JournalItems, query: Partial<ItemsQuery> = {}): Promise<LedgerItem[]> {
  const asOf = query.asOf ?? (await items.tips());
  const whole = { account: null, groupBy: null, from: 0, to: 1_000_000, asOf, ...query };
  const found: LedgerItem[] = [];
  for await (const some of items.items(whole)) found.push(...some);
  return found.sort((a, b) => (`${a.id} ${a.account}` < `${b.id} ${b.account}` ? -1 : 1));
}

/** `world:EUR`, `shop` and `rent` in book 0; `world:far`, `far` in book 1. */
class Ledger {
  readonly store = new MemoryStore();
  now = FIRST * DAY_MS;
  readonly runtime = { ...systemRuntime, now: () => this.now };
  readonly engine: Engine;
  readonly items: JournalItems;

  constructor(isExplained?: (key: string) => boolean) {
    const { store, runtime } = this;
    const accounts = [
      ...['world:EUR', 'world:fees'].map((id) => anAccount(id, { minBalance: null })),
      ...['shop', 'rent'].map((id) => anAccount(id)),
      anAccount('world:far', { book: 1, minBalance: null }),
      anAccount('far', { book: 1 }),
    ];
    for (const account of accounts) store.accounts.set(account.id, account);
    this.engine = new Engine({
      ...{ journal: store.journal(), claims: store.claimsPort(), accounts: store.accountsPort() },
      ...{ log: quietLog, runtime },
    });
    this.items = new JournalItems(journalOf(store), isExplained);
  }

  async run(command: Command): Promise<Command> {
    const { entry } = await this.engine.submit(command);
    expect(entry.rejection ?? null).toBe(null);
    return command;
  }

  async refuse(command: Command): Promise<void> {
    const { entry } = await this.engine.submit(command);
    expect(entry.kind).toBe('rejected');
  }
}

const details = (reference: string, payout?: string) => ({
  details: { reference, ...(payout === undefined ? {} : { metadata: { payout } }) },
});
const pay = ({ id }: Command) => id.replace('txn_', 'pay_');
const transaction = (...legs: readonly (readonly [string, bigint])[]) =>
  aPayment('x', 'y', 1n, {
    kind: 'transaction',
    legs: legs.map(([account, amount]): Leg => ({ account, amount, currency: 'EUR' })),
  });

describe('payments as such', () => {
  it('are items once they move money, with their captures and refunds by their reference', async () => {
    const ledger = new Ledger();
    const paid = await ledger.run(aPayment('world:EUR', 'shop', 500n, details('INV-1', 'po_1')));
    const refund = await ledger.run(following('refund', paid, 200n));
    const hold = await ledger.run(aHold('world:EUR', 'shop', 300n, details('INV-2')));
    const first = await ledger.run(following('capture', hold, 100n));
    const second = await ledger.run(following('capture', hold, 150n, details('OWN')));
    await ledger.run(following('cancel', hold));
    await ledger.refuse(aPayment('shop', 'rent', 9_999_999n, details('INV-3')));
    const moved = await ledger.run(transaction(['world:EUR', -10n], ['shop', 10n]));
    await ledger.run(following('reversal', moved));
    const nobody = { account: null, currency: 'EUR', direction: null };
    expect(await read(ledger.items, { groupBy: 'payout' })).toEqual(
      [
        { id: paid.id, kind: 'payment', payment: pay(paid), reference: 'INV-1', group: 'po_1', amount: 500n },
        { id: refund.id, kind: 'refund', payment: pay(paid), reference: 'INV-1', group: 'po_1', amount: 200n },
        { id: first.id, kind: 'capture', payment: pay(hold), reference: 'INV-2', group: null, amount: 100n },
        { id: second.id, kind: 'capture', payment: pay(hold), reference: 'OWN', group: null, amount: 150n },
      ]
        .map((one) => ({ ...one, ...nobody, at: ledger.now }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  });

  it('over several books are one item, as large as they are', async () => {
    const ledger = new Ledger();
    const there = await ledger.run(aPayment('world:EUR', 'far', 500n, details('FAR-1')));
    await ledger.run(following('refund', there, 50n, { book: 0 }));
    const found = await read(ledger.items);
    expect(found.map(({ kind, amount, reference }) => [kind, amount, reference]).sort()).toEqual([
      ['payment', 500n, 'FAR-1'],
      ['refund', 50n, 'FAR-1'],
    ]);
  });
});

describe('what is posted to accounts', () => {
  it('is an item for each posting, and goes the other way there', async () => {
    const ledger = new Ledger();
    const paid = await ledger.run(aPayment('world:EUR', 'shop', 500n, details('INV-1')));
    const refund = await ledger.run(following('refund', paid, 200n));
    const split = await ledger.run(transaction(['world:EUR', -100n], ['world:fees', 3n], ['shop', 97n]));
    const back = await ledger.run(
      following('reversal', split, 0n, { legs: split.legs.map((leg) => ({ ...leg, amount: -leg.amount })) }),
    );
    await ledger.run(aHold('world:EUR', 'shop', 300n));
    const seen = (await read(ledger.items, { account: 'world:*' })).map(
      ({ id, account, amount, direction, reference }) => [id, account, amount, direction, reference].join(' '),
    );
    expect(seen).toEqual(
      [
        `${paid.id} world:EUR 500 in INV-1`,
        `${refund.id} world:EUR 200 out INV-1`,
        `${split.id} world:EUR 100 in `,
        `${split.id}#1 world:fees 3 out `,
        `${back.id} world:EUR 100 out `,
        `${back.id}#1 world:fees 3 in `,
      ].sort(),
    );
    const exact = await read(ledger.items, { account: 'world:fees' });
    expect(exact.map(({ id, direction }) => `${id} ${direction}`).sort()).toEqual(
      [`${split.id} out`, `${back.id} in`].sort(),
    );
    expect(await read(ledger.items, { account: 'world' })).toEqual([]);
  });

  it('in several books by one command has an id for each', async () => {
    const ledger = new Ledger();
    const across = await ledger.run(transaction(['world:EUR', -100n], ['world:far', 40n], ['far', 60n]));
    const found = await read(ledger.items, { account: 'world:*' });
    expect(found.map(({ id, account, amount }) => [id, account, amount])).toEqual([
      [across.id, 'world:EUR', 100n],
      [`${across.id}#1`, 'world:far', 40n],
    ]);
  });

  it('and taken back as another book refused it never was', async () => {
    const ledger = new Ledger();
    await ledger.refuse(transaction(['world:EUR', -100n], ['far', -100n], ['shop', 200n]));
    expect(ledger.store.placed().some(({ entry }) => entry.span?.part === 'reversal')).toBe(true);
    expect(await read(ledger.items, { account: 'world:*' })).toEqual([]);
  });

  it('because of a break is explained by it', async () => {
    const ledger = new Ledger((key) => key.startsWith('adjusting/'));
    await ledger.run(aPayment('world:EUR', 'shop', 5n, { key: 'adjusting/brk_1:0' }));
    const paid = await ledger.run(aPayment('world:EUR', 'shop', 5n));
    for (const account of [null, 'world:*']) {
      expect((await read(ledger.items, { account })).map(({ id }) => id)).toEqual([paid.id]);
    }
  });
});

describe('of the time that is asked for', () => {
  it('are those from the first moment of the first day to the last one of the last day', async () => {
    const ledger = new Ledger();
    const times = [-1, 0, 1, DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS];
    const ids: string[] = [];
    for (const time of times) {
      ledger.now = (FIRST + 5) * DAY_MS + time;
      ids.push((await ledger.run(aPayment('world:EUR', 'shop', 1n))).id);
    }
    const idsOf = async (from: number, to: number) =>
      (await read(ledger.items, { from: FIRST + from, to: FIRST + to })).map(({ id }) => id);
    expect(await idsOf(5, 5)).toEqual(ids.slice(1, 4));
    expect(await idsOf(5, 6)).toEqual(ids.slice(1, 6));
    expect(await idsOf(0, 4)).toEqual(ids.slice(0, 1));
    expect(await idsOf(0, 9)).toEqual(ids);
    expect(await idsOf(8, 9)).toEqual([]);
  });

  it('are the same however far the ledger goes by now', async () => {
    const ledger = new Ledger();
    const commands = [];
    for (let i = 0; i < 40; i++) commands.push(await ledger.run(aPayment('world:EUR', i % 2 ? 'shop' : 'far', 1n)));
    const blocks = [...ledger.store.blocks.values()];
    for (let shown = 1; shown <= blocks.length; shown += 3) {
      const then = new JournalItems(journalOf(ledger.store, () => blocks.slice(0, shown)));
      const asOf = await then.tips();
      for (const account of [null, 'world:*', 'far']) {
        expect(await read(ledger.items, { account, asOf })).toEqual(await read(then, { account, asOf }));
      }
    }
    expect(await read(ledger.items)).toHaveLength(commands.length);
  });
});

const MIX = { faults: { ...NO_FAULTS, latencyMs: 2 }, engines: 2, books: 3, accounts: 9 };
const MIXES = [
  ['in one book', { ...MIX, books: 1, lifeCycle: true }],
  ['of money between books', { ...MIX, crossing: true }],
  ['of payments between books that are captured and refunded', { ...MIX, lifeCycle: true }],
] as const;

describe('of a whole life', () => {
  it.each(MIXES)('%s each movement is there once', async (_, mix) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { store } = await lifeOf(seed, mix);
      const items = new JournalItems(journalOf(store));
      const ids = [...store.accounts.keys()];
      for (const account of [null, ids[0]!, `${ids[0]!.slice(0, 1)}*`, ids.at(-1)!]) {
        const found = await read(items, { account });
        expect(found.map(short), `seed ${seed}, ${account}`).toEqual(expectedOf(store, account).map(short));
      }
    }
  });
});

const short = ({ id, account, amount, kind, direction, payment }: Partial<LedgerItem>) =>
  [id, account, amount, kind, direction, payment].join(' ');

/** From what was asked for: all that was neither refused nor only held. */
function expectedOf(store: MemoryStore, filter: string | null): Partial<LedgerItem>[] {
  const commands = [...store.claims.values()].flatMap((claim) => claim.commands);
  const places = store.placed();
  const isMeant = (id: string) => (filter!.endsWith('*') ? id.startsWith(filter!.slice(0, -1)) : id === filter);
  return commands
    .flatMap((command): Partial<LedgerItem>[] => {
      const { id, kind, legs, hold, follows } = command;
      const parts = places.filter(({ entry }) => entry.id === id);
      const isRefused = parts.some(({ entry }) => entry.kind === 'rejected');
      if (isRefused || hold !== undefined || legs.length === 0) return [];
      const origin = commands.find((one) => one.id === follows?.origin.id);
      const of = kind === 'payment' ? id : origin?.kind === 'payment' ? origin.id : null;
      const payment = of === null ? null : of.replace('txn_', 'pay_');
      if (filter === null) {
        if (!['payment', 'capture', 'refund'].includes(kind)) return [];
        const amount = legs.reduce((sum, leg) => (leg.amount > 0n ? sum + leg.amount : sum), 0n);
        return [{ id, account: null, amount, kind, direction: null, payment }];
      }
      // What an account could not take went elsewhere.
      const taken = (leg: Leg) =>
        parts.some(({ entry }) =>
          entry.postings.some((one) => one.account === leg.account && one.amount === leg.amount),
        );
      return legs
        .filter((leg) => isMeant(leg.account) && taken(leg))
        .map(({ account, amount }, i) => ({
          ...{ id: i === 0 ? id : `${id}#${i}`, account, kind, payment },
          ...{ amount: amount < 0n ? -amount : amount, direction: amount < 0n ? 'in' : 'out' },
        }));
    })
    .sort((a, b) => (`${a.id} ${a.account}` < `${b.id} ${b.account}` ? -1 : 1));
}
