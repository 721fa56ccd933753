/** The payment that every layer is called with, as bytes of one length, so that the layers differ in what they do only. */

/** Accounts that payments go between; each may go far below zero. */
export const ACCOUNTS = 1000;
/** Known to the service and to the server that only validates; both listen on 127.0.0.1 alone, for one run. */
export const LADDER_KEY = `kvitt_${'ladder'.repeat(8)}`.slice(0, 49);
/** What an answered payment has, head and body. */
export const ANSWER_BYTES = 1076;

const HEAD = [
  'POST /v1/payments HTTP/1.1',
  'host: 127.0.0.1',
  `authorization: Bearer ${LADDER_KEY}`,
  'content-type: application/json',
  '',
].join('\r\n');
const NUMBER_DIGITS = 12;

export function accountId(number: number): string {
  return `user:${String(number).padStart(6, '0')}:wallet`;
}

/** A random payment between two accounts. */
export function randomPayment(): { source: string; destination: string; amount: number } {
  const from = below(ACCOUNTS);
  const to = (from + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
  return { source: accountId(from), destination: accountId(to), amount: 100 + below(900) };
}

/** `run` and `number` make the idempotency key; `run` always has the same length. */
export function paymentRequest(run: string, number: number): string {
  const body = JSON.stringify({ ...randomPayment(), currency: 'EUR' });
  const key = `${run}-${String(number).padStart(NUMBER_DIGITS, '0')}`;
  return `${HEAD}idempotency-key: ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}
