import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AccountsPort,
  AppendResult,
  Claim,
  ClaimedCommand,
  ClaimResult,
  ClaimsPort,
  EncodedBlock,
  JournalPort,
} from '../../src/ledger/ports.ts';
import type { Account, Balance, Block, Placed, StoredBlock } from '../../src/ledger/types.ts';

/** A number from 0 to 1, not 1. */
export type Random = () => number;

/** Mulberry32: small, and the same on every machine for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

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
}

export const NO_FAULTS: Faults = { answerLost: 0, writeLost: 0, writeLate: 0, readFails: 0, readSlow: 0 };

/** One process's connection to the store: it can freeze for a while, or be gone for good. */
export class Connection {
  #frozen: Promise<void> = Promise.resolve();

  freeze(ms: number): void {
    this.#frozen = sleep(ms);
  }

  /** Nothing that this process asked for is ever answered, and nothing that it sends from now on arrives. */
  cut(): void {
    this.#frozen = new Promise(() => {});
  }

  /** Frozen before the request leaves, or before its answer is read. */
  async carry<T>(request: () => Promise<T>): Promise<T> {
    await this.#frozen;
    try {
      return await request();
    } finally {
      await this.#frozen;
    }
  }
}

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
    readonly random: Random = Math.random,
    public faults: Faults = NO_FAULTS,
  ) {}

  journal(by = new Connection()): JournalPort {
    const read = <T>(from: () => T) => by.carry(() => this.#read(from));
    return {
      encode: encodeInMemory,
      append: (blocks) => by.carry(() => this.#append(blocks)),
      tip: (book) => read(() => this.ofBook(book).at(-1) ?? null),
      read: (book, from, limit) => read(() => this.ofBook(book).slice(from - 1, from - 1 + limit)),
      findEntries: (ids) => read(() => this.placed().filter(({ entry }) => ids.includes(entry.id))),
      balances: (accounts) => read(() => this.balances(accounts)),
    };
  }

  claimsPort(by = new Connection()): ClaimsPort {
    const read = <T>(from: () => T) => by.carry(() => this.#read(from));
    return {
      insert: (claim) => by.carry(() => this.#insertClaim(claim)),
      findByKeys: (keys) => read(() => keys.flatMap((key) => this.#claimed(key))),
      markDone: (ids) =>
        read(() => {
          for (const id of ids) this.claims.set(id, { ...this.claims.get(id)!, state: 'done' });
        }),
      pending: (before, limit) =>
        read(() =>
          [...this.claims.values()].filter(({ state, at }) => state === 'pending' && at < before).slice(0, limit),
        ),
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

  ofBook(book: number): StoredBlock[] {
    return [...this.blocks.values()].filter((block) => block.book === book).sort((a, b) => a.height - b.height);
  }

  placed(): Placed[] {
    return [...this.blocks.values()].flatMap(({ book, height, at, entries }) =>
      entries.map((entry) => ({ entry, book, height, at })),
    );
  }

  balances(accounts: readonly string[]): Map<string, Balance> {
    const wanted = new Set(accounts);
    const found = new Map<string, Balance>();
    for (const { entry, height, at } of this.placed().sort((a, b) => a.height - b.height)) {
      for (const { account, posted, held } of entry.postings) {
        if (wanted.has(account)) found.set(account, { posted, held, height, at });
      }
    }
    return found;
  }

  async #append(blocks: readonly EncodedBlock[]): Promise<AppendResult> {
    await this.#pause();
    const fate = this.random();
    const { answerLost, writeLost, writeLate } = this.faults;
    if (fate < writeLost) {
      if (this.random() < writeLate) void sleep(20 * this.random()).then(() => this.#insertBlocks(blocks));
      return { landed: 0, ended: 'unknown' };
    }
    if (fate < writeLost + answerLost) {
      // An ordered insert that was cut off has inserted some, from the first.
      this.#insertBlocks(blocks.slice(0, Math.ceil(this.random() * blocks.length)));
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
    const fate = this.random();
    const { answerLost, writeLost, writeLate } = this.faults;
    if (fate < writeLost) {
      if (this.random() < writeLate) void sleep(20 * this.random()).then(() => this.#tryClaim(claim));
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
    if (this.random() < this.faults.readFails) throw new Error('a read failed');
    const answer = read();
    if (this.random() < this.faults.readSlow) await sleep(20 * this.random());
    return answer;
  }

  /** Others get their turn, in an order that the seed decides. */
  async #pause(): Promise<void> {
    const turns = Math.floor(this.random() * 4);
    for (let i = 0; i < turns; i++) await new Promise(setImmediate);
  }
}

function encodeInMemory(block: Block): EncodedBlock {
  const text = JSON.stringify(block, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
  const bytes = Buffer.from(text);
  return { block, bytes, hash: createHash('sha256').update(bytes).digest() };
}
