/** Sound ledgers of any shape. */
import type { AccountChange, Command, Details } from '../../src/ledger/types.ts';
import { Model, timeOfBlock } from './model.ts';
import { isOfUsers } from './model-parts.ts';

type Random = (below: number) => number;

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
 * between books, payments that are captured later and refunded, accounts that are frozen, limited and closed. What an account could not take may be in suspense.
 */
export function randomModel(seed: number, groups: number): Model {
  const ledger = new RandomLedger(seed);
  ledger.grow(groups);
  ledger.writeBehind();
  ledger.leaveOpen();
  return ledger.model;
}

/** The same, as it grows. */
export class RandomLedger {
  readonly model = new Model();
  readonly #random: Random;
  readonly #books: number;
  readonly #made: Command[] = [];

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#books = 1 + this.#random(3);
    const { model } = this;
    for (let book = 0; book < this.#books; book++) {
      for (const currency of ['EUR', 'JPY']) {
        model.account(`world:${currency}:${book}`, currency, book, null);
        for (let i = 0; i < 4; i++)
          model.account(`user:${i}:${currency}:${book}`, currency, book, 0n, i === 0 ? 5_000n : null);
      }
      model.append(book, 'term');
    }
  }

  /** Groups of commands, all claimed at a time. */
  grow(groups: number, at?: number): void {
    const { model } = this;
    const random = this.#random;
    const claimed = at === undefined ? {} : { at };
    for (let i = 0; i < groups; i++) {
      const book = random(this.#books);
      if (random(8) === 0) model.append(book, random(2) === 0 ? 'seal' : 'term');
      const commands = Array.from({ length: 1 + random(5) }, () => {
        const later = random(2) === 0 ? randomLife(model, this.#made, random) : null;
        if (later) return later;
        const isCrossing = random(3) === 0 && this.#books > 1;
        return isCrossing ? randomCrossing(model, this.#books, random) : randomCommand(model, book, random);
      });
      const state = random(6) === 0 ? 'pending' : 'done';
      model.run(commands, { ...claimed, state, entries: state === 'pending' && random(2) === 0 ? 'debits' : true });
      if (state === 'done') this.#made.push(...commands.filter(({ id }) => isPosted(model, id)));
    }
  }

  /** The list of payments and the balances kept with accounts become complete up to some height, and never a lower one. */
  writeBehind(): void {
    const { model } = this;
    const random = this.#random;
    const further = (from: number, book: number) => from + random(model.blocks(book).length + 1 - from);
    for (let book = 0; book < this.#books; book++) {
      const height = further(this.#listed.get(book) ?? 0, book);
      this.#listed.set(book, height);
      model.checkpoints.set(book, height);
    }
    for (let book = 0; book < this.#books; book++) {
      const upTo = further(model.snapshotsUpTo.get(book) ?? 0, book);
      model.snapshot(book, upTo, () => Math.max(0, random(6) - 3));
    }
  }

  /** By book; the model itself moves its own on with each block. */
  readonly #listed = new Map<number, number>();

  /** Claims a command that stands nowhere yet, or not. */
  leaveOpen(at?: number): void {
    const open = randomCommand(this.model, 0, this.#random);
    const claimed = at === undefined ? {} : { at };
    if (this.#random(2) === 0) this.model.run([open], { ...claimed, state: 'pending', entries: false });
  }
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

/** A hold, a change of an account, or what follows something that was made; null: neither this time. */
function randomLife(model: Model, made: readonly Command[], random: Random): Command | null {
  const users = model.accounts.filter(({ id }) => id.startsWith('user:'));
  const account = users[random(users.length)]!;
  const fate = random(10);
  if (fate === 0) return model.change({ account: account.id, ...randomChange(random) });
  if (fate < 4) {
    const others = model.accounts.filter(({ id, currency }) => isOfUsers(id) && currency === account.currency);
    const other = others[random(others.length)]!;
    if (other === account) return null;
    const expiresAt = random(2) === 0 ? null : timeOfBlock(random(40)) + random(2);
    const [from, to] = random(2) === 0 ? [account, other] : [other, account];
    return model.hold(from.id, to.id, BigInt(1 + random(2_000)), expiresAt);
  }
  const earlier = made.filter(({ kind }) => kind === 'payment' || kind === 'transaction').at(-1 - random(6));
  if (!earlier) return null;
  if (earlier.kind === 'transaction') return model.following('reversal', earlier);
  const kind = (['capture', 'capture', 'cancel', 'expiry', 'refund'] as const)[random(5)]!;
  const most = Number(earlier.legs[1]!.amount);
  return model.following(kind, earlier, BigInt(1 + random(most)), kind === 'capture' && random(2) === 0);
}

function randomChange(random: Random): Omit<AccountChange, 'account'> {
  const status = (['frozen', 'open', 'open', 'closed'] as const)[random(4)]!;
  const limit = random(4) === 0 ? null : BigInt(random(3_000));
  const changes = [
    { status },
    { minBalance: limit === null ? null : -limit },
    { maxBalance: limit },
    { status, maxBalance: limit },
  ];
  return changes[random(changes.length)]!;
}

/** Does the command stand, and is no part of it rejected? */
function isPosted(model: Model, id: string): boolean {
  const entries = [...model.books.values()].flat().flatMap((block) => block.entries.filter((entry) => entry.id === id));
  return entries.length > 0 && entries.every(({ rejection }) => !rejection);
}
