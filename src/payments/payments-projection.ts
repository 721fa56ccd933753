import { isPrimary } from '../ledger/assemble.ts';
import type { StoredBlock } from '../ledger/types.ts';
import type { Advanced, Projection } from './follower.ts';
import type { BlockReader, PaymentsView } from './ports.ts';
import type { PaymentView } from './types.ts';
import { commandKind, paymentView } from './views.ts';

/** Taken in together: what it costs is round trips, hardly documents. Each has up to 4 MiB. */
const BLOCKS_AT_ONCE = 20;

/** Makes the read model of payments from the journal. */
export class PaymentsProjection implements Projection {
  constructor(
    readonly journal: BlockReader,
    readonly view: PaymentsView,
  ) {}

  async advance(book: number): Promise<Advanced> {
    const asked = Date.now();
    const position = await this.view.position(book);
    const blocks = await this.journal.read(book, position.height + 1, BLOCKS_AT_ONCE);
    const last = blocks.at(-1);
    if (!last) return { taken: 0, isAtTip: true, asOf: asked };
    const payments = blocks.flatMap(paymentsOf);
    await this.view.apply(book, position, last.height, payments);
    const isAtTip = blocks.length < BLOCKS_AT_ONCE;
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
