/** Real journals, as engines have written them in a simulated life, and what is to be told of them by a model of its own. */
import type { Command, CommandKind, Placed, StoredBlock } from '../../../src/ledger/types.ts';
import type { MemoryStore } from '../../support/memory-store.ts';

/** SEED=n lives one life again; SEEDS=n lives that many of each mix. */
export const SEEDS: readonly number[] = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: Number(process.env.SEEDS ?? 20) }, (_, i) => i + 1);
/** Of a test that lives all of them. */
export const SEEDS_MS = 60_000 + 400 * SEEDS.length;

/** An event as far as the model knows it. */
export interface Expected {
  readonly id: string;
  readonly type: string;
  readonly group: string;
  readonly book: number;
  readonly height: number;
  readonly index: number;
}

const DONE: Readonly<Record<CommandKind, string>> = {
  payment: 'payment.posted',
  transaction: 'transaction.posted',
  capture: 'payment.captured',
  cancel: 'payment.canceled',
  expiry: 'payment.expired',
  refund: 'payment.refunded',
  reversal: 'transaction.reversed',
  account_change: 'account.changed',
};
const REJECTED: Readonly<Record<CommandKind, string | null>> = {
  payment: 'payment.rejected',
  transaction: 'transaction.rejected',
  capture: 'payment.capture_rejected',
  cancel: 'payment.cancel_rejected',
  expiry: null,
  refund: 'payment.refund_rejected',
  reversal: 'transaction.reversal_rejected',
  account_change: null,
};

/** The journal of a life, which shows its blocks in the order in which they were written, as many as it is told to. */
export class History {
  readonly blocks: readonly StoredBlock[];
  #shown: StoredBlock[] = [];

  constructor(readonly store: MemoryStore) {
    this.blocks = [...store.blocks.values()];
  }

  get isWhole(): boolean {
    return this.#shown.length === this.blocks.length;
  }

  show(count: number): void {
    this.#shown = this.blocks.slice(0, count);
  }

  showMore(count: number): void {
    this.show(this.#shown.length + count);
  }

  tips(): Map<number, number> {
    return new Map(this.blocks.map(({ book, height }) => [book, height]));
  }

  read(book: number, from: number, limit: number): Promise<StoredBlock[]> {
    const wanted = this.#shown.filter((block) => block.book === book && block.height >= from);
    return Promise.resolve(wanted.slice(0, limit));
  }

  findEntries(ids: readonly string[]): Promise<Placed[]> {
    const wanted = new Set(ids);
    return Promise.resolve(placedIn(this.#shown).filter(({ entry }) => wanted.has(entry.id)));
  }

  books(): Promise<number[]> {
    return Promise.resolve([...new Set(this.#shown.map(({ book }) => book))].sort((a, b) => a - b));
  }

  heightAt(book: number, at: number): Promise<number> {
    const before = this.#shown.filter((block) => block.book === book && block.at <= at);
    return Promise.resolve(before.at(-1)?.height ?? 0);
  }

  /** What is to be told of all of it, in the order of each book. */
  expected(): Expected[] {
    const places = new Map<string, Placed[]>();
    for (const placed of placedIn(this.blocks)) {
      places.set(placed.entry.id, [...(places.get(placed.entry.id) ?? []), placed]);
    }
    const commands = [...this.store.claims.values()].flatMap((claim) => claim.commands);
    const byId = new Map(commands.map((command) => [command.id, command]));
    return commands
      .flatMap((command) => this.#expectedOf(command, places.get(command.id) ?? [], byId))
      .sort((a, b) => a.book - b.book || a.height - b.height || a.index - b.index);
  }

  #expectedOf(command: Command, parts: readonly Placed[], byId: ReadonlyMap<string, Command>): Expected[] {
    const isRejected = parts.some(({ entry }) => entry.kind === 'rejected');
    const isHeld = command.hold !== undefined && !isRejected;
    const type = isHeld ? 'payment.authorized' : (isRejected ? REJECTED : DONE)[command.kind];
    if (type === null) return [];
    const told = command.follows ? byId.get(command.follows.origin.id)! : command;
    const { group, book, isSole } = this.#giverOf(told);
    const isItsPlace = ({ entry, ...place }: Placed) =>
      place.book === book && (entry.span === undefined || entry.span.part === 'debit');
    const place = parts.find(isItsPlace);
    if (place === undefined) throw new Error(`${command.id} is not where it should be told`);
    const block = this.blocks.find((one) => one.book === book && one.height === place.height)!;
    const index = block.entries.indexOf(place.entry);
    const isAlone = !isSole && place.entry.kind === 'rejected' && told === command;
    const id = `evt_${command.id.slice(4)}`;
    return [{ id, type, group: isAlone ? command.id : group, book, height: place.height, index }];
  }

  /** The first account that gives in the lowest book in which any does. */
  #giverOf({ legs, change }: Command): { group: string; book: number; isSole: boolean } {
    const bookOf = (account: string) => this.store.accounts.get(account)!.book;
    const givers = change ? [change.account] : legs.filter(({ amount }) => amount < 0n).map(({ account }) => account);
    const books = new Set(givers.map(bookOf));
    const book = Math.min(...books);
    return { group: givers.find((account) => bookOf(account) === book)!, book, isSole: books.size === 1 };
  }
}

function placedIn(blocks: readonly StoredBlock[]): Placed[] {
  return blocks.flatMap(({ entries, book, height, at }) => entries.map((entry) => ({ entry, book, height, at })));
}
