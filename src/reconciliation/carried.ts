import type { Comparison } from '../matching/comparison.ts';
import type { StatementLine } from '../statements/types.ts';
import type { BreakStore } from './ports.ts';
import type { Break, BreakLine, Reconciliation } from './types.ts';

/**
 * The breaks of a source that were open before a reconciliation: what they are about is compared once more, so that a
 * later statement, or what the ledger has by now, may settle them.
 */
export class Carried {
  readonly #all: Break[] = [];
  readonly #byLine = new Map<number, Break>();
  readonly #byItem = new Map<number, Break>();
  readonly #items = new Map<Break, number>();

  /** As they were before it, also when it has changed some of them already and was cut off. */
  static async read(
    breaks: Pick<BreakStore, 'openBefore'>,
    { source, id, startedAt }: Reconciliation,
  ): Promise<Carried> {
    const carried = new Carried();
    for await (const one of breaks.openBefore(source, id, startedAt)) carried.#all.push(one);
    return carried;
  }

  get all(): readonly Break[] {
    return this.#all;
  }

  /** Days of the items, for those that are looked for. */
  get itemIds(): ReadonlySet<string> {
    return new Set(this.#all.flatMap(({ item }) => (item === null ? [] : [item.id])));
  }

  addItems(comparison: Comparison): void {
    for (const one of this.#all) {
      if (one.item === null) continue;
      const item = comparison.addItem(one.item);
      this.#byItem.set(item, one);
      this.#items.set(one, item);
    }
  }

  addLines(comparison: Comparison): void {
    for (const one of this.#all) {
      if (one.line !== null) this.#byLine.set(comparison.addLine(statementLine(one.line)), one);
    }
  }

  /** The number of its item; null: it has none. */
  itemOf(one: Break): number | null {
    return this.#items.get(one) ?? null;
  }

  ofLine(line: number | null): Break | null {
    return line === null ? null : (this.#byLine.get(line) ?? null);
  }

  ofItem(item: number | null): Break | null {
    return item === null ? null : (this.#byItem.get(item) ?? null);
  }
}

function statementLine({ reconciliation: _, ...line }: BreakLine): StatementLine {
  return { ...line, statement: 0, valueDay: null, isReversal: false };
}
