import { createHash } from 'node:crypto';
import type { AccountChange, Command, CommandKind, Details, Follows, Leg } from '../ledger/types.ts';
import { commandId } from './callers.ts';
import { divide, legsFrom } from './splits.ts';
import type { Caller, CreatePayment, CreateTransaction, FollowPayment } from './types.ts';

const FINGERPRINT_CHARACTERS = 22;

export function paymentCommand(request: CreatePayment, caller: Caller): Command {
  const { source, destination, splits, amount, currency, capture, expiresAt } = request;
  const shares = splits && divide(amount, splits);
  const destinations = splits
    ? splits.map((split, i) => ({ account: split.destination, amount: shares![i]! }))
    : [{ account: destination!, amount }];
  const legs = legsFrom(source, currency, destinations);
  const hold = capture === 'manual' ? { expiresAt: expiresAt?.getTime() ?? null } : undefined;
  return { ...command('payment', legs, request, caller, hold), ...(hold ? { hold } : {}) };
}

export function transactionCommand(request: CreateTransaction, caller: Caller): Command {
  return command('transaction', request.postings, request, caller);
}

/**
 * A command about an earlier one. Its key is that of the request: the same request is the same command, whatever is left
 * to capture or refund by the time it comes again.
 */
export function followingCommand(
  kind: CommandKind,
  request: FollowPayment,
  caller: Caller,
  legs: readonly Leg[],
  follows: Follows,
): Command {
  const { amount, isLast } = request;
  const asked = [follows.origin.id, amount === undefined ? null : String(amount), isLast ?? null];
  return { ...command(kind, [], request, caller, asked), legs, follows };
}

export function changeCommand(change: AccountChange, caller: Caller): Command {
  const { account, status, minBalance, maxBalance } = change;
  const asked = [account, status ?? null, textOf(minBalance), textOf(maxBalance)];
  return { ...command('account_change', [], {}, caller, asked), change };
}

function textOf(limit: bigint | null | undefined): string | null {
  return limit === undefined ? null : String(limit);
}

function command(
  kind: CommandKind,
  legs: readonly Leg[],
  request: Details,
  { client, key, requestId, isOneOfMany }: Caller,
  asked?: unknown,
): Command {
  const details = detailsOf(request);
  const fingerprint = fingerprintOf(kind, legs, details, asked);
  const asking = requestId === undefined ? {} : { requestId };
  const id = commandId(isOneOfMany ? undefined : requestId);
  return { id, key: `${client}/${key}`, fingerprint, kind, legs, details, ...asking };
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
function fingerprintOf(
  kind: CommandKind,
  legs: readonly Leg[],
  { reference, description, metadata }: Details,
  asked: unknown,
): string {
  const sorted = metadata && Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const meaning = [
    kind,
    ...legs.map(({ account, amount, currency }) => [account, String(amount), currency]),
    reference ?? null,
    description ?? null,
    sorted ?? null,
    ...(asked === undefined ? [] : [asked]),
  ];
  return createHash('sha256').update(JSON.stringify(meaning)).digest('base64url').slice(0, FINGERPRINT_CHARACTERS);
}
