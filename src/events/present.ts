import { presentPayment, presentTransaction } from '../resources/present.ts';
import type { EventResource } from './schemas.ts';
import type { EventSubject, EventView } from './types.ts';

export function presentEvent(event: EventView): EventResource {
  return {
    object: 'event',
    id: event.id,
    type: event.type,
    created_at: event.createdAt.toISOString(),
    transaction_id: event.transactionId,
    request: { id: event.askedBy.requestId, idempotency_key: event.askedBy.idempotencyKey },
    group: event.group,
    book: event.book,
    height: event.height,
    data: { object: presentSubject(event.subject) },
  };
}

function presentSubject(subject: EventSubject): EventResource['data']['object'] {
  switch (subject.kind) {
    case 'payment':
      return presentPayment(subject.payment);
    case 'transaction':
      return presentTransaction(subject.transaction);
    case 'reconciliation':
      return subject.reconciliation;
    case 'break':
      return subject.break;
    case 'account_state': {
      const { account, status, minBalance, maxBalance } = subject.state;
      return {
        object: 'account_state',
        account,
        status,
        min_balance: minBalance === null ? null : String(minBalance),
        max_balance: maxBalance === null ? null : String(maxBalance),
      };
    }
  }
}
