import { createHash } from 'node:crypto';
import type {
  AccountsPort,
  AppendResult,
  Claim,
  ClaimedCommand,
  ClaimResult,
  ClaimsPort,
  EncodedBlock,
  JournalPort,
  Runtime,
} from '../../src/ledger/ports.ts';
import { systemRuntime } from '../../src/ledger/runtime.ts';
import type { Account, AccountTip, Block, Placed, Settlement, StoredBlock } from '../../src/ledger/types.ts';

export interface Faults {
  /** Probability that a write takes effect, of several blocks at least the first, and its answer is lost. */
  readonly answerLost: number;
  /** Probability that a write does not take effect and fails without a clear answer. */
  readonly writeLost: number;
  /** Probability that a lost write takes effect some time later after all. */
  readonly writeLate: number;
  /** Probability that a read fails. */
  readonly readFails: number;
  /** Probability that the answer to a read is some time on its way, and old when it comes. */
  readonly readSlow: number;
  /** A request, and the answer to a write, are up to this on their way, and overtake each other. */
  readonly latencyMs: number;
}

export const NO_FAULTS: Faults = {
  answerLost: 0,
  writeLost: 0,
  writeLate: 0,
  readFails: 0,
  readSlow: 0,
  latencyMs: 0,
};
const LATE_MS = 20;

/** How a process reaches the store: whatever is asked and answered is carried by it. */
export type Carry = <T>(request: () => Promise<T>) => Promise<T>;
const AT_ONCE: Carry = (request) => request();

/**
 * The world of the engine in memory, shared by any number of engines: it delays, loses and reorders by a seed. Its
 * rules are those of the ports: an id or key is taken once, whatever is answered.
 */
export class MemoryStore implements AccountsPort {
  readonly blocks = new Map<string, StoredBlock>();
  readonly claims = new Map<string, Claim>();
  readonly keys = new Map<string, string>();
  readonly accounts = new Map<string, Account>();

  constructor(
    readonly runtime: Runtime = systemRuntime,
    public faults: Faults = NO_FAULTS,
  ) {}

  journal(carry: Carry = AT_ONCE): JournalPort {
    const read = <T>(from: () => T) => carry(() => this.#read(from));
    return {
      encode: encodeInMemory,
      append: (blocks) => carry(() => this.#append(blocks)),
      tip: (book) => read(() => this.ofBook(book).at(-1) ?? null),
      read: (book, from, limit) => read(() => this.ofBook(book).slice(from - 1, from - 1 + limit)),
      findEntries: (ids) => read(() => this.placed().filter(({ entry }) => ids.includes(entry.id))),
      balances: (accounts) => read(() => this.balances(accounts)),
      settlements: (ids) => read(() => this.settlements(ids)),
    };
  }

  claimsPort(carry: Carry = AT_ONCE): ClaimsPort {
    const read = <T>(from: () => T) => carry(() => this.#read(from));
    const isPending = ({ state }: Claim) => state === 'pending';
    return {
      insert: (claim) => carry(() => this.#insertClaim(claim)),
      findByKeys: (keys) => read(() => keys.flatMap((key) => this.#claimed(key))),
      markDone: (ids) =>
        read(() => {
          for (const id of ids) this.claims.set(id, { ...this.claims.get(id)!, state: 'done' });
        }),
      pending: (limit) =>
        read(() =>
          [...this.claims.values()]
            .filter(isPending)
            .slice(0, limit)
            .map(({ id }) => id),
        ),
      loadPending: (ids) => read(() => ids.map((id) => this.claims.get(id)!).filter(isPending)),
    };
  }

  accountsPort(carry: Carry = AT_ONCE): AccountsPort {
    return {
      load: (ids) => carry(() => this.load(ids)),
      ensure: (accounts) => carry(() => this.ensure(accounts)),
      announceChanges: (ids) => carry(() => this.announceChanges(ids)),
    };
  }

  load(ids: readonly string[]): Promise<Account[]> {
    return this.#read(() => ids.flatMap((id) => this.accounts.get(id) ?? []));
  }

  ensure(accounts: readonly Account[]): Promise<void> {
    return this.#read(() => {
      for (const account of accounts) if (!this.accounts.has(account.id)) this.accounts.set(account.id, account);
    });
  }

  announceChanges(_ids: readonly string[]): Promise<void> {
    return this.#read(() => undefined);
  }

  ofBook(book: number): StoredBlock[] {
    return [...this.blocks.values()].filter((block) => block.book === book).sort((a, b) => a.height - b.height);
  }

  placed(): Placed[] {
    return [...this.blocks.values()].flatMap(({ book, height, at, entries }) =>
      entries.map((entry) => ({ entry, book, height, at })),
    );
  }

  balances(accounts: readonly string[]): Map<string, AccountTip> {
    const wanted = new Set(accounts);
    const found = new Map<string, AccountTip>();
    const never = { posted: 0n, held: 0n, height: 0, at: 0 };
    for (const { entry, height, at } of this.#inOrder()) {
      for (const { account, posted, held } of entry.postings) {
        if (wanted.has(account)) found.set(account, { ...found.get(account), posted, held, height, at });
      }
      if (!entry.changed || !wanted.has(entry.changed.account)) continue;
      const { account, ...state } = entry.changed;
      found.set(account, { ...(found.get(account) ?? never), state });
    }
    return found;
  }

  settlements(ids: readonly string[]): Map<string, Settlement> {
    const found = new Map<string, Settlement>();
    for (const { entry } of this.#inOrder()) {
      if (entry.settlement && ids.includes(entry.settlement.id)) found.set(entry.settlement.id, entry.settlement);
    }
    return found;
  }

  #inOrder(): Placed[] {
    return this.placed().sort((a, b) => a.height - b.height);
  }

  async #append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
    await this.#pause();
    const fate = this.runtime.random();
    const { answerLost, writeLost, writeLate } = this.faults;
    if (fate < writeLost) {
      if (this.runtime.random() < writeLate)
        void this.runtime.sleep(LATE_MS * this.runtime.random()).then(() => this.#insertBlocks(blocks));
      return { landed: 0, ended: 'unknown' };
    }
    if (fate < writeLost + answerLost) {
      // An ordered insert that was cut off has inserted some, from the first.
      this.#insertBlocks(blocks.slice(0, Math.ceil(this.runtime.random() * blocks.length)));
      await this.#pause();
      return { landed: 0, ended: 'unknown' };
    }
    const landed = this.#insertBlocks(blocks);
    await this.#pause();
    return { landed, ended: landed === blocks.length ? 'done' : 'taken' };
  }

  #insertBlocks(blocks: readonly EncodedBlock[]): number {
    let landed = 0;
    for (const { block, hash } of blocks) {
      const id = `${block.book}/${block.height}`;
      if (this.blocks.has(id)) break;
      this.blocks.set(id, { ...block, hash });
      landed++;
    }
    return landed;
  }

  async #insertClaim(claim: Claim): Promise<ClaimResult> {
    await this.#pause();
    const fate = this.runtime.random();
    const { answerLost, writeLost, writeLate } = this.faults;
    if (fate < writeLost) {
      if (this.runtime.random() < writeLate)
        void this.runtime.sleep(LATE_MS * this.runtime.random()).then(() => this.#tryClaim(claim));
      return 'unknown';
    }
    const result = this.#tryClaim(claim);
    await this.#pause();
    return fate < writeLost + answerLost ? 'unknown' : result;
  }

  #tryClaim(claim: Claim): 'inserted' | 'duplicate' {
    if (this.claims.has(claim.id) || claim.commands.some(({ key }) => this.keys.has(key))) return 'duplicate';
    this.claims.set(claim.id, claim);
    for (const { key } of claim.commands) this.keys.set(key, claim.id);
    return 'inserted';
  }

  #claimed(key: string): ClaimedCommand[] {
    const claim = this.claims.get(this.keys.get(key) ?? '');
    if (!claim) return [];
    const { id: claimId, at, state, owner, commands } = claim;
    return [{ claimId, at, state, owner, command: commands.find((command) => command.key === key)! }];
  }

  async #read<T>(read: () => T): Promise<T> {
    await this.#pause();
    if (this.runtime.random() < this.faults.readFails) throw new Error('a read failed');
    const answer = read();
    if (this.runtime.random() < this.faults.readSlow) await this.runtime.sleep(LATE_MS * this.runtime.random());
    return answer;
  }

  /** Others get their turn. */
  #pause(): Promise<void> {
    const { latencyMs } = this.faults;
    return latencyMs > 0 ? this.runtime.sleep(latencyMs * this.runtime.random()) : this.runtime.turn();
  }
}

function encodeInMemory(block: Block): EncodedBlock {
  const text = JSON.stringify(block, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
  const bytes = Buffer.from(text);
  return { block, bytes, hash: createHash('sha256').update(bytes).digest() };
}
