import { COMMAND_KINDS, type CommandKind } from '../ledger/types.ts';
import { dayAt } from '../statements/statement.ts';
import { roomFor } from './columns.ts';
import type { Currencies } from './currencies.ts';
import { Ids } from './ids.ts';
import { signOf } from './lines.ts';
import { Names } from './names.ts';
import type { LedgerItem } from './types.ts';

const AT_FIRST = 1024;
const NONE = -1;
const ACCOUNTS_MAX = 0xffff;
const KIND_NUMBERS = new Map(COMMAND_KINDS.map((kind, number) => [kind, number]));

/** The movements in the ledger that are compared, in columns outside of the heap. Amounts are safe integers. */
export class Items {
  #amounts = new Float64Array(AT_FIRST);
  /** Milliseconds since the epoch. */
  #times = new Float64Array(AT_FIRST);
  #currencies = new Uint8Array(AT_FIRST);
  #directions = new Int8Array(AT_FIRST);
  #kinds = new Uint8Array(AT_FIRST);
  #names = new Int32Array(AT_FIRST);
  #groups = new Int32Array(AT_FIRST);
  #accounts = new Uint16Array(AT_FIRST);
  /** By name: the item that got it last, and 1; by item: the one that got its name before it, and 1; 0: none. */
  #lastNamed = new Int32Array(AT_FIRST);
  #before = new Int32Array(AT_FIRST);
  /** 1: an earlier statement had it. */
  #settled = new Uint8Array(AT_FIRST);
  /** 1: a line was taken to be it at once. */
  #expected = new Uint8Array(AT_FIRST);
  /** Payments that are not named as their transaction is. */
  readonly #payments = new Map<number, string>();
  readonly ids = new Ids();
  /** References and groups. */
  readonly names = new Names();
  readonly #accountNames = new Names();
  isDirected = true;
  /** Is any of them known to be paid out with others? */
  hasGroups = false;

  constructor(readonly currencies: Currencies) {}

  get size(): number {
    return this.ids.size;
  }

  /** `isSettled`: an earlier statement had it, so that another line for it is one too many. */
  add(item: LedgerItem, isSettled: boolean): number {
    const at = this.ids.add(item.id);
    this.#makeRoom(at);
    this.#amounts[at] = Number(item.amount);
    this.#times[at] = item.at;
    this.#currencies[at] = this.currencies.add(item.currency);
    this.#directions[at] = signOf(item.direction);
    if (item.direction === null) this.isDirected = false;
    this.#kinds[at] = KIND_NUMBERS.get(item.kind)!;
    this.#names[at] = this.names.add(item.reference ?? item.payment ?? item.id);
    if (item.group !== null) this.hasGroups = true;
    this.#groups[at] = item.group === null ? NONE : this.names.add(item.group);
    this.#accounts[at] = item.account === null ? 0 : this.#accountNumber(item.account);
    this.#settled[at] = isSettled ? 1 : 0;
    this.#takeName(this.#names[at]!, at);
    if (item.payment !== null && item.payment !== paymentOf(item.id)) this.#payments.set(at, item.payment);
    if (item.payment === null) this.#payments.set(at, '');
    return at;
  }

  /** Takes a line to be it, when no other was before. */
  expect(item: number): boolean {
    if (this.#expected[item] === 1) return false;
    this.#expected[item] = 1;
    return true;
  }

  /** The one under a name; -1: none, -2: several. */
  soleNamed(name: number): number {
    const last = (this.#lastNamed[name] ?? 0) - 1;
    return last >= 0 && this.#before[last]! > 0 ? -2 : last;
  }

  /** Those under a name, in no order. */
  named(name: number): number[] {
    const all: number[] = [];
    for (let one = (this.#lastNamed[name] ?? 0) - 1; one >= 0; one = this.#before[one]! - 1) all.push(one);
    return all;
  }

  amount(item: number): number {
    return this.#amounts[item]!;
  }
  at(item: number): number {
    return this.#times[item]!;
  }
  /** In UTC, in days since 1970-01-01. */
  day(item: number): number {
    return dayAt(this.#times[item]!);
  }
  currency(item: number): number {
    return this.#currencies[item]!;
  }
  sign(item: number): number {
    return this.#directions[item]!;
  }
  /** Of its reference; of its payment's or own id where it has none. */
  name(item: number): number {
    return this.#names[item]!;
  }
  /** Of what it was paid out with, or -1. */
  group(item: number): number {
    return this.#groups[item]!;
  }
  isSettled(item: number): boolean {
    return this.#settled[item] === 1;
  }
  id(item: number): string {
    return this.ids.get(item);
  }

  get(item: number): LedgerItem {
    const id = this.id(item);
    const payment = this.#payments.get(item) ?? paymentOf(id);
    const reference = this.names.get(this.name(item));
    const sign = this.sign(item);
    return {
      id,
      account: this.#accounts[item] === 0 ? null : this.#accountNames.get(this.#accounts[item]! - 1),
      kind: COMMAND_KINDS[this.#kinds[item]!] as CommandKind,
      payment: payment === '' ? null : payment,
      reference: reference === id || reference === payment ? null : reference,
      group: this.group(item) === NONE ? null : this.names.get(this.group(item)),
      amount: BigInt(this.amount(item)),
      currency: this.currencies.code(this.currency(item)),
      direction: sign === 0 ? null : sign > 0 ? 'in' : 'out',
      at: this.at(item),
    };
  }

  #accountNumber(account: string): number {
    const number = this.#accountNames.add(account) + 1;
    if (number > ACCOUNTS_MAX) throw new RangeError(`more than ${ACCOUNTS_MAX} accounts stand for one source`);
    return number;
  }

  #takeName(name: number, at: number): void {
    this.#lastNamed = roomFor(this.#lastNamed, name);
    this.#before[at] = this.#lastNamed[name]!;
    this.#lastNamed[name] = at + 1;
  }

  #makeRoom(at: number): void {
    this.#amounts = roomFor(this.#amounts, at);
    this.#times = roomFor(this.#times, at);
    this.#currencies = roomFor(this.#currencies, at);
    this.#directions = roomFor(this.#directions, at);
    this.#kinds = roomFor(this.#kinds, at);
    this.#names = roomFor(this.#names, at);
    this.#groups = roomFor(this.#groups, at);
    this.#accounts = roomFor(this.#accounts, at);
    this.#settled = roomFor(this.#settled, at);
    this.#before = roomFor(this.#before, at);
    this.#expected = roomFor(this.#expected, at);
  }
}

/** The payment of a transaction, where that is the payment itself: they share a UUID. */
function paymentOf(id: string): string {
  return `pay_${id.slice(4)}`;
}
