/** Publishers that die, freeze and are replaced, over a queue that fails: what the queue has taken in the end. */
import type { SendMessageBatchCommand, SendMessageBatchCommandOutput, SQSClient } from '@aws-sdk/client-sqs';
import { Outbox } from '../../../src/events/outbox.ts';
import type { EventSink, Lease, Progress } from '../../../src/events/ports.ts';
import { Publisher, type PublisherDeps } from '../../../src/events/publisher.ts';
import type { EventResource } from '../../../src/events/schemas.ts';
import type { Projection } from '../../../src/payments/follower.ts';
import { type EventQueue, SqsEventSink } from '../../../src/queue/event-sink.ts';
import { Host, VirtualWorld } from '../../simulation/virtual-world.ts';
import type { Expected, History } from './history.ts';

const PROCESSES = 2;
const LATENCY_MS = 4;
const LEASE_MS = 60;
const POLL_MS = 10;
const DISTURBED_MS = 300;
const WORLD_ENDS_MS = 3_600_000;
const LATE_MS = 80;
/** All that takes time in this world takes so much less of it. */
const SPEED = 100;

/** How often each of these befalls a call. */
const LOST = 0.1;
const ANSWER_LOST = 0.1;
const LATE = 0.05;
const REFUSED = 0.1;

/** What a test may replace by something wrong. */
export interface Made {
  readonly publisher: (deps: PublisherDeps) => Projection;
  readonly outbox: (history: ConstructorParameters<typeof Outbox>[0]) => Outbox;
  readonly sink: (queue: EventQueue, pause: (ms: number) => Promise<unknown>) => EventSink;
}

const SOUND: Made = {
  publisher: (deps) => new Publisher(deps),
  outbox: (history) => new Outbox(history),
  sink: (queue, pause) => new SqsEventSink(queue, pause),
};

/** What is wrong with what the queue has taken in the end. The same seed tells the same. */
export async function faultsOfTelling(seed: number, history: History, made: Partial<Made> = {}): Promise<string[]> {
  const world = new VirtualWorld(seed);
  const telling = new Telling(world, history, { ...SOUND, ...made });
  await world.live(telling.run(), WORLD_ENDS_MS);
  return faultsOf(history.expected(), telling.taken);
}

class Telling {
  /** In the order in which they were taken. */
  readonly taken: EventResource[] = [];
  readonly #heights = new Map<number, number>();
  readonly #leases = new Map<number, { holder: Host; until: number }>();
  #processes: Host[];

  constructor(
    readonly world: VirtualWorld,
    readonly history: History,
    readonly made: Made,
  ) {
    this.#processes = Array.from({ length: PROCESSES }, () => this.#start());
  }

  async run(): Promise<void> {
    const { world, history } = this;
    const { random, runtime } = world;
    history.show(0);
    while (!history.isWhole || world.elapsed < DISTURBED_MS) {
      await runtime.sleep(10 * random());
      if (random() < 0.7) history.showMore(Math.ceil(3 * random()));
      this.#disturb();
    }
    while (![...history.tips()].every(([book, tip]) => this.#heightOf(book) === tip)) await runtime.sleep(POLL_MS);
    // Whatever is still on its way arrives.
    await runtime.sleep(LATE_MS + LEASE_MS);
    for (const host of this.#processes) host.isDead = true;
  }

  #disturb(): void {
    const { random } = this.world;
    const n = Math.floor(random() * PROCESSES);
    const host = this.#processes[n]!;
    const fate = random();
    if (fate < 0.1) {
      host.isDead = true;
      this.#processes[n] = this.#start();
    } else if (fate < 0.2) host.freeze(3 * LEASE_MS * random());
  }

  #start(): Host {
    const host = new Host(this.world);
    const { history, made } = this;
    const over = <T>(request: () => T): Promise<T> => this.#over(host, request);
    const publisher = made.publisher({
      outbox: made.outbox({
        read: (book, from, limit) => this.#over(host, () => history.read(book, from, limit)),
        findEntries: (ids) => this.#over(host, () => history.findEntries(ids)),
      }),
      sink: made.sink({ client: this.#client(host), queueUrl: 'events.fifo' }, (ms) => host.runtime.sleep(ms / SPEED)),
      progress: this.#progress(over),
      lease: (book) => this.#lease(book, host),
    });
    for (const book of history.tips().keys()) void this.#follow(host, book, publisher);
    return host;
  }

  async #follow(host: Host, book: number, publisher: Projection): Promise<void> {
    while (!host.isDead) {
      await publisher.advance(book).catch(() => undefined);
      await host.runtime.sleep(POLL_MS * this.world.random());
    }
  }

  /** What is asked happens after some time, whether who asked is still there or not; the answer takes time as well. */
  #over<T>(host: Host, request: () => T | Promise<T>): Promise<T> {
    return host.carry(async () => {
      await this.#onItsWay();
      const answer = await request();
      await this.#onItsWay();
      return answer;
    });
  }

  #onItsWay(): Promise<void> {
    return this.world.runtime.sleep(LATENCY_MS * this.world.random());
  }

  #heightOf(book: number): number {
    return this.#heights.get(book) ?? 0;
  }

  #progress(over: <T>(request: () => T) => Promise<T>): Progress {
    return {
      position: (book) => over(() => ({ height: this.#heightOf(book), epoch: null })),
      moveOn: (book, from, height) =>
        over(() => {
          const now = this.#heightOf(book);
          if (now >= from.height && now < height) this.#heights.set(book, height);
        }),
    };
  }

  #lease(book: number, host: Host): Lease {
    let heldFrom = Number.NEGATIVE_INFINITY;
    const { world } = this;
    const tryIt = () => {
      const lease = this.#leases.get(book);
      if (lease && lease.holder !== host && lease.until > world.elapsed) return false;
      this.#leases.set(book, { holder: host, until: world.elapsed + LEASE_MS });
      return true;
    };
    return {
      hold: async () => {
        const asked = world.elapsed;
        if (asked - heldFrom < LEASE_MS / 3) return true;
        if (!(await this.#over(host, tryIt))) return false;
        heldFrom = asked;
        return true;
      },
      isHeld: () => world.elapsed - heldFrom < LEASE_MS,
      release: () => Promise.resolve(),
    };
  }

  /** Loses calls and answers, carries out some late, and takes only some of what a call carries. */
  #client(host: Host): SQSClient {
    const { random, runtime } = this.world;
    const send = ({ input: { Entries = [] } }: SendMessageBatchCommand) =>
      this.#over(host, async (): Promise<Pick<SendMessageBatchCommandOutput, 'Successful'>> => {
        const fate = random();
        const take = () => {
          const some = Entries.filter(() => random() >= REFUSED);
          this.taken.push(...some.map(({ MessageBody }) => JSON.parse(MessageBody!) as EventResource));
          return { Successful: some.map(({ Id }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })) };
        };
        if (fate < LATE) void runtime.sleep(LATE_MS * random()).then(take);
        if (fate < LATE + LOST) throw new Error('the call was lost');
        const answer = take();
        if (fate < LATE + LOST + ANSWER_LOST) throw new Error('the answer was lost');
        return answer;
      });
    return { send } as unknown as SQSClient;
  }
}

function faultsOf(expected: readonly Expected[], taken: readonly EventResource[]): string[] {
  const faults: string[] = [];
  const first = new Map<string, EventResource>();
  for (const event of taken) {
    const before = first.get(event.id);
    if (!before) first.set(event.id, event);
    else if (JSON.stringify(before) !== JSON.stringify(event)) faults.push(`${event.id} was told in two ways`);
  }
  const groups = new Map<string, string[]>();
  for (const { id, type, group, book, height } of expected) {
    groups.set(group, [...(groups.get(group) ?? []), id]);
    const event = first.get(id);
    const told = event && [event.type, event.group, event.book, event.height].join();
    if (told !== [type, group, book, height].join()) faults.push(`${id} should be ${type} of ${group}, and is ${told}`);
  }
  const known = new Set(expected.map(({ id }) => id));
  for (const id of first.keys()) if (!known.has(id)) faults.push(`${id} was told of, and is none`);
  for (const [group, ids] of groups) {
    const order = [...first.values()].filter((event) => event.group === group).map(({ id }) => id);
    if (order.join() !== ids.join()) faults.push(`${group} was told as ${order.join()}, and happened as ${ids.join()}`);
  }
  return faults;
}
