import { assembled } from './assemble.ts';
import { type Crossing, type PartPlan, reversalOf } from './crossing.ts';
import type { Command, Entry, EntryPart, Leg, Placed, Span } from './types.ts';

/** What is appended to one book for a command: all of it, or its part there. */
export interface Part {
  readonly book: number;
  readonly legs: readonly Leg[];
  /** Slots of the legs' accounts, in their order. */
  readonly slots: readonly number[];
  /** Absent when the command stays within one book. */
  readonly span?: Span;
  /** Slots of the suspense accounts that take what the accounts cannot, one a leg; empty where it may be refused. */
  readonly suspense: readonly number[];
  /** Does it decide how the command is settled that this one is about, or how an account changes? */
  readonly decides: boolean;
  /** Slot of the account that is changed, or on which more or less is held; -1: none. */
  readonly subject: number;
  /** Of a debit: slots of the accounts that other books credit for it. */
  readonly payees: readonly number[];
}

/** Cannot be rejected any more. */
export function isFinalPart({ span }: Part): boolean {
  return span !== undefined && span.part !== 'debit';
}

/** What is known of a part: nothing, what was decided and is on its way to the journal, or what stands there. */
interface PartState {
  readonly part: Part;
  decided: Entry | null;
  standing: Placed | null;
}

const NONE: readonly never[] = [];

/**
 * How far a command is. It begins with its debits (or, within one book, with all of it); once these are decided, its
 * credits or its reversals follow. Decisions that did not land are forgotten by `forgetDecisions`.
 */
export class Progress {
  readonly #first: readonly PartState[];
  readonly #credits: readonly PartState[];
  readonly #reversals: readonly PartState[];
  readonly #all: readonly PartState[];
  /** Every pinned slot, each as often as it is pinned. */
  readonly pinned: readonly number[];

  constructor(first: readonly Part[], credits: readonly Part[], reversals: readonly Part[], pinned: readonly number[]) {
    this.#first = first.map(open);
    this.#credits = credits.length === 0 ? NONE : credits.map(open);
    this.#reversals = reversals.length === 0 ? NONE : reversals.map(open);
    this.#all = credits.length === 0 ? this.#first : [...this.#first, ...this.#credits, ...this.#reversals];
    this.pinned = pinned;
  }

  get isCrossing(): boolean {
    return this.#first[0]!.part.span !== undefined;
  }

  /** Books the command touches; one may come twice. */
  *books(): Generator<number> {
    for (const { part } of this.#first) yield part.book;
    for (const { part } of this.#credits) yield part.book;
  }

  /** The parts that can be decided now, as far as it is known here. */
  next(): Part[] {
    const first = this.openFirst();
    return first.length > 0 ? first : this.openSecond();
  }

  /** Does any part of it stand? */
  get hasBegun(): boolean {
    return this.#first.some(({ standing }) => standing !== null);
  }

  /** The parts that are to be decided first, as far as they are open. */
  openFirst(): Part[] {
    return openOf(this.#first);
  }

  /** The parts that follow, as far as they are open, once every first part is decided or stands. */
  openSecond(): Part[] {
    if (!this.#first.every(({ decided, standing }) => decided ?? standing)) return [];
    return openOf(this.#following(({ decided, standing }) => standing?.entry ?? decided));
  }

  decide(part: Part, entry: Entry): void {
    this.#stateOf(part)!.decided = entry;
  }

  /** What was decided and does not stand has not landed. */
  forgetDecisions(): void {
    for (const state of this.#all) state.decided = null;
  }

  /** Takes in an entry of the journal. */
  stand(placed: Placed): void {
    const part = placed.entry.span?.part;
    const state = this.#all.find((one) => one.part.book === placed.book && one.part.span?.part === part);
    if (state) state.standing ??= placed;
  }

  /** What the command has become, when all entries stand that have to. */
  get outcome(): Placed | null {
    const standing = this.#all.flatMap(({ standing }) => standing ?? []);
    return assembled(standing);
  }

  /** Credits when no debit was rejected; else the reversals of those that were not. */
  #following(entryOf: (state: PartState) => Entry | null): readonly PartState[] {
    if (!this.#first.some((state) => entryOf(state)?.rejection)) return this.#credits;
    return this.#reversals.filter((_, i) => !entryOf(this.#first[i]!)?.rejection);
  }

  #stateOf(part: Part): PartState | undefined {
    return this.#all.find((state) => state.part === part);
  }
}

function open(part: Part): PartState {
  return { part, decided: null, standing: null };
}

function openOf(states: readonly PartState[]): Part[] {
  return states.filter(({ decided, standing }) => !decided && !standing).map(({ part }) => part);
}

/** Where the accounts of a command are in memory. Each answer pins what it answers. */
export interface SlotsOf {
  readonly leg: (plan: PartPlan, leg: number) => number;
  readonly suspense: (plan: PartPlan, leg: number) => number;
  /** Of the account that the command is about; -1: none. */
  readonly subject: number;
}

/** Makes parts out of plans. */
export function partsOf(
  { legs, follows }: Command,
  { debits, credits }: Crossing,
  slots: SlotsOf,
): { first: Part[]; credits: Part[]; reversals: Part[] } {
  const span = { debits: debits.map(({ book }) => book), credits: credits.map(({ book }) => book) };
  const make = (plan: PartPlan, part: EntryPart, payees: readonly number[], whole?: readonly Leg[]): Part => {
    const decides = part !== 'credit' && plan.book === follows?.book;
    return {
      book: plan.book,
      legs: plan.legs,
      slots: plan.legs.map((_, leg) => slots.leg(plan, leg)),
      span: { part, ...span, ...(whole ? { legs: whole } : {}) },
      suspense: part === 'debit' ? NONE : plan.legs.map((_, leg) => slots.suspense(plan, leg)),
      decides,
      subject: decides ? slots.subject : -1,
      payees,
    };
  };
  const credited = credits.map((plan) => make(plan, 'credit', NONE));
  const payees = credited.flatMap((part) => part.slots);
  return {
    first: debits.map((plan, i) => make(plan, 'debit', payees, i === 0 ? legs : undefined)),
    credits: credited,
    reversals: debits.length === 1 ? [] : debits.map((plan) => make(reversalOf(plan), 'reversal', NONE)),
  };
}
