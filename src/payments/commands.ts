import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Command, CommandKind, Details, Leg } from '../ledger/types.ts';
import type { Caller, CreatePayment, CreateTransaction } from './types.ts';

const FINGERPRINT_CHARACTERS = 22;

export function paymentCommand(request: CreatePayment, caller: Caller): Command {
  const { source, destination, amount, currency } = request;
  const legs = [
    { account: source, amount: -amount, currency },
    { account: destination, amount, currency },
  ];
  return command('payment', legs, request, caller);
}

export function transactionCommand(request: CreateTransaction, caller: Caller): Command {
  return command('transaction', request.postings, request, caller);
}

function command(kind: CommandKind, legs: readonly Leg[], request: Details, { client, key }: Caller): Command {
  const details = detailsOf(request);
  const fingerprint = fingerprintOf(kind, legs, details);
  return { id: `txn_${uuidv7()}`, key: `${client}/${key}`, fingerprint, kind, legs, details };
}

function detailsOf({ reference, description, metadata }: Details): Details {
  return {
    ...(reference === undefined ? {} : { reference }),
    ...(description === undefined ? {} : { description }),
    ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

/**
 * Digest of what a request means, not of how it was written: the order of fields and whether an amount was a number or
 * a text make no difference. 128 bits, base64url.
 */
function fingerprintOf(kind: CommandKind, legs: readonly Leg[], { reference, description, metadata }: Details): string {
  const sorted = metadata && Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const meaning = [
    kind,
    ...legs.map(({ account, amount, currency }) => [account, String(amount), currency]),
    reference ?? null,
    description ?? null,
    sorted ?? null,
  ];
  return createHash('sha256').update(JSON.stringify(meaning)).digest('base64url').slice(0, FINGERPRINT_CHARACTERS);
}
