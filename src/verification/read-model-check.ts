import { isPrimary } from '../ledger/assemble.ts';
import type { Entry, Leg, StoredBlock } from '../ledger/types.ts';
import type { BreakList } from './breaks.ts';
import type { AuditedBlock, PaymentRow, UnreadableBlock } from './ports.ts';

/** The fields of a row that follow from the entry that describes the payment. */
const COMPARED = [
  'capture',
  'rejectionReason',
  'source',
  'destination',
  'amount',
  'currency',
  'reference',
  'createdAt',
] as const;

const ROWS_AT_ONCE = 1_000;

/** The fields that later entries change. */
const SETTLED = ['status', 'amountHeld', 'amountCaptured', 'amountRefunded', 'settledHeight'] as const;
type Settled = Pick<PaymentRow, (typeof SETTLED)[number]>;

interface ReadModelRange {
  readonly book: number;
  /** Blocks and rows up to this height are none of its business. */
  readonly above: number;
  /** Up to which height the read model is complete. */
  readonly checkpoint: number;
  /** Rows of earlier heights, by their transactions. */
  readonly rowsOf?: ((ids: readonly string[]) => Promise<readonly PaymentRow[]>) | undefined;
}

/**
 * Walks the `payments` read model and the journal of one book side by side, both by height, so that each row meets its
 * block: what stands on one side only, or differs, is reported. Memory of one block, and of the payments that were
 * captured later or refunded: these are compared at the end.
 */
export class ReadModelCheck {
  readonly #rows: AsyncIterator<PaymentRow>;
  #next: PaymentRow | null | undefined;
  #height = 0;
  #isIncomplete = false;
  /** By transaction: how rows stand that are not as their payment was at first, and what they were then. */
  readonly #moved = new Map<string, { readonly first: PaymentRow; readonly row: PaymentRow }>();
  /** Transactions that have no row; that was reported. */
  readonly #missing = new Set<string>();
  /** By transaction: how the journal leaves payments that other entries followed, up to the checkpoint. */
  readonly #followed = new Map<string, Entry & { readonly height: number }>();

  constructor(
    readonly range: ReadModelRange,
    rows: AsyncIterable<PaymentRow>,
    readonly breaks: BreakList,
  ) {
    this.#rows = rows[Symbol.asyncIterator]();
    this.#height = range.above;
  }

  get book(): number {
    return this.range.book;
  }
  get checkpoint(): number {
    return this.range.checkpoint;
  }

  async take(audited: AuditedBlock | UnreadableBlock): Promise<void> {
    const height = 'unreadable' in audited ? (audited.height ?? this.#height + 1) : audited.block.height;
    if (height <= this.range.above) return;
    if ('unreadable' in audited || height !== this.#height + 1) this.#isIncomplete = true;
    this.#height = height;
    if ('unreadable' in audited) {
      // What the block held is not known: its rows are neither right nor wrong.
      for await (const row of this.#upTo(height)) if (row.height < height) this.#unfounded(row);
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
      const { settlement } = entry;
      if (settlement?.account !== undefined && settlement.id !== entry.id) {
        this.#followed.set(settlement.id, { ...entry, height: block.height });
      }
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
    for (const [id, { first, row }] of this.#moved) {
      const last = this.#followed.get(id);
      this.#followed.delete(id);
      // It was read later than the checkpoint, and may know more than was replayed.
      if (row.settledHeight <= this.checkpoint) this.#compareSettled(first, last ? settledBy(last, first) : first, row);
    }
    await this.#finishEarlier();
    // Payments whose row or entry is missing were reported, and have nothing to be compared with.
    for (const [id, { height }] of this.#isIncomplete ? [] : this.#followed) {
      const message = `payment ${id} stands in the list of payments as it was at first, and was settled since`;
      const at = { kind: 'wrong_read_model', book: this.book, height, entry: id } as const;
      this.breaks.add({ ...at, expected: `of height ${height}`, actual: 'of its own height', message });
    }
  }

  /** Of the payments that were followed those that are of earlier heights. */
  async #finishEarlier(): Promise<void> {
    const { rowsOf, above, book } = this.range;
    if (rowsOf === undefined || above === 0) return;
    const ids = [...this.#followed.keys()].filter((id) => !this.#missing.has(id));
    for (let i = 0; i < ids.length; i += ROWS_AT_ONCE) {
      const some = ids.slice(i, i + ROWS_AT_ONCE);
      const rows = new Map((await rowsOf(some)).map((row) => [row.transactionId, row]));
      for (const id of some) {
        const row = rows.get(id);
        const last = this.#followed.get(id)!;
        if (row !== undefined && row.height > above) continue;
        this.#followed.delete(id);
        if (row === undefined) this.#lost(id, last.height);
        else if (row.settledHeight <= this.checkpoint)
          this.#compareSettled({ ...row, book }, settledBy(last, row), row);
      }
    }
  }

  #lost(id: string, height: number): void {
    const message = `payment ${id} is settled in the journal, but is not in the list of payments`;
    const at = { kind: 'wrong_read_model', book: this.book, height, entry: id } as const;
    this.breaks.add({ ...at, expected: 'a row', actual: 'none', message });
  }

  #compareSettled({ height, transactionId: entry }: PaymentRow, expected: Settled, actual: Settled): void {
    const fields = SETTLED.filter((field) => expected[field] !== actual[field]);
    if (fields.length === 0) return;
    const textOf = (row: Settled) => fields.map((field) => `${field} ${row[field]}`).join(', ');
    const message = `payment ${entry} differs in the list of payments: ${fields.join(', ')}`;
    const at = { kind: 'wrong_read_model', book: this.book, height, entry } as const;
    this.breaks.add({ ...at, expected: textOf(expected), actual: textOf(actual), message });
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
      this.#missing.add(entry);
      this.#isIncomplete = true;
      const message = `payment ${entry} is in the journal, but not in the list of payments`;
      this.breaks.add({ ...at, expected: 'a row', actual: 'none', message });
      return;
    }
    const fields = COMPARED.filter((field) => plain(expected[field]) !== plain(actual[field]));
    if (fields.length === 0) {
      const isMoved = SETTLED.some((field) => expected[field] !== actual[field]);
      if (isMoved) this.#moved.set(entry, { first: expected, row: actual });
      return;
    }
    this.#isIncomplete = true;
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

/** How the last entry that follows a payment leaves it. */
function settledBy({ kind, settlement, height }: Entry & { readonly height: number }, first: PaymentRow): Settled {
  const { held, captured, refunded } = settlement!;
  const amounts = { amountHeld: held, amountCaptured: captured, amountRefunded: refunded, settledHeight: height };
  if (held > 0n) return { status: 'authorized', ...amounts };
  if (captured === 0n) return { status: kind === 'expiry' ? 'expired' : 'canceled', ...amounts };
  if (captured === refunded) return { status: 'refunded', ...amounts };
  return { status: first.capture === 'manual' ? 'captured' : 'posted', ...amounts };
}

/** The row that an entry leads to; null when it is not (or was not to be) a payment, or not what describes it. */
function paymentOf(entry: Entry, block: StoredBlock): PaymentRow | null {
  if (!isPrimary(entry)) return null;
  const rejected = entry.kind === 'rejected';
  const kind = rejected ? entry.rejection?.kind : entry.kind;
  const legs: readonly Leg[] = rejected
    ? (entry.rejection?.legs ?? [])
    : (entry.span?.legs ?? entry.legs ?? entry.postings);
  const source = legs.find(({ amount }) => amount < 0n);
  const given = legs.filter(({ amount }) => amount > 0n);
  if (kind !== 'payment' || source === undefined || given.length === 0) return null;
  const amount = given.reduce((sum, leg) => sum + leg.amount, 0n);
  const isHeld = entry.legs !== undefined;
  return {
    transactionId: entry.id,
    status: rejected ? 'rejected' : isHeld ? 'authorized' : 'posted',
    capture: isHeld ? 'manual' : 'automatic',
    rejectionReason: entry.rejection?.reason ?? null,
    source: source.account,
    destination: given.length === 1 ? given[0]!.account : null,
    amount,
    amountHeld: isHeld && !rejected ? amount : 0n,
    amountCaptured: isHeld || rejected ? 0n : amount,
    amountRefunded: 0n,
    currency: source.currency,
    reference: entry.details.reference ?? null,
    createdAt: new Date(block.at),
    book: block.book,
    height: block.height,
    settledHeight: block.height,
  };
}

function plain(value: PaymentRow[(typeof COMPARED)[number]]): string | bigint | number | null {
  return value instanceof Date ? value.getTime() : value;
}

function textOfValue(value: PaymentRow[(typeof COMPARED)[number]]): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
