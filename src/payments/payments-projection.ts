import { isPrimary } from '../ledger/assemble.ts';
import type { StoredBlock } from '../ledger/types.ts';
import type { Advanced, Projection } from './follower.ts';
import type { BlockReader, PaymentsView } from './ports.ts';
import type { PaymentView } from './types.ts';
import { commandKind, paymentView } from './views.ts';

/** Taken in together: few entries cost hardly more than a round trip, many must not fill the memory. */
const BLOCKS_AT_ONCE = 20;
const ENTRIES_AT_ONCE = 2_000;

/** Makes the read model of payments from the journal. */
export class PaymentsProjection implements Projection {
  /** As many blocks as held so many entries the last time. */
  #blocksAtOnce = 1;

  constructor(
    readonly journal: BlockReader,
    readonly view: PaymentsView,
  ) {}

  async advance(book: number): Promise<Advanced> {
    const asked = Date.now();
    const position = await this.view.position(book);
    const limit = this.#blocksAtOnce;
    const blocks = await this.journal.read(book, position.height + 1, limit);
    const last = blocks.at(-1);
    if (!last) return { taken: 0, isAtTip: true, asOf: asked };
    const payments = blocks.flatMap(paymentsOf);
    await this.view.apply(book, position, last.height, payments);
    const isAtTip = blocks.length < limit;
    const perBlock = blocks.reduce((sum, { entries }) => sum + entries.length, 0) / blocks.length;
    this.#blocksAtOnce = Math.max(1, Math.min(BLOCKS_AT_ONCE, Math.floor(ENTRIES_AT_ONCE / (perBlock + 1))));
    return { taken: payments.length, isAtTip, asOf: isAtTip ? asked : last.at };
  }

  clear(): Promise<void> {
    return this.view.clear();
  }
}

function paymentsOf({ at, book, height, entries }: StoredBlock): PaymentView[] {
  return entries
    .filter((entry) => commandKind(entry) === 'payment' && isPrimary(entry))
    .map((entry) => paymentView({ entry, at, book, height }));
}
