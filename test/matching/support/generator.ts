import type { LedgerItem } from '../../../src/matching/types.ts';
import type { StatementLine } from '../../../src/statements/types.ts';

const DAY_MS = 86_400_000;
const PRICES = [99, 199, 499, 799, 999, 1_499, 2_900, 4_900, 9_900];
const WORDS = ['THANK YOU', 'INVOICE', 'PAYMENT FOR', 'ORDER', 'MR JOHN DOE', 'ACME LTD', 'KONTO', 'ref', 'til', 'MAI'];

/** What becomes of a payment on its way to the statement, and how often. */
export const EXACT = { exact: 1 } as const;
export const NOISY = {
  exact: 0.55,
  /** Somewhere in the text, with other spaces, punctuation and case. */
  inText: 0.15,
  /** A character of its reference is wrong, missing or too much. */
  damaged: 0.05,
  /** Nothing names it. */
  unnamed: 0.03,
  /** The bank names a fee that it took off what the ledger has. */
  fee: 0.04,
  /** Rounded on the way: at most 2 minor units. */
  rounded: 0.02,
  /** In a payout with some ten others. */
  payout: 0.008,
  /** Paid with others, all of which are named. */
  several: 0.012,
  instalments: 0.02,
  missingThere: 0.012,
  missingHere: 0.012,
  twiceThere: 0.003,
  twiceHere: 0.003,
} as const;
export type Noise = Readonly<Partial<Record<keyof typeof NOISY, number>>>;

/** Lines (by their place in the file) and items (by id) that are the same money. */
export interface TruePair {
  readonly line: number;
  readonly item: string;
}

/** Payments and what a bank and its customers make of them; which is which is known. The same seed gives the same. */
export class Generator {
  readonly items: LedgerItem[] = [];
  readonly lines: StatementLine[] = [];
  readonly truth: TruePair[] = [];
  #number: number;
  #fileLine: number;

  constructor(
    readonly random: (below: number) => number,
    readonly firstDay: number,
    readonly days: number,
    /** For parts of one large statement: numbers and lines of the file go on from there. */
    start = 0,
  ) {
    this.#number = 100_000 + start;
    this.#fileLine = start + 1;
  }

  make(payments: number, noise: Noise): this {
    const kinds = Object.entries(noise) as [keyof typeof NOISY, number][];
    while (payments > 0) {
      payments -= this.#one(this.#kindOf(kinds));
    }
    return this;
  }

  #kindOf(kinds: readonly (readonly [keyof typeof NOISY, number])[]): keyof typeof NOISY {
    const all = kinds.reduce((sum, [, share]) => sum + share, 0);
    let at = (this.random(1_000_000) / 1_000_000) * all;
    for (const [kind, share] of kinds) {
      at -= share;
      if (at < 0) return kind;
    }
    return kinds[0]![0];
  }

  /** Answers how many payments it took. */
  #one(kind: keyof typeof NOISY): number {
    switch (kind) {
      case 'payout':
        return this.#payout();
      case 'several':
        return this.#several();
      case 'missingHere':
        this.#line({ references: [this.#reference()], amount: this.#amount(), day: this.#day() });
        return 1;
      case 'missingThere':
        this.#item();
        return 1;
      default:
        this.#single(kind);
        return 1;
    }
  }

  #single(kind: Exclude<keyof typeof NOISY, 'payout' | 'several' | 'missingHere' | 'missingThere'>): void {
    // What nothing names has an amount of its own, as when a customer of a bank pays what is asked for.
    const item = this.#item(kind === 'unnamed' ? { amount: BigInt(10_000_000 + this.#pick(900_000_000)) } : {});
    const { amount } = item;
    const line = (more: Partial<StatementLine>) =>
      this.#line({ amount, day: this.#bookedAfter(item), ...more }, [item]);
    const reference = item.reference!;
    switch (kind) {
      case 'exact':
        line({ references: [reference] });
        return;
      case 'inText':
        line({ text: this.#text(this.#rewritten(reference)) });
        return;
      case 'damaged':
        line(
          this.#chance(0.5)
            ? { references: [this.#damaged(reference)] }
            : { text: this.#text(this.#damaged(reference)) },
        );
        return;
      case 'unnamed':
        line({ text: this.#text('') });
        return;
      case 'fee': {
        const fee = BigInt(1 + this.#pick(50));
        line({ references: [reference], amount: amount + fee, fee });
        return;
      }
      case 'rounded':
        line({ references: [reference], amount: amount + BigInt(1 + this.#pick(2)) });
        return;
      case 'instalments': {
        const first = amount / 3n;
        const day = this.#bookedAfter(item);
        this.#line({ references: [reference], amount: first, day }, [item]);
        this.#line({ references: [reference], amount: amount - first, day: day + this.#pick(6) }, [item]);
        return;
      }
      case 'twiceThere': {
        const day = this.#bookedAfter(item);
        this.#line({ references: [reference], amount, day }, [item]);
        this.#line({ references: [reference], amount, day });
        return;
      }
      case 'twiceHere':
        line({ references: [reference] });
        this.#item({ reference, amount, at: item.at + 1 });
        return;
      default:
        kind satisfies never;
    }
  }

  #payout(): number {
    const count = 3 + this.#pick(20);
    const group = `po_${this.#number}x${this.#pick(9_000) + 1_000}`;
    const day = this.#day();
    const items: LedgerItem[] = [];
    for (let i = 0; i < count; i++) {
      const isRefund = i > 1 && this.#chance(0.1);
      const at = (day - this.#pick(3)) * DAY_MS + this.#pick(DAY_MS);
      items.push(this.#item({ group, at, direction: isRefund ? 'out' : 'in', kind: isRefund ? 'refund' : 'payment' }));
    }
    const sum = items.reduce((total, { amount, direction }) => total + (direction === 'in' ? amount : -amount), 0n);
    if (sum <= 1n) return count;
    const fee = this.#chance(0.5) ? 1n + (sum * 14n) / 1_000n : 0n;
    const named = this.#chance(0.5) ? { references: [group] } : { text: this.#text(group) };
    this.#line({ amount: sum + fee, fee, day: day + 1, ...named }, items);
    return count;
  }

  #several(): number {
    const count = 2 + this.#pick(3);
    const at = this.#day() * DAY_MS + this.#pick(DAY_MS);
    const items = Array.from({ length: count }, () => this.#item({ at }));
    const amount = items.reduce((sum, item) => sum + item.amount, 0n);
    const text = this.#text(items.map(({ reference }) => reference).join(', '));
    this.#line({ amount, day: this.#bookedAfter(items[0]!), text }, items);
    return count;
  }

  #item(more: Partial<LedgerItem> = {}): LedgerItem {
    const uuid = this.#uuid();
    const item: LedgerItem = {
      id: `txn_${uuid}`,
      account: 'world:EUR',
      kind: 'payment',
      payment: `pay_${uuid}`,
      reference: this.#reference(),
      group: null,
      amount: this.#amount(),
      currency: 'EUR',
      direction: 'in',
      at: this.#day() * DAY_MS + this.#pick(DAY_MS),
      ...more,
    };
    this.items.push(item);
    return item;
  }

  #line(more: Partial<StatementLine>, items: readonly LedgerItem[] = []): void {
    const line = ++this.#fileLine;
    this.lines.push({
      line,
      statement: 0,
      day: this.firstDay,
      valueDay: null,
      amount: 1n,
      currency: 'EUR',
      direction: 'in',
      fee: 0n,
      references: [],
      text: this.#text(''),
      id: `B${line}`,
      batch: null,
      count: null,
      isReversal: false,
      ...more,
    });
    for (const { id } of items) this.truth.push({ line, item: id });
  }

  #reference(): string {
    const number = this.#number++;
    return `INV-${number}-${(number * 7_919) % 97}`;
  }

  #amount(): bigint {
    return this.#chance(0.6) ? BigInt(PRICES[this.#pick(PRICES.length)]!) : BigInt(1 + this.#pick(200_000));
  }

  #day(): number {
    return this.firstDay + this.#pick(this.days);
  }

  #bookedAfter({ at }: LedgerItem): number {
    return Math.floor(at / DAY_MS) + this.#pick(2);
  }

  #text(part: string): string {
    const word = () => WORDS[this.#pick(WORDS.length)]!;
    return `${word()} ${part} ${word()}`;
  }

  #rewritten(reference: string): string {
    const how = this.#pick(3);
    if (how === 0) return reference.toLowerCase();
    if (how === 1) return reference.replaceAll('-', ' ');
    return reference.replaceAll('-', '/');
  }

  #damaged(reference: string): string {
    const at = 4 + this.#pick(reference.length - 5);
    const letter = String.fromCharCode(65 + this.#pick(26));
    switch (this.#pick(3)) {
      case 0:
        return reference.slice(0, at) + letter + reference.slice(at + 1);
      case 1:
        return reference.slice(0, at) + reference.slice(at + 1);
      default:
        return reference.slice(0, at) + letter + reference.slice(at);
    }
  }

  #uuid(): string {
    const hex = Array.from({ length: 8 }, () => this.#pick(65_536).toString(16).padStart(4, '0')).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  #chance(share: number): boolean {
    return this.random(1_000_000) < share * 1_000_000;
  }

  #pick(below: number): number {
    return this.random(below);
  }
}
