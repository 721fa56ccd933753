/**
 * A command, its payment, its event and the request that asked for it share a UUID; only the prefix differs. So each leads
 * to the others without being written down.
 */
const TRANSACTION = 'txn_';
const PAYMENT = 'pay_';
const EVENT = 'evt_';
const REQUEST = 'req_';

/** The id of a payment, by its transaction. */
export function paymentId(transactionId: string): string {
  return changed(transactionId, PAYMENT);
}

/** The id of what is told of a transaction. */
export function eventId(transactionId: string): string {
  return changed(transactionId, EVENT);
}

/** The request that asked for a transaction. Of one of many in a request: an id of its own. */
export function requestOf(transactionId: string): string {
  return changed(transactionId, REQUEST);
}

/** The transaction of a payment; null when it has not the form of a payment's id. */
export function transactionIdOf(paymentId: string): string | null {
  return paymentId.startsWith(PAYMENT) ? changed(paymentId, TRANSACTION) : null;
}

/** The transaction that an event tells of; null when it has not the form of an event's id. */
export function transactionOf(eventId: string): string | null {
  return eventId.startsWith(EVENT) ? changed(eventId, TRANSACTION) : null;
}

/** All prefixes are as long. */
function changed(id: string, prefix: string): string {
  return prefix + id.slice(prefix.length);
}
