import { describe, expect, it } from 'vitest';
import { eventsOf } from '../../src/events/build.ts';
import { Outbox, type Telling } from '../../src/events/outbox.ts';
import { Publisher, type PublisherDeps } from '../../src/events/publisher.ts';
import type { EventView } from '../../src/events/types.ts';
import type { Entry } from '../../src/ledger/types.ts';
import type { Advanced, Projection } from '../../src/payments/follower.ts';
import { SqsEventSink } from '../../src/queue/event-sink.ts';
import { lifeOf, type Mix } from '../simulation/simulation.ts';
import { MemoryStore, NO_FAULTS } from '../support/memory-store.ts';
import { History, SEEDS, SEEDS_MS } from './support/history.ts';
import { faultsOfTelling, type Made } from './support/virtual-telling.ts';

const FAULTS = { ...NO_FAULTS, latencyMs: 2, answerLost: 0.1, writeLost: 0.1, writeLate: 0.5 };
const CROSSING: Mix = { faults: FAULTS, engines: 3, books: 4, accounts: 12, crossing: true, freezes: 0.1 };
const MIXES: Record<string, Mix> = {
  'one book': { faults: FAULTS, engines: 2 },
  'money between books': CROSSING,
  'captures, refunds and changes in one book': { faults: FAULTS, engines: 2, lifeCycle: true },
  'captures, refunds and changes between books': {
    faults: FAULTS,
    engines: 3,
    books: 3,
    accounts: 9,
    lifeCycle: true,
    dies: 0.05,
    limits: { recoverAfterMs: 30 },
  },
  // What waits for long is rejected in whichever book it got to.
  'clocks that jump by minutes': {
    faults: FAULTS,
    engines: 3,
    books: 3,
    accounts: 9,
    lifeCycle: true,
    clockOffMs: 300_000,
  },
};

async function faultsIn(mix: Mix, made: Partial<Made> = {}, seeds = SEEDS): Promise<string[]> {
  const found: string[] = [];
  for (const seed of seeds) {
    const history = new History((await lifeOf(seed, mix)).store);
    const faults = await faultsOfTelling(seed, history, made).catch(({ message }: Error) => [message]);
    found.push(...faults.map((fault) => `seed ${seed}: ${fault}`));
  }
  return found;
}

function anEntry(id: string): Entry {
  const posting = { currency: 'EUR', posted: 0n, held: 0n };
  const postings = [
    { ...posting, account: 'a', amount: -1n },
    { ...posting, account: 'b', amount: 1n },
  ];
  return { id, key: id, kind: 'payment', postings, details: {} };
}

/** Remembers how far it came before it has told it. */
class RemembersTooEarly implements Projection {
  constructor(readonly deps: PublisherDeps) {}

  async advance(book: number): Promise<Advanced> {
    const { outbox, sink, progress } = this.deps;
    const lease = this.deps.lease(book);
    if (!(await lease.hold())) return { taken: 0, isAtTip: true, asOf: 0 };
    const position = await progress.position(book);
    const { events, upTo } = await outbox.after(book, position.height);
    if (upTo > position.height) await progress.moveOn(book, position, upTo);
    if (events.length > 0) await sink.send(events, () => lease.isHeld());
    return { taken: events.length, isAtTip: true, asOf: 0 };
  }
}

/** Passes over what is still on its way between books. */
class PassesOverPending extends Outbox {
  override async after(book: number, height: number): Promise<Telling> {
    const blocks = await this.journal.read(book, height + 1, 5);
    const placed = blocks.map((block) => block.entries.map((entry, index) => ({ ...block, entry, index })));
    const events = (await eventsOf(placed, this.journal)).flat().filter((event): event is EventView => event !== null);
    return { events, upTo: blocks.at(-1)?.height ?? height, isAtTip: true, before: null };
  }
}

describe('publishers', () => {
  it.each(Object.entries(MIXES))(
    'tell each event, and those of a group in their order: %s',
    async (_, mix) => {
      expect(await faultsIn(mix)).toEqual([]);
    },
    SEEDS_MS,
  );
});

describe('a publisher', () => {
  it('keeps its lease while many events of one group are sent, each after the one before', async () => {
    const store = new MemoryStore();
    const history = new History(store);
    const entries = Array.from({ length: 300 }, (_, i) => anEntry(`txn_${i}`));
    const none = new Uint8Array(32);
    const block = { book: 0, height: 1, prev: none, hash: none, term: 1, at: 1, kind: 'entries' as const };
    let now = 0;
    let heldFrom = Number.NEGATIVE_INFINITY;
    const reached: number[] = [];
    const publisher = new Publisher({
      outbox: new Outbox({
        read: async (_, from) => (from === 1 ? [{ ...block, postingsBelow: 0, entries }] : []),
        findEntries: (ids) => history.findEntries(ids),
      }),
      sink: {
        send: async (events, mayGoOn) => {
          for (const _ of events) {
            if (!mayGoOn()) throw new Error('the lease is lost');
            await Promise.resolve();
            now++;
          }
        },
      },
      progress: {
        position: async () => ({ height: 0, epoch: null }),
        moveOn: async (_, __, height) => void reached.push(height),
      },
      lease: () => ({
        hold: async () => {
          heldFrom = now;
          return true;
        },
        isHeld: () => now - heldFrom < 20,
        release: async () => undefined,
      }),
    });
    expect(await publisher.advance(0)).toMatchObject({ taken: 300 });
    expect(reached).toEqual([1]);
  });
});

const LEFT_OUT = /and is undefined$/;
const OUT_OF_ORDER = /was told as .* happened as/;

describe('the model of what is to be told finds out who', () => {
  it.each<[string, Partial<Made>, RegExp]>([
    ['remembers how far it came before it has told it', { publisher: (deps) => new RemembersTooEarly(deps) }, LEFT_OUT],
    ['passes over what is on its way between books', { outbox: (journal) => new PassesOverPending(journal) }, LEFT_OUT],
    [
      'sends what follows in a group before what it follows was taken',
      { sink: ({ client }, pause) => new SqsEventSink({ client, queueUrl: 'events' }, pause) },
      OUT_OF_ORDER,
    ],
  ])('%s', async (_, made, fault) => {
    expect((await faultsIn(CROSSING, made, [1, 2, 3, 4, 5, 6, 7, 8])).some((found) => fault.test(found))).toBe(true);
  });
});
