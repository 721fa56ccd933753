/**
 * A ledger in memory, written by its own simple rules and not by the engine: what verification is tested on. All of it
 * can be changed afterwards, to plant faults.
 */
import { createHash } from 'node:crypto';
import type { AuditedAccount, AuditPort, PaymentRow } from '../../src/jobs/ports.ts';
import type { Claim } from '../../src/ledger/ports.ts';
import type {
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
import { isCrossing, isOfUsers, type ModelPart, type ModelParts, partsOf } from './model-parts.ts';

/** Everything without `readonly`, all the way down. */
export type Mutable<T> = T extends (infer U)[] | readonly (infer U)[]
  ? Mutable<U>[]
  : T extends Uint8Array | Date | bigint | string | number | null | undefined
    ? T
    : { -readonly [K in keyof T]: Mutable<T[K]> };

export const NOW = Date.UTC(2026, 0, 31, 12);
const BEGINNING = Date.UTC(2026, 0, 1);

export function hashOf(block: StoredBlock): Uint8Array {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
  const bytes = JSON.stringify({ ...block, hash: null, prev: Buffer.from(block.prev).toString('hex') }, plain);
  return createHash('sha256').update(bytes).digest();
}

export class Model {
  accounts: Mutable<AuditedAccount>[] = [];
  readonly books = new Map<number, Mutable<StoredBlock>[]>();
  claims: Mutable<Claim>[] = [];
  rows: Mutable<PaymentRow>[] = [];
  readonly checkpoints = new Map<number, number>();
  readonly indexFaults = new Map<StoredBlock, string>();
  readonly snapshotsUpTo = new Map<number, number>();
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
      const books = command.legs.map(({ account }) => this.#account(account).book);
      if (!isCrossing(books)) put(first, books[0]!, this.decide(command));
      else followUps.push(this.#begin(command, partsOf(command.legs, books), first, second));
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
      return put(first, part.book, this.decide(command, { ...part, span }));
    });
    return () => {
      const isRejected = given.some(({ rejection }) => rejection);
      const takenBack = debits.filter((_, i) => !given[i]!.rejection).map(negated);
      const part: EntryPart = isRejected ? 'reversal' : 'credit';
      for (const one of isRejected ? takenBack : credits) {
        put(second, one.book, this.decide(command, { ...one, span: { part, ...books } }));
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
      at: BEGINNING + height * 3_600_000,
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
  decide({ id, key, kind, legs, details }: Command, part?: ModelPart & { span: Span }): Entry {
    const base = part ? { id, key, span: part.span, details } : { id, key, details };
    const isFinal = part !== undefined && part.span.part !== 'debit';
    for (const { account, currency } of part?.legs ?? []) this.#ensure(account, part!.book, currency);
    const reason = isFinal ? null : this.#refusal(part?.legs ?? legs);
    if (reason !== null) return { ...base, kind: 'rejected', postings: [], rejection: { reason, kind, legs } };
    const postings: Posting[] = (part?.legs ?? legs).map((leg) => {
      const suspense = `suspense:${part?.book}:${leg.currency}`;
      const account = isFinal && this.#refusal([leg]) ? this.#ensure(suspense, part!.book, leg.currency) : leg.account;
      const posted = this.balance(account) + leg.amount;
      this.#balances.set(account, posted);
      return { ...leg, account, posted, held: 0n };
    });
    return { ...base, kind, postings };
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
      async *blocks(book, toHeight) {
        for (const block of model.blocks(book) as StoredBlock[]) {
          if (block.height > toHeight) continue;
          yield { block, recomputedHash: hashOf(block), indexFault: model.indexFaults.get(block) ?? null };
        }
      },
      paymentRows: (book, toHeight) =>
        each(
          model.rows.filter((row) => row.book === book && row.height <= toHeight).sort((a, b) => a.height - b.height),
        ),
      claims: () => each(model.claims),
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

  #refusal(legs: readonly Leg[]): RejectionReason | null {
    for (const { account, amount } of legs) {
      const { minBalance, maxBalance } = this.#account(account);
      const after = this.balance(account) + amount;
      if (amount < 0n && minBalance !== null && after < minBalance) return 'insufficient_funds';
      if (amount > 0n && maxBalance !== null && after > maxBalance) return 'balance_limit_exceeded';
    }
    return null;
  }

  #ensure(id: string, book: number, currency: string): string {
    return this.#account(id)?.id ?? this.account(id, currency, book, null);
  }

  #account(id: string): Mutable<AuditedAccount> {
    return this.accounts.find((account) => account.id === id)!;
  }

  #addRow({ id, kind, span, postings, rejection, details }: Entry, { book, height, at }: StoredBlock): void {
    if ((rejection?.kind ?? kind) !== 'payment' || (span && !span.legs)) return;
    const legs = rejection?.legs ?? span?.legs ?? postings;
    this.rows.push({
      transactionId: id,
      status: rejection ? 'rejected' : 'posted',
      rejectionReason: rejection?.reason ?? null,
      source: legs[0]!.account,
      destination: legs[1]!.account,
      amount: legs[1]!.amount,
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

/** Numbers from a seed: the same seed gives the same numbers. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/**
 * A sound ledger of any shape: several books and currencies, rejections, several legs, empty blocks, open claims, money
 * between books. What an account could not take may be in suspense.
 */
export function randomModel(seed: number, groups: number): Model {
  const random = randomFrom(seed);
  const model = new Model();
  const books = 1 + random(3);
  for (let book = 0; book < books; book++) {
    for (const currency of ['EUR', 'JPY']) {
      model.account(`world:${currency}:${book}`, currency, book, null);
      for (let i = 0; i < 4; i++)
        model.account(`user:${i}:${currency}:${book}`, currency, book, 0n, i === 0 ? 5_000n : null);
    }
    model.append(book, 'term');
  }
  for (let i = 0; i < groups; i++) {
    const book = random(books);
    if (random(8) === 0) model.append(book, random(2) === 0 ? 'seal' : 'term');
    const commands = Array.from({ length: 1 + random(5) }, () =>
      random(3) === 0 && books > 1 ? randomCrossing(model, books, random) : randomCommand(model, book, random),
    );
    const state = random(6) === 0 ? 'pending' : 'done';
    model.run(commands, { state, entries: state === 'pending' && random(2) === 0 ? 'debits' : true });
  }
  for (let book = 0; book < books; book++) model.checkpoints.set(book, random(model.blocks(book).length + 1));
  for (let book = 0; book < books; book++) {
    model.snapshot(book, random(model.blocks(book).length + 1), () => Math.max(0, random(6) - 3));
  }
  const open = randomCommand(model, 0, random);
  if (random(2) === 0) model.run([open], { state: 'pending', entries: false });
  return model;
}

function randomCommand(model: Model, book: number, random: (below: number) => number): Command {
  const pick = (currency: string, not: string[]) => {
    const all = model.accounts.filter(
      (account) =>
        isOfUsers(account.id) && account.book === book && account.currency === currency && !not.includes(account.id),
    );
    return random(3) === 0 && !not.includes(`world:${currency}:${book}`)
      ? `world:${currency}:${book}`
      : all[random(all.length)]!.id;
  };
  const currency = random(2) === 0 ? 'EUR' : 'JPY';
  const details: Details =
    random(2) === 0 ? { reference: `INV-${random(1000)}`, metadata: { order: String(random(9)) } } : {};
  const amount = BigInt(1 + random(2_000));
  const source = pick(currency, []);
  const destination = pick(currency, [source]);
  if (random(3) > 0) return model.payment(source, destination, amount, details);
  const other = currency === 'EUR' ? 'JPY' : 'EUR';
  const first = pick(other, []);
  const second = pick(other, [first]);
  return model.transaction(
    [
      [source, -amount],
      [destination, amount],
      [first, -7n],
      [second, 7n],
    ],
    details,
  );
}

/** From one book to another; or from several to one, which may be one of them; or from one to several and itself. */
function randomCrossing(model: Model, books: number, random: (below: number) => number): Command {
  const [home, away] = [random(books), 1 + random(books - 1)];
  const user = (offset: number) => `user:${random(4)}:EUR:${(home + offset) % books}`;
  const world = (offset: number) => `world:EUR:${(home + offset) % books}`;
  const amount = BigInt(1 + random(2_000));
  const shape = random(4);
  if (shape === 0) {
    return model.transaction([
      [user(0), -amount],
      [user(away), -amount],
      [world(random(2) * away), 2n * amount],
    ]);
  }
  if (shape === 1) {
    return model.transaction([
      [world(0), -2n * amount],
      [user(away), amount],
      [user(0), amount],
    ]);
  }
  return model.payment(random(2) === 0 ? world(0) : user(0), user(away), amount, { reference: `X-${random(1000)}` });
}
