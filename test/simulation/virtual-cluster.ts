import type { ClaimedWork, LeadershipPort } from '../../src/ledger/ports.ts';
import type { Placed } from '../../src/ledger/types.ts';
import type { VirtualWorld } from './virtual-world.ts';

const TRIES_MAX = 3;
const ANSWER_MS_MAX = 60;
const GAP_MS = 5;

/** A process as the others see it. */
export interface Member {
  readonly died: Promise<'died'>;
  readonly isDead: () => boolean;
  carryOn(work: ClaimedWork): Promise<Placed>;
  lead(book: number): Promise<void>;
  leave(book: number): Promise<void>;
}

/**
 * Who leads which book, as it is and as each member believes: news arrive late or, now and then, never. Messages between
 * members get lost on the way there or back.
 */
export class VirtualCluster {
  readonly #leaders: (Member | null)[];
  readonly #beliefs = new Map<Member, (Member | null)[]>();

  constructor(
    readonly world: VirtualWorld,
    books: number,
    readonly lost: number,
  ) {
    this.#leaders = Array.from({ length: books }, () => null);
  }

  /** The leadership port of a member that is about to be made. */
  portOf(member: () => Member): LeadershipPort {
    return {
      isShared: true,
      leads: (book) => this.#believed(member())[book] === member(),
      handOver: (book, work) => this.#handOver(member(), book, work),
    };
  }

  join(member: Member): void {
    this.#beliefs.set(member, [...this.#leaders]);
  }

  /** The book goes to another member, by agreement if the leader is there to agree. */
  async move(book: number, to: Member): Promise<void> {
    const from = this.#leaders[book]!;
    this.#leaders[book] = null;
    if (from !== null && !from.isDead()) {
      this.#believed(from)[book] = null;
      // It may be frozen, or busy: nobody waits for it for ever.
      await Promise.race([from.leave(book), this.#sleep(GAP_MS)]);
    }
    this.#leaders[book] = to;
    await Promise.race([to.lead(book), this.#sleep(GAP_MS)]);
    for (const [member, beliefs] of this.#beliefs) {
      if (this.world.random() < this.lost) continue;
      void this.#sleep(10 * this.world.random()).then(() => {
        beliefs[book] = this.#leaders[book]!;
        return member;
      });
    }
  }

  #believed(member: Member): (Member | null)[] {
    const beliefs = this.#beliefs.get(member);
    if (beliefs === undefined) throw new Error('the member has not joined');
    return beliefs;
  }

  async #handOver(from: Member, book: number, work: ClaimedWork): Promise<Placed> {
    const { random } = this.world;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      await this.#sleep(3 * random());
      const to = this.#believed(from)[book]!;
      if (to === null || to.isDead()) continue;
      if (to === from) break;
      if (random() < this.lost) continue;
      if (this.#believed(to)[book] !== to) continue;
      const answer = await Promise.race([to.carryOn(work), to.died, this.#sleep(ANSWER_MS_MAX)]);
      await this.#sleep(3 * random());
      if (typeof answer === 'object' && random() >= this.lost) return answer;
    }
    throw new Error('nobody carried it on');
  }

  #sleep(ms: number): Promise<void> {
    return this.world.runtime.sleep(ms);
  }
}
