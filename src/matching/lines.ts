import type { Direction, StatementLine } from '../statements/types.ts';
import { roomFor } from './columns.ts';
import type { Currencies } from './currencies.ts';
import { Names } from './names.ts';
import { Texts } from './texts.ts';

const AT_FIRST = 1024;
const NONE = -1;
/** Between the parts of what a line says: no text has it, as control characters are not let in. */
const PART = '\u001f';
const REFERENCE = '\u001e';

/** What a line says, for people and for rules that read texts. */
export interface LineDetails {
  readonly references: readonly string[];
  readonly text: string;
  readonly id: string | null;
}

/**
 * The lines of a statement, in columns outside of the heap. Amounts are exact: they are safe integers. What the lines
 * say is kept only of those that are not known at once, as `keepDetails` says.
 */
export class Lines {
  #amounts = new Float64Array(AT_FIRST);
  #days = new Int32Array(AT_FIRST);
  #fileLines = new Uint32Array(AT_FIRST);
  #currencies = new Uint8Array(AT_FIRST);
  #directions = new Int8Array(AT_FIRST);
  /** Name among those of the items that it bears, or -1. */
  #names = new Int32Array(AT_FIRST);
  /** Item whose own id it bears, and 1; 0: none. Empty until there is one. */
  #items = new Int32Array(0);
  /** Number of its batch, and 1; 0: none. Empty until there is one. */
  #batches = new Int32Array(0);
  #details = new Int32Array(AT_FIRST);
  readonly #fees = new Map<number, number>();
  readonly #counts = new Map<number, number>();
  readonly #texts = new Texts();
  readonly batches = new Names();
  #size = 0;
  /** Do all say which way the money went? */
  isDirected = true;

  constructor(readonly currencies: Currencies) {}

  get size(): number {
    return this.#size;
  }

  /** @param name of the items' names, or -1. @param item whose own id it bears, or -1 */
  add(line: StatementLine, name: number, item: number, keepDetails: boolean): number {
    const at = this.#size++;
    this.#makeRoom(at);
    this.#amounts[at] = Number(line.amount);
    this.#days[at] = line.day;
    this.#fileLines[at] = line.line;
    this.#currencies[at] = this.currencies.add(line.currency);
    this.#directions[at] = signOf(line.direction);
    if (line.direction === null) this.isDirected = false;
    this.#names[at] = name;
    if (item >= 0) this.#items = put(this.#items, at, item + 1);
    if (line.batch !== null) this.#batches = put(this.#batches, at, this.batches.add(line.batch) + 1);
    this.#details[at] = keepDetails ? this.#texts.add(joined(line)) : NONE;
    if (line.fee > 0n) this.#fees.set(at, Number(line.fee));
    if (line.count !== null) this.#counts.set(at, line.count);
    return at;
  }

  amount(line: number): number {
    return this.#amounts[line]!;
  }
  day(line: number): number {
    return this.#days[line]!;
  }
  fileLine(line: number): number {
    return this.#fileLines[line]!;
  }
  currency(line: number): number {
    return this.#currencies[line]!;
  }
  /** 1: in, -1: out, 0: not said. */
  sign(line: number): number {
    return this.#directions[line]!;
  }
  name(line: number): number {
    return this.#names[line]!;
  }
  item(line: number): number {
    return (this.#items[line] ?? 0) - 1;
  }
  /** Number of its batch, or -1. */
  batch(line: number): number {
    return (this.#batches[line] ?? 0) - 1;
  }
  fee(line: number): number {
    return this.#fees.get(line) ?? 0;
  }
  count(line: number): number | null {
    return this.#counts.get(line) ?? null;
  }
  /** Null: they were not kept. */
  details(line: number): LineDetails | null {
    const index = this.#details[line]!;
    if (index === NONE) return null;
    const [references = '', text = '', id = ''] = this.#texts.get(index).split(PART);
    return {
      references: references === '' ? [] : references.split(REFERENCE),
      text,
      id: id === '' ? null : id,
    };
  }

  #makeRoom(at: number): void {
    this.#amounts = roomFor(this.#amounts, at);
    this.#days = roomFor(this.#days, at);
    this.#fileLines = roomFor(this.#fileLines, at);
    this.#currencies = roomFor(this.#currencies, at);
    this.#directions = roomFor(this.#directions, at);
    this.#names = roomFor(this.#names, at);
    this.#details = roomFor(this.#details, at);
  }
}

/** A column that most lines have nothing in: it grows as far as the last that has. */
function put(column: Int32Array<ArrayBuffer>, at: number, value: number): Int32Array<ArrayBuffer> {
  const roomy = roomFor(column, at);
  roomy[at] = value;
  return roomy;
}

export function signOf(direction: Direction): number {
  return direction === null ? 0 : direction === 'in' ? 1 : -1;
}

function joined({ references, text, id }: StatementLine): string {
  return references.join(REFERENCE) + PART + text + PART + (id ?? '');
}
