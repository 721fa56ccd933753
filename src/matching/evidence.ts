import { Mentions } from './mentions.ts';
import { normalized } from './normal-text.ts';
import type { Pool } from './pool.ts';

/** What lines say that is not the very reference of an item. Looked at once for each line, and only where it is needed. */
export class Evidence {
  readonly #mentions: Mentions;
  readonly #found = new Map<number, readonly number[]>();
  readonly #byMention = new Map<number, number[]>();

  /** Looks for references and groups of items that are not matched now. */
  constructor(
    readonly pool: Pool,
    lengthMin: number,
  ) {
    const { items } = pool;
    this.#mentions = new Mentions(items.names, lengthMin);
    const wanted = new Uint8Array(items.names.size);
    for (let item = 0; item < items.size; item++) {
      if (pool.matchOfItem(item) >= 0) continue;
      wanted[items.name(item)] = 1;
      if (items.group(item) >= 0) wanted[items.group(item)] = 1;
    }
    for (let name = 0; name < wanted.length; name++) if (wanted[name] === 1) this.#mentions.add(name);
    for (const line of pool.freeLines()) this.#look(line);
  }

  /** The names that a line bears, its own reference first, then the longest. */
  namesOf(line: number): readonly number[] {
    return this.#found.get(line) ?? [];
  }

  /** The lines that bear a name, ascending. */
  linesBearing(name: number): readonly number[] {
    return this.#byMention.get(name) ?? [];
  }

  /** All that a line says, normalised. */
  textOf(line: number): string {
    const details = this.pool.lines.details(line);
    return details === null ? '' : normalized(saidIn(details));
  }

  #look(line: number): void {
    const { lines } = this.pool;
    const own = lines.name(line);
    const details = lines.details(line);
    const names = new Set(own >= 0 ? [own] : []);
    if (details !== null) for (const name of this.#mentions.in(saidIn(details))) names.add(name);
    const batch = lines.batch(line) < 0 ? -1 : this.pool.items.names.find(lines.batches.get(lines.batch(line)));
    if (batch >= 0) names.add(batch);
    if (names.size === 0) return;
    this.#found.set(line, [...names]);
    for (const name of names) {
      const bearing = this.#byMention.get(name);
      if (bearing === undefined) this.#byMention.set(name, [line]);
      else bearing.push(line);
    }
  }
}

/** In one text, with a break between any two parts. */
function saidIn({ references, text, id }: { references: readonly string[]; text: string; id: string | null }): string {
  return `${references.join(' ')} ${text} ${id ?? ''}`;
}
