/** The body of an event that asks for a payment of 1 cent from `alice` to `bob`, unless `data` says otherwise. */
export function paymentEvent(id: string, data: Record<string, unknown> = {}): string {
  return JSON.stringify({
    id,
    type: 'payment.requested',
    data: { source: 'alice', destination: 'bob', amount: '1', currency: 'EUR', ...data },
  });
}

/** The body of an event about a payment that was made before. */
export function followEvent(
  id: string,
  what: 'capture' | 'cancel' | 'refund',
  payment: string,
  data: Record<string, unknown> = {},
): string {
  return JSON.stringify({ id, type: `payment.${what}_requested`, data: { payment, ...data } });
}
