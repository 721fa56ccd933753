import { isPrimary } from '../ledger/assemble.ts';
import type { Entry, Leg, StoredBlock } from '../ledger/types.ts';
import type { BreakList } from './breaks.ts';
import type { AuditedBlock, PaymentRow, UnreadableBlock } from './ports.ts';

/** The fields of a row that follow from the journal. */
const COMPARED = [
  'status',
  'rejectionReason',
  'source',
  'destination',
  'amount',
  'currency',
  'reference',
  'createdAt',
] as const;

/**
 * Walks the `payments` read model and the journal of one book side by side, both by height, so that each row meets its
 * block: what stands on one side only, or differs, is reported. Memory of one block.
 */
export class ReadModelCheck {
  readonly #rows: AsyncIterator<PaymentRow>;
  #next: PaymentRow | null | undefined;

  /** @param checkpoint up to which height the read model is complete. @param rows all of them up to there, by height. */
  constructor(
    readonly book: number,
    readonly checkpoint: number,
    rows: AsyncIterable<PaymentRow>,
    readonly breaks: BreakList,
  ) {
    this.#rows = rows[Symbol.asyncIterator]();
  }

  async take(audited: AuditedBlock | UnreadableBlock): Promise<void> {
    if ('unreadable' in audited) {
      // What the block held is not known: its rows are neither right nor wrong.
      for await (const row of this.#upTo(audited.height)) if (row.height < audited.height) this.#unfounded(row);
      return;
    }
    const { block } = audited;
    if (block.height > this.checkpoint) return;
    const rows = new Map<string, PaymentRow>();
    for await (const row of this.#upTo(block.height)) {
      if (row.height < block.height || rows.has(row.transactionId)) this.#unfounded(row);
      else rows.set(row.transactionId, row);
    }
    for (const entry of block.entries) {
      const expected = paymentOf(entry, block);
      if (expected === null) continue;
      this.#compare(expected, rows.get(entry.id));
      rows.delete(entry.id);
    }
    for (const row of rows.values()) this.#unfounded(row);
  }

  /** The journal ended: rows that are left stand above it. */
  async finish(): Promise<void> {
    for await (const row of this.#upTo(Number.POSITIVE_INFINITY)) this.#unfounded(row);
  }

  async close(): Promise<void> {
    await this.#rows.return?.();
  }

  async *#upTo(height: number): AsyncGenerator<PaymentRow> {
    if (this.#next === undefined) await this.#pull();
    while (this.#next && this.#next.height <= height) {
      yield this.#next;
      await this.#pull();
    }
  }

  async #pull(): Promise<void> {
    const { done, value } = await this.#rows.next();
    this.#next = done ? null : value;
  }

  #compare(expected: PaymentRow, actual: PaymentRow | undefined): void {
    const { book, height, transactionId: entry } = expected;
    const at = { kind: 'wrong_read_model', book, height, entry } as const;
    if (actual === undefined) {
      const message = `payment ${entry} is in the journal, but not in the list of payments`;
      this.breaks.add({ ...at, expected: 'a row', actual: 'none', message });
      return;
    }
    const fields = COMPARED.filter((field) => plain(expected[field]) !== plain(actual[field]));
    if (fields.length === 0) return;
    const textOf = (row: PaymentRow) => fields.map((field) => `${field} ${textOfValue(row[field])}`).join(', ');
    const message = `payment ${entry} differs in the list of payments: ${fields.join(', ')}`;
    this.breaks.add({ ...at, expected: textOf(expected), actual: textOf(actual), message });
  }

  #unfounded({ transactionId: entry, height }: PaymentRow): void {
    const message = `payment ${entry} is in the list of payments, but not in the journal at height ${height}`;
    const at = { kind: 'wrong_read_model', book: this.book, height, entry } as const;
    this.breaks.add({ ...at, expected: 'none', actual: 'a row', message });
  }
}

/** The row that an entry leads to; null when it is not (or was not to be) a payment, or not what describes it. */
function paymentOf(entry: Entry, block: StoredBlock): PaymentRow | null {
  if (!isPrimary(entry)) return null;
  const rejected = entry.kind === 'rejected';
  const kind = rejected ? entry.rejection?.kind : entry.kind;
  const legs: readonly Leg[] = rejected ? (entry.rejection?.legs ?? []) : (entry.span?.legs ?? entry.postings);
  const source = legs.find(({ amount }) => amount < 0n);
  const destination = legs.find(({ amount }) => amount > 0n);
  if (kind !== 'payment' || source === undefined || destination === undefined) return null;
  return {
    transactionId: entry.id,
    status: rejected ? 'rejected' : 'posted',
    rejectionReason: entry.rejection?.reason ?? null,
    source: source.account,
    destination: destination.account,
    amount: destination.amount,
    currency: destination.currency,
    reference: entry.details.reference ?? null,
    createdAt: new Date(block.at),
    book: block.book,
    height: block.height,
  };
}

function plain(value: PaymentRow[(typeof COMPARED)[number]]): string | bigint | number | null {
  return value instanceof Date ? value.getTime() : value;
}

function textOfValue(value: PaymentRow[(typeof COMPARED)[number]]): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
