/** What has been moved for a payment by the commands that followed it. */
import { isPrimary, partsById, primaryOf } from '../ledger/assemble.ts';
import type { Leg, Placed } from '../ledger/types.ts';
import type { BookPosition, JournalQueries } from './ports.ts';

const ENTRIES_AT_ONCE = 500;
/** Each has an amount for each of its accounts, 51 at most. */
const PAYMENTS_MAX = 1_000;

type Sums = ReadonlyMap<string, bigint>;

/** Everything up to a place in the payment's history, null being before it all. Never changed. */
interface Known {
  readonly upTo: BookPosition | null;
  readonly sums: Sums;
}

/**
 * Sums by account. Nothing in a journal changes, so of a payment that is captured again and again only what is new is
 * read each time.
 */
export class Moved {
  /** Those used last, the latest at the end. */
  readonly #known = new Map<string, Known>();

  constructor(readonly journal: Pick<JournalQueries, 'findEntries' | 'followers'>) {}

  async since(id: string): Promise<Sums> {
    let { upTo, sums }: Known = this.#known.get(id) ?? { upTo: null, sums: new Map() };
    let isComplete = true;
    for (;;) {
      const read = await this.journal.followers(id, upTo, 'newer', ENTRIES_AT_ONCE);
      const legs = await this.#legsOf(read);
      sums = added(sums, legs);
      upTo = read.at(-1) ?? upTo;
      isComplete &&= legs.every((one) => one !== null);
      // What is not described yet may be so the next time, so it is read again then.
      if (isComplete) this.#keep(id, { upTo, sums });
      if (read.length < ENTRIES_AT_ONCE) return sums;
    }
  }

  /** What each entry's command has moved; the other way round where that was taken back; null: it is not described yet. */
  async #legsOf(read: readonly Placed[]): Promise<(readonly Leg[] | null)[]> {
    // Most are described where they were decided, which is all that has to be read of them.
    const elsewhere = new Set(read.flatMap(({ entry }) => (isPrimary(entry) ? [] : entry.id)));
    const parts = partsById(await this.journal.findEntries([...elsewhere]));
    return read.map(({ entry }) => {
      const whole = isPrimary(entry) ? entry : primaryOf(parts.get(entry.id) ?? [])?.entry;
      if (!whole) return null;
      const legs: readonly Leg[] = whole.span?.legs ?? whole.postings;
      return entry.span?.part === 'reversal' ? legs.map((leg) => ({ ...leg, amount: -leg.amount })) : legs;
    });
  }

  #keep(id: string, known: Known): void {
    this.#known.delete(id);
    this.#known.set(id, known);
    if (this.#known.size <= PAYMENTS_MAX) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest!);
  }
}

function added(sums: Sums, all: readonly (readonly Leg[] | null)[]): Sums {
  const total = new Map(sums);
  for (const legs of all) {
    for (const { account, amount } of legs ?? []) total.set(account, (total.get(account) ?? 0n) + amount);
  }
  return total;
}
