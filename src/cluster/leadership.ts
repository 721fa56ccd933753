import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from '../cloudname/claim.ts';
import type { Cloudname } from '../cloudname/cloudname.ts';
import { Coordinate } from '../cloudname/coordinate.ts';
import type { ResolverEvent } from '../cloudname/resolver.ts';
import { addressOf } from '../cloudname/status.ts';
import { LedgerError } from '../ledger/errors.ts';
import type { ClaimedWork, LeadershipPort, Log } from '../ledger/ports.ts';
import type { Placed } from '../ledger/types.ts';
import { assign } from './assignment.ts';
import { NotTakenError, Peer } from './peer.ts';

/** The service whose instances are the books. */
const BOOK_SERVICE = 'book';
export const INTERNAL_ENDPOINT = 'internal';
export const PROTOCOL = 'http';

/** How long a command waits for somebody to lead its book; then it is carried on without. */
const NOBODY_MS_MAX = 1_500;
const NOBODY_POLL_MS = 30;
/** How long an instance that could not be reached is not asked again. */
const SUSPECT_MS = 3_000;
/** What is on its way to a book is let end before the book is given up, but not for long: nothing depends on it. */
const LEAVE_MS_MAX = 300;
const RELEASE_MS_MAX = 1_000;
/** Instances that come and go together are taken into account together. */
const SETTLE_MS = 50;
/** A book is given up only after whoever is to lead it has had time to hear of that, and waits for it. */
const LET_GO_MS = 400;
const PUBLISH_MS_MAX = 10_000;

export interface LeadershipDeps {
  readonly cloudname: Cloudname;
  /** This instance, among those of its service. */
  readonly self: Coordinate;
  /** Where the others reach it. */
  readonly host: string;
  readonly port: number;
  readonly books: number;
  readonly token: string;
  readonly log: Log;
}

/** What the engine does when books come and go. */
export interface BookKeeper {
  lead(book: number): Promise<void>;
  leave(book: number): Promise<void>;
}

interface OwnBook {
  readonly claim: Claim;
  isLeading: boolean;
}

interface Changes {
  /** Who leads which book has changed, as far as is known here. */
  change: [];
}

/**
 * Agrees with the other instances on who leads which book, by coordinates `<book>.book.<user>.<cell>`, and hands
 * commands over to whoever does. Nothing is wrong when they disagree, or know nothing of each other: any instance may
 * append to any book. It is then merely slower.
 *
 * A book goes from one to another like this: the old leader takes nothing more for it, ends what is on its way, and
 * gives its coordinate up; the new one, which waits for that, opens the book and says that it leads. Commands that come
 * in between wait for those milliseconds.
 */
export class BookLeadership implements LeadershipPort {
  readonly isShared = true;
  readonly #deps: LeadershipDeps;
  readonly #origin: string;
  readonly #own = new Map<number, OwnBook>();
  /** By book, where its leader is reached, as the resolver says. */
  readonly #leaders = new Map<number, string>();
  readonly #instances = new Set<string>();
  readonly #peers = new Map<string, Peer>();
  /** Until when, in ms of `performance.now`. */
  readonly #suspects = new Map<string, number>();
  readonly #changes = new EventEmitter<Changes>();
  #keeper: BookKeeper | null = null;
  #stops: (() => void)[] = [];
  #settling: NodeJS.Timeout | null = null;
  #lettingGo: NodeJS.Timeout | null = null;
  #isStopping = false;
  /** For metrics. */
  readonly counts = { handedOver: 0, alone: 0, moves: 0 };

  constructor(deps: LeadershipDeps) {
    this.#deps = deps;
    this.#origin = addressOf({ protocol: PROTOCOL, host: deps.host, port: deps.port });
    this.#changes.setMaxListeners(0);
  }

  /** Begins to lead whatever falls to this instance, as soon as it says that it runs. */
  async start(keeper: BookKeeper): Promise<void> {
    this.#keeper = keeper;
    const { resolver } = this.#deps.cloudname;
    const { service, user, cell } = this.#deps.self;
    const listen = async (name: string, onEvent: (event: ResolverEvent) => void) => {
      this.#stops.push(await resolver.listen(`${INTERNAL_ENDPOINT}.all.${name}.${user}.${cell}`, onEvent));
    };
    await listen(BOOK_SERVICE, (event) => this.#leaderChanged(event));
    await listen(service, (event) => this.#instanceChanged(event));
  }

  /** Books that this instance leads now. */
  led(): number[] {
    return [...this.#own.keys()].filter((book) => this.leads(book)).sort((a, b) => a - b);
  }

  leads(book: number): boolean {
    // Also while ZooKeeper is away: until somebody else is known to lead it, nobody serves it better.
    return this.#own.get(book)?.isLeading === true && (this.#leaders.get(book) ?? this.#origin) === this.#origin;
  }

  /** Where it is reached by the other instances; null: nobody is known. */
  leaderOf(book: number): string | null {
    return this.leads(book) ? this.#origin : (this.#leaders.get(book) ?? null);
  }

  async handOver(book: number, work: ClaimedWork): Promise<Placed> {
    const until = performance.now() + NOBODY_MS_MAX;
    for (;;) {
      if (this.leads(book)) throw new Error('this instance leads the book by now');
      const leader = this.#leaders.get(book);
      if (leader !== undefined && leader !== this.#origin) {
        if (this.#isSuspect(leader)) break;
        const placed = await this.#ask(leader, book, work);
        if (placed !== null) return placed;
        if (this.#isSuspect(leader)) break;
      }
      if (performance.now() > until) break;
      await this.#changed(NOBODY_POLL_MS);
    }
    this.counts.alone++;
    throw new Error(`nobody carries on what goes on in book ${book}`);
  }

  /** Gives all its books to the others, and takes none any more. */
  async handBack(): Promise<void> {
    this.#isStopping = true;
    if (this.#settling !== null) clearTimeout(this.#settling);
    if (this.#lettingGo !== null) clearTimeout(this.#lettingGo);
    if (this.#own.size > 0 && this.#deps.cloudname.session.isConnected) await sleep(LET_GO_MS);
    await Promise.all([...this.#own.keys()].map((book) => this.#giveUp(book)));
  }

  /** Nothing can be handed over any more. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await Promise.all([...this.#peers.values()].map((peer) => peer.close()));
  }

  /** Null: it does not take it, or cannot be reached, or another leads the book meanwhile. */
  async #ask(leader: string, book: number, work: ClaimedWork): Promise<Placed | null> {
    const ended = new AbortController();
    try {
      const answer = await Promise.race([
        this.#peer(leader).carryOn(book, work),
        this.#moved(book, leader, ended.signal),
      ]);
      if (answer !== null) this.counts.handedOver++;
      return answer;
    } catch (error) {
      if (error instanceof LedgerError && error.code === 'outcome_unknown') throw error;
      if (!(error instanceof LedgerError) && !(error instanceof NotTakenError)) this.#suspect(leader, error);
      return null;
    } finally {
      ended.abort();
    }
  }

  /** Resolves when somebody else leads the book. */
  #moved(book: number, from: string, signal: AbortSignal): Promise<null> {
    return new Promise((resolve) => {
      const look = () => {
        const leader = this.#leaders.get(book);
        if (leader !== undefined && leader !== from) resolve(null);
      };
      this.#changes.on('change', look);
      signal.addEventListener('abort', () => this.#changes.off('change', look), { once: true });
    });
  }

  /** Resolves at the next change, or after so long. */
  async #changed(ms: number): Promise<void> {
    await once(this.#changes, 'change', { signal: AbortSignal.timeout(ms) }).catch(() => undefined);
  }

  #peer(origin: string): Peer {
    let peer = this.#peers.get(origin);
    if (peer === undefined) {
      peer = new Peer(origin, this.#deps.token);
      this.#peers.set(origin, peer);
    }
    return peer;
  }

  #suspect(origin: string, error: unknown): void {
    if (!this.#suspects.has(origin)) this.#deps.log.warn({ err: error, origin }, 'an instance cannot be reached');
    this.#suspects.set(origin, performance.now() + SUSPECT_MS);
  }

  #isSuspect(origin: string): boolean {
    const until = this.#suspects.get(origin);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#suspects.delete(origin);
    return false;
  }

  #leaderChanged(event: ResolverEvent): void {
    if (!('at' in event)) return;
    const book = event.at.instance;
    const origin = addressOf(event.endpoint);
    if (event.type === 'REMOVED_ENDPOINT') this.#leaders.delete(book);
    else this.#leaders.set(book, origin);
    if (event.type !== 'REMOVED_ENDPOINT' && origin !== this.#origin) this.#lostTo(book);
    this.#changes.emit('change');
  }

  /** Somebody else got the coordinate, while this instance was cut off from ZooKeeper or stood still. */
  #lostTo(book: number): void {
    const own = this.#own.get(book);
    if (own?.isLeading !== true) return;
    own.isLeading = false;
    void this.#keeper!.leave(book);
    this.#deps.log.info({ book }, 'another instance leads a book that this one led');
  }

  #instanceChanged(event: ResolverEvent): void {
    if (!('at' in event)) return;
    if (event.type === 'REMOVED_ENDPOINT') {
      this.#instances.delete(String(event.at));
      void this.#forgetPeer(addressOf(event.endpoint));
    } else this.#instances.add(String(event.at));
    this.#settling ??= setTimeout(() => this.#settle(), SETTLE_MS);
  }

  async #forgetPeer(origin: string): Promise<void> {
    const peer = this.#peers.get(origin);
    this.#peers.delete(origin);
    // What it was asked may still be answered.
    await sleep(PUBLISH_MS_MAX, undefined, { ref: false });
    await peer?.close();
  }

  /** Takes the books that fall to this instance, and gives up those that do not. */
  #settle(): void {
    this.#settling = null;
    if (this.#isStopping) return;
    for (const [book, isOurs] of this.#shares()) {
      if (isOurs) this.#take(book);
      else if (this.#own.has(book)) this.#lettingGo ??= setTimeout(() => this.#letGo(), LET_GO_MS);
    }
  }

  #letGo(): void {
    this.#lettingGo = null;
    if (this.#isStopping) return;
    for (const [book, isOurs] of this.#shares()) if (!isOurs) void this.#giveUp(book);
  }

  /** Of each book: does it fall to this instance? */
  #shares(): Map<number, boolean> {
    const { books, self } = this.#deps;
    const wanted = assign(books, [...this.#instances]);
    return new Map(Array.from({ length: books }, (_, book) => [book, wanted[book] === String(self)]));
  }

  #take(book: number): void {
    if (this.#own.has(book)) return;
    const { cloudname, self, log } = this.#deps;
    const coordinate = new Coordinate(book, BOOK_SERVICE, self.user, self.cell);
    const own: OwnBook = { claim: cloudname.claim(coordinate), isLeading: false };
    this.#own.set(book, own);
    own.claim.on('held', () => void this.#lead(book, own));
    own.claim.on('problem', (error) => log.warn({ err: error, book }, 'a book cannot be claimed'));
    cloudname.ensure(coordinate).catch((error: unknown) => {
      log.warn({ err: error, book }, 'the coordinate of a book cannot be created');
    });
  }

  async #lead(book: number, own: OwnBook): Promise<void> {
    const { host, port, log, self } = this.#deps;
    try {
      if (!own.isLeading) await this.#keeper!.lead(book);
      if (this.#own.get(book) !== own) return;
      own.isLeading = true;
      this.counts.moves++;
      const endpoint = { name: INTERNAL_ENDPOINT, host, port, protocol: PROTOCOL, endpointData: String(self) };
      await Promise.all([
        own.claim.putEndpoints([endpoint], PUBLISH_MS_MAX),
        own.claim.setStatus('RUNNING', `led by ${self}`, PUBLISH_MS_MAX),
      ]);
      log.info({ book }, 'leading a book');
    } catch (error) {
      if (this.#own.get(book) === own) log.warn({ err: error, book }, 'a book cannot be led now');
    }
  }

  async #giveUp(book: number): Promise<void> {
    const own = this.#own.get(book);
    if (own === undefined) return;
    this.#own.delete(book);
    const { log } = this.#deps;
    const wasLeading = own.isLeading;
    own.isLeading = false;
    this.#changes.emit('change');
    if (wasLeading) {
      await Promise.race([this.#keeper!.leave(book), sleep(LEAVE_MS_MAX, undefined, { ref: false })]);
      log.info({ book }, 'a book is handed over');
    }
    // Without ZooKeeper the coordinate ends with the session.
    await Promise.race([own.claim.release(), sleep(RELEASE_MS_MAX, undefined, { ref: false })]);
  }
}
