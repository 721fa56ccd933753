import { uuidv7 } from 'uuidv7';
import type { Command, Outcome } from '../ledger/types.ts';
import { paymentCommand } from '../payments/commands.ts';
import type { CreatePayment, PaymentView } from '../payments/types.ts';
import { paymentView } from '../payments/views.ts';

/** What the ledger answers to a command that it posts, without having posted it. */
export function outcomeOf({ id, key, kind, legs, details }: Command): Outcome {
  const at = Date.now();
  const postings = legs.map((leg) => ({ ...leg, posted: leg.amount, held: 0n }));
  return { entry: { id, key, kind, postings, details }, book: 0, height: 1, at, replayed: false };
}

export function answeredPayment(request: CreatePayment): PaymentView {
  return paymentView(outcomeOf(paymentCommand(request, { client: 'ladder', key: uuidv7() })));
}
