import type { CreatePayment, PaymentView } from '../../src/payments/types.ts';

/** A payment that was posted at once, unless told otherwise. */
export function paymentViewOf(
  { source, destination, amount, currency, reference, description, metadata }: CreatePayment,
  more: Pick<PaymentView, 'id' | 'transactionId'> & Partial<PaymentView>,
): PaymentView {
  const createdAt = more.createdAt ?? new Date();
  const isRejected = more.status === 'rejected';
  return {
    status: 'posted',
    rejectionReason: isRejected ? 'insufficient_funds' : null,
    capture: 'automatic',
    source,
    destination: destination ?? null,
    splits: [],
    amount,
    amountHeld: 0n,
    amountCaptured: isRejected ? 0n : amount,
    amountRefunded: 0n,
    currency,
    expiresAt: null,
    reference: reference ?? null,
    description: description ?? null,
    metadata: metadata ?? {},
    createdAt,
    updatedAt: createdAt,
    lastTransactionId: more.transactionId,
    book: 0,
    height: 1,
    ...more,
  };
}
