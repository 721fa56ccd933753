import { Mentions } from './mentions.ts';
import { normalized } from './normal-text.ts';
import type { Pool } from './pool.ts';

const NONE = -1;

/**
 * What lines say that is not the very reference of an item. Looked at once for each line that is not matched by then.
 * Most bear one name at most, which stands in a column; of the others there is a list.
 */
export class Evidence {
  readonly #mentions: Mentions;
  /** The first name of each line, or -1. */
  readonly #first: Int32Array;
  readonly #more = new Map<number, readonly number[]>();
  /** By name: the first line whose first name it is; by line: the next one. In ascending order. */
  readonly #head: Int32Array;
  readonly #next: Int32Array;
  /** By name: lines that bear it beside another one. */
  readonly #beside = new Map<number, number[]>();

  /** Looks for references and groups of items that are not matched now. */
  constructor(
    readonly pool: Pool,
    lengthMin: number,
  ) {
    const { items, lines } = pool;
    this.#mentions = new Mentions(items.names, lengthMin);
    const wanted = new Uint8Array(items.names.size);
    for (let item = 0; item < items.size; item++) {
      if (pool.matchOfItem(item) >= 0) continue;
      wanted[items.name(item)] = 1;
      if (items.group(item) >= 0) wanted[items.group(item)] = 1;
    }
    for (let name = 0; name < wanted.length; name++) if (wanted[name] === 1) this.#mentions.add(name);
    this.#first = new Int32Array(lines.size).fill(NONE);
    this.#next = new Int32Array(lines.size).fill(NONE);
    this.#head = new Int32Array(items.names.size).fill(NONE);
    for (const line of pool.freeLines()) this.#look(line);
    for (let line = lines.size - 1; line >= 0; line--) {
      const name = this.#first[line]!;
      if (name < 0) continue;
      this.#next[line] = this.#head[name]!;
      this.#head[name] = line;
    }
  }

  /** The names that a line bears, its own reference first, then the longest. */
  namesOf(line: number): readonly number[] {
    const first = this.#first[line]!;
    return first < 0 ? [] : (this.#more.get(line) ?? [first]);
  }

  /** The lines that bear a name, ascending. */
  linesBearing(name: number): number[] {
    const lines = [...(this.#beside.get(name) ?? [])];
    for (let line = this.#head[name] ?? NONE; line >= 0; line = this.#next[line]!) lines.push(line);
    return lines.sort((a, b) => a - b);
  }

  /** All that a line says, normalised. */
  textOf(line: number): string {
    const details = this.pool.lines.details(line);
    return details === null ? '' : normalized(saidIn(details));
  }

  #look(line: number): void {
    const { lines, items } = this.pool;
    const own = lines.name(line);
    const details = lines.details(line);
    const names = new Set(own >= 0 ? [own] : []);
    if (details !== null) for (const name of this.#mentions.in(saidIn(details))) names.add(name);
    const batch = lines.batch(line) < 0 ? NONE : items.names.find(lines.batches.get(lines.batch(line)));
    if (batch >= 0) names.add(batch);
    const [first, ...others] = names;
    if (first === undefined) return;
    this.#first[line] = first;
    if (others.length === 0) return;
    this.#more.set(line, [...names]);
    for (const name of others) {
      const bearing = this.#beside.get(name);
      if (bearing === undefined) this.#beside.set(name, [line]);
      else bearing.push(line);
    }
  }
}

/** In one text, with a break between any two parts. */
function saidIn({ references, text, id }: { references: readonly string[]; text: string; id: string | null }): string {
  return `${references.join(' ')} ${text} ${id ?? ''}`;
}
