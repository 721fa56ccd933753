/**
 * A ledger in memory, written by its own simple rules and not by the engine: what verification is tested on. All of it
 * can be changed afterwards, to plant faults.
 */
import { createHash } from 'node:crypto';
import type { Claim } from '../../src/ledger/ports.ts';
import type {
  AccountChange,
  AccountState,
  Command,
  Details,
  Entry,
  EntryPart,
  Leg,
  Posting,
  RejectionReason,
  Span,
  StoredBlock,
} from '../../src/ledger/types.ts';
import { postingsIn } from '../../src/ledger/types.ts';
import type { AuditedAccount, AuditPort, PaymentRow } from '../../src/verification/ports.ts';
import { type FollowingKind, legsFollowing, type ModelEffect, ModelLives, NO_EFFECT, originOf } from './model-lives.ts';
import { isCrossing, type ModelPart, type ModelParts, partsOf } from './model-parts.ts';

/** Everything without `readonly`, all the way down. */
export type Mutable<T> = T extends (infer U)[] | readonly (infer U)[]
  ? Mutable<U>[]
  : T extends Uint8Array | Date | bigint | string | number | null | undefined
    ? T
    : { -readonly [K in keyof T]: Mutable<T[K]> };

export const NOW = Date.UTC(2026, 0, 31, 12);
const BEGINNING = Date.UTC(2026, 0, 1);
const BLOCK_MS = 3_600_000;

export function hashOf(block: StoredBlock): Uint8Array {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
  const bytes = JSON.stringify({ ...block, hash: null, prev: Buffer.from(block.prev).toString('hex') }, plain);
  return createHash('sha256').update(bytes).digest();
}

/** Of each book. */
export function timeOfBlock(height: number): number {
  return BEGINNING + height * BLOCK_MS;
}

export class Model {
  accounts: Mutable<AuditedAccount>[] = [];
  readonly books = new Map<number, Mutable<StoredBlock>[]>();
  claims: Mutable<Claim>[] = [];
  rows: Mutable<PaymentRow>[] = [];
  readonly checkpoints = new Map<number, number>();
  readonly indexFaults = new Map<StoredBlock, string>();
  readonly snapshotsUpTo = new Map<number, number>();
  readonly lives = new ModelLives();
  readonly #balances = new Map<string, bigint>();
  #commands = 0;

  account(id: string, currency: string, book = 0, min: bigint | null = 0n, max: bigint | null = null): string {
    this.accounts.push({ id, book, currency, minBalance: min, maxBalance: max });
    return id;
  }

  blocks(book = 0): Mutable<StoredBlock>[] {
    const blocks = this.books.get(book) ?? [];
    this.books.set(book, blocks);
    return blocks;
  }

  balance(account: string): bigint {
    return this.#balances.get(account) ?? 0n;
  }

  /** A command to move an amount from one account to another. */
  payment(source: string, destination: string, amount: bigint, details: Details = {}): Command {
    const { currency } = this.#account(source);
    const legs = [
      { account: source, amount: -amount, currency },
      { account: destination, amount, currency },
    ];
    return this.#command('payment', legs, details);
  }

  /** Of a payment that holds its amount first, until the time given or for ever. */
  hold(source: string, destination: string, amount: bigint, expiresAt: number | null = null): Command {
    return { ...this.payment(source, destination, amount), hold: { expiresAt } };
  }

  /** What follows an earlier command; of a reversal the amount is left out. */
  following(kind: FollowingKind, earlier: Command, amount = 0n, isLast = false): Command {
    const book = Math.min(...this.#booksOf(earlier).filter((_, i) => earlier.legs[i]!.amount < 0n));
    const command = this.#command(kind, legsFollowing(kind, earlier, amount), {});
    const settled = kind === 'reversal' ? 1n : command.legs.length === 0 ? 0n : amount;
    return {
      ...command,
      follows: { book, amount: settled, ...(isLast ? { isLast } : {}), origin: originOf(earlier) },
    };
  }

  change(change: AccountChange): Command {
    return { ...this.#command('account_change', [], {}), change };
  }

  transaction(legs: readonly (readonly [string, bigint])[], details: Details = {}): Command {
    const withCurrency = legs.map(([account, amount]) => ({
      account,
      amount,
      currency: this.#account(account).currency,
    }));
    return this.#command('transaction', withCurrency, details);
  }

  /**
   * Claims the commands together and, unless `entries` is false, decides them in one block a book, and what follows
   * from their debits in another.
   */
  run(commands: readonly Command[], { state = 'done', entries = true, at = NOW - 1_000 }: RunOptions = {}): void {
    const id = `claim-${this.claims.length + 1}`;
    this.claims.push(structuredClone({ id, owner: 'somebody', at, state, commands }) as Mutable<Claim>);
    if (!entries) return;
    const followUps: (() => void)[] = [];
    const first = new Map<number, Entry[]>();
    const second = new Map<number, Entry[]>();
    for (const command of commands) {
      const { change, hold, follows, legs } = command;
      const books = this.#booksOf(command);
      const home = change ? this.#account(change.account).book : (follows?.book ?? books[0]!);
      if (hold || !isCrossing([home, ...books])) put(first, home, this.decide(command, home));
      else followUps.push(this.#begin(command, partsOf(legs, books, follows?.book), first, second));
    }
    for (const [book, decided] of first) this.append(book, 'entries', decided);
    if (entries === 'debits') return;
    for (const followUp of followUps) followUp();
    for (const [book, decided] of second) this.append(book, 'entries', decided);
  }

  /** Decides the debits into `first`; answers what decides the credits or reversals into `second`. */
  #begin(command: Command, { debits, credits }: ModelParts, first: EntriesByBook, second: EntriesByBook): () => void {
    const books = { debits: debits.map(({ book }) => book), credits: credits.map(({ book }) => book) };
    const given = debits.map((part, i) => {
      const span: Span = { part: 'debit', ...books, ...(i === 0 ? { legs: command.legs } : {}) };
      return put(first, part.book, this.decide(command, part.book, { ...part, span }));
    });
    return () => {
      const isRejected = given.some(({ rejection }) => rejection);
      const takenBack = debits.filter((_, i) => !given[i]!.rejection).map(negated);
      const part: EntryPart = isRejected ? 'reversal' : 'credit';
      for (const one of isRejected ? takenBack : credits) {
        put(second, one.book, this.decide(command, one.book, { ...one, span: { part, ...books } }));
      }
    };
  }

  /** Suspense accounts that are not empty. */
  suspended(): string[] {
    return [...this.#balances].flatMap(([id, balance]) => (id.startsWith('suspense:') && balance !== 0n ? [id] : []));
  }

  append(book: number, kind: StoredBlock['kind'], entries: readonly Entry[] = []): Mutable<StoredBlock> {
    const blocks = this.blocks(book);
    const below = blocks.at(-1);
    const term = (below?.term ?? 0) + (kind === 'term' ? 1 : 0);
    const height = blocks.length + 1;
    const block = structuredClone({
      book,
      height,
      prev: below?.hash ?? new Uint8Array(32),
      term,
      at: timeOfBlock(height),
      kind,
      postingsBelow: below ? below.postingsBelow + postingsIn(below as StoredBlock) : 0,
      entries,
      hash: new Uint8Array(32),
    }) as Mutable<StoredBlock>;
    block.hash = hashOf(block as StoredBlock);
    blocks.push(block);
    for (const entry of entries) this.#addRow(entry, block as StoredBlock);
    this.checkpoints.set(book, height);
    return block;
  }

  /** Decides a whole command, or one part of it. */
  decide(command: Command, book: number, part?: ModelPart & { span: Span }): Entry {
    const { id, key, kind, legs, follows, details } = command;
    const base = part ? { id, key, span: part.span, details } : { id, key, details };
    const isFinal = part !== undefined && part.span.part !== 'debit';
    const own = command.hold ? [] : (part?.legs ?? legs);
    for (const { account, currency } of part?.legs ?? []) this.#ensure(account, part!.book, currency);
    const effect = this.#effectOf(command, book, part?.span.part);
    const reason = typeof effect === 'string' ? effect : isFinal ? null : this.#refusal(own, effect);
    if (typeof effect === 'string' || reason !== null) {
      const rejection = { reason: reason!, kind, legs, ...(follows ? { follows: follows.origin.id } : {}) };
      return { ...base, kind: 'rejected', postings: [], rejection, ...(command.hold ? { legs } : {}) };
    }
    this.lives.take(effect);
    const postings = own.map((leg) => {
      const suspense = `suspense:${book}:${leg.currency}`;
      const account = isFinal && this.#refusal([leg]) ? this.#ensure(suspense, book, leg.currency) : leg.account;
      return this.#post({ ...leg, account });
    });
    const { on, more, settlement, changed } = effect;
    if (on !== undefined && more !== 0n && !own.some(({ account }) => account === on)) {
      postings.push(this.#post({ account: on, amount: 0n, currency: this.#account(on).currency }));
    }
    const told = { ...(command.hold ? { legs } : {}), ...(settlement ? { settlement } : {}) };
    return { ...base, kind, postings, ...told, ...(changed ? { changed } : {}) };
  }

  #effectOf(command: Command, book: number, part?: EntryPart): ModelEffect | RejectionReason {
    const { change, hold, follows, legs } = command;
    if (change) return this.lives.change(command, this.#stateOf(change.account), this.balance(change.account));
    if (hold) return this.lives.hold(command, -legs[0]!.amount);
    if (follows?.book !== book || part === 'credit') return NO_EFFECT;
    return this.lives.follow(command, timeOfBlock(this.blocks(book).length + 1), part === 'reversal');
  }

  #post(leg: Leg): Posting {
    const posted = this.balance(leg.account) + leg.amount;
    this.#balances.set(leg.account, posted);
    return { ...leg, posted, held: this.lives.heldOn(leg.account) };
  }

  /** Hashes and links a book anew, as somebody would who changed it and wants to hide it. */
  forge(book = 0): void {
    let prev: Uint8Array = new Uint8Array(32);
    let postingsBelow = 0;
    for (const block of this.blocks(book)) {
      block.postingsBelow = postingsBelow;
      postingsBelow += postingsIn(block as StoredBlock);
      block.prev = prev;
      block.hash = hashOf(block as StoredBlock);
      prev = block.hash;
    }
  }

  /** Keeps with each account of a book its balance up to a height, or a later one: `later` answers how much later. */
  snapshot(book: number, upTo: number, later: () => number = () => 0): void {
    this.snapshotsUpTo.set(book, upTo);
    for (const account of this.accounts) {
      const reach = upTo + later();
      for (const { height, entries } of this.blocks(book)) {
        const last = entries.flatMap(({ postings }) => postings).findLast((posting) => posting.account === account.id);
        if (last && height <= reach) account.snapshot = { posted: last.posted, held: last.held, height };
      }
    }
  }

  port(): AuditPort {
    const model = this;
    const allBlocks = () => [...model.books.values()].flat() as StoredBlock[];
    return {
      checkpoints: async (view) => (view === 'payments' ? model.checkpoints : model.snapshotsUpTo),
      tips: async () =>
        [...model.books]
          .filter(([, blocks]) => blocks.length > 0)
          .map(([book, blocks]) => ({ book, height: blocks.at(-1)!.height }))
          .sort((a, b) => a.book - b.book),
      accounts: () => each(model.accounts),
      async *blocks(book, fromHeight, toHeight) {
        for (const block of model.blocks(book) as StoredBlock[]) {
          if (block.height < fromHeight || block.height > toHeight) continue;
          const audited = { block, recomputedHash: hashOf(block), indexFault: model.indexFaults.get(block) ?? null };
          yield { size: 1 << 16, scan: () => false, audited: () => audited };
        }
      },
      paymentRows: (book, fromHeight, toHeight) =>
        each(
          model.rows
            .filter((row) => row.book === book && row.height >= fromHeight && row.height <= toHeight)
            .sort((a, b) => a.height - b.height),
        ),
      claims: (since = 0) => each(model.claims.filter(({ at, state }) => at >= since || state === 'pending')),
      asClaimed: async (blocks) => ({ same: blocks.map(() => new Set()), claims: [] }),
      findByKeys: async (keys) =>
        model.claims.flatMap(({ id, at, state, owner, commands }) =>
          commands
            .filter(({ key }) => keys.includes(key))
            .map((command) => ({ claimId: id, at, state, owner, command })),
        ),
      places: async (ids) =>
        allBlocks().flatMap(({ book, height, entries }) =>
          entries
            .filter(({ id }) => ids.includes(id))
            .map(({ id, span, kind }) => ({
              id,
              book,
              height,
              part: span?.part ?? null,
              rejected: kind === 'rejected',
            })),
        ),
    };
  }

  #command(kind: Command['kind'], legs: readonly Leg[], details: Details): Command {
    const n = String(++this.#commands).padStart(12, '0');
    const id = `txn_01900000-0000-7000-8000-${n}`;
    return { id, key: `shop/${n}`, fingerprint: `f${n}`, kind, legs, details };
  }

  #refusal(legs: readonly Leg[], { on, more }: ModelEffect = NO_EFFECT): RejectionReason | null {
    const isHeld = on !== undefined && more > 0n;
    for (const { account, amount } of isHeld ? [...legs, { account: on, amount: 0n }] : legs) {
      const { status, minBalance, maxBalance } = this.#stateOf(account);
      const held = this.lives.heldOn(account) + (account === on ? more : 0n);
      const after = this.balance(account) + amount;
      if (status === 'closed') return 'account_closed';
      if (status === 'frozen' && amount <= 0n) return 'account_frozen';
      if (amount <= 0n && minBalance !== null && after - held < minBalance) return 'insufficient_funds';
      if (amount > 0n && maxBalance !== null && after > maxBalance) return 'balance_limit_exceeded';
    }
    return null;
  }

  #stateOf(account: string): AccountState {
    const { minBalance, maxBalance } = this.#account(account);
    return this.lives.states.get(account) ?? { status: 'open', minBalance, maxBalance };
  }

  #booksOf({ legs }: Command): number[] {
    return legs.map(({ account }) => this.#account(account).book);
  }

  #ensure(id: string, book: number, currency: string): string {
    return this.#account(id)?.id ?? this.account(id, currency, book, null);
  }

  #account(id: string): Mutable<AuditedAccount> {
    return this.accounts.find((account) => account.id === id)!;
  }

  #addRow(
    { id, kind, span, postings, rejection, legs: held, settlement, details }: Entry,
    { book, height, at }: StoredBlock,
  ): void {
    if (settlement && settlement.id !== id) {
      const row = this.rows.find(({ transactionId }) => transactionId === settlement.id);
      if (row) Object.assign(row, this.lives.rowOf(settlement, kind, row.capture), { settledHeight: height });
    }
    if ((rejection?.kind ?? kind) !== 'payment' || (span && !span.legs)) return;
    const legs = rejection?.legs ?? span?.legs ?? held ?? postings;
    const { amount } = legs[1]!;
    this.rows.push({
      transactionId: id,
      status: rejection ? 'rejected' : held ? 'authorized' : 'posted',
      capture: held ? 'manual' : 'automatic',
      amountHeld: held && !rejection ? amount : 0n,
      amountCaptured: held || rejection ? 0n : amount,
      amountRefunded: 0n,
      settledHeight: height,
      rejectionReason: rejection?.reason ?? null,
      source: legs[0]!.account,
      destination: legs[1]!.account,
      amount,
      currency: legs[1]!.currency,
      reference: details.reference ?? null,
      createdAt: new Date(at),
      book,
      height,
    });
  }
}

interface RunOptions {
  state?: 'pending' | 'done';
  /** `debits`: of commands over several books only these. */
  entries?: boolean | 'debits';
  at?: number;
}

type EntriesByBook = Map<number, Entry[]>;

function put(into: EntriesByBook, book: number, entry: Entry): Entry {
  into.set(book, [...(into.get(book) ?? []), entry]);
  return entry;
}

function negated({ book, legs }: ModelPart): ModelPart {
  return { book, legs: legs.map((leg) => ({ ...leg, amount: -leg.amount })) };
}

export async function* each<T>(all: Iterable<T>): AsyncGenerator<T> {
  yield* all;
}
