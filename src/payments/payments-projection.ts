import { isPrimary } from '../ledger/assemble.ts';
import type { StoredBlock } from '../ledger/types.ts';
import { BlockBatches } from './block-batches.ts';
import type { Advanced, Rebuildable } from './follower.ts';
import type { BlockReader, PaymentsView, SettledPayment } from './ports.ts';
import type { PaymentView } from './types.ts';
import { commandKind, paymentView, settledPayment } from './views.ts';

/** Makes the read model of payments from the journal. */
export class PaymentsProjection implements Rebuildable {
  readonly #batches: BlockBatches;

  constructor(
    journal: BlockReader,
    readonly view: PaymentsView,
  ) {
    this.#batches = new BlockBatches(journal);
  }

  async advance(book: number): Promise<Advanced> {
    const asked = Date.now();
    const position = await this.view.position(book);
    const { blocks, isAtTip } = await this.#batches.after(book, position.height);
    const last = blocks.at(-1);
    if (!last) return { taken: 0, isAtTip, asOf: asked };
    const payments = blocks.flatMap(paymentsOf);
    await this.view.apply(book, position, last.height, payments, settledIn(blocks));
    return { taken: payments.length, isAtTip, asOf: isAtTip ? asked : last.at };
  }

  clear(): Promise<void> {
    return this.view.clear();
  }
}

/** Of each payment only how it stands at the end. */
function settledIn(blocks: readonly StoredBlock[]): SettledPayment[] {
  const settled = new Map<string, SettledPayment>();
  for (const { at, height, entries } of blocks) {
    for (const entry of entries) {
      const { settlement } = entry;
      // What an entry says of its own payment is in the payment itself; a transaction is no payment.
      if (!settlement || settlement.id === entry.id || settlement.account === undefined) continue;
      settled.set(settlement.id, settledPayment(entry, settlement, { at, height }));
    }
  }
  return [...settled.values()];
}

function paymentsOf({ at, book, height, entries }: StoredBlock): PaymentView[] {
  return entries
    .filter((entry) => commandKind(entry) === 'payment' && isPrimary(entry))
    .map((entry) => paymentView({ entry, at, book, height }));
}
