import type { AccountChange, AccountState, Command, RejectionReason, Settlement } from './types.ts';

/** How the command that this one is about is settled when nothing stands of it yet; null: it is about none. */
export function settlementAtFirst({ id, hold, follows, legs }: Command): Settlement | null {
  if (follows) return follows.origin;
  if (!hold) return null;
  const { account } = legs.find(({ amount }) => amount < 0n)!;
  const nothing = { held: 0n, captured: 0n, refunded: 0n };
  return { id, account, ...nothing, ...(hold.expiresAt === null ? {} : { expiresAt: hold.expiresAt }) };
}

/**
 * Settles the command that this one is about: how it stands afterwards, or why not. `at` is the time of the block, in
 * ms since the epoch: it decides whether an authorisation has expired, to the millisecond, whenever it is released.
 */
export function settle(command: Command, before: Settlement, at: number): Settlement | RejectionReason {
  const { held, captured, refunded } = before;
  const amount = command.follows?.amount ?? 0n;
  switch (command.kind) {
    case 'payment':
      return { ...before, held: amountOf(command) };
    case 'capture':
      if (held === 0n) return 'nothing_held';
      if (hasExpired(before, at)) return 'authorization_expired';
      if (amount > held) return 'capture_exceeds_held';
      return { ...before, held: command.follows?.isLast ? 0n : held - amount, captured: captured + amount };
    case 'cancel':
      return held === 0n ? 'nothing_held' : { ...before, held: 0n };
    case 'expiry':
      if (held === 0n) return 'nothing_held';
      return hasExpired(before, at) ? { ...before, held: 0n } : 'not_expired';
    case 'refund':
      if (refunded + amount > captured) return 'refund_exceeds_captured';
      return { ...before, refunded: refunded + amount };
    case 'reversal':
      if (refunded + amount > captured) return 'already_reversed';
      return { ...before, refunded: refunded + amount };
    case 'transaction':
    case 'account_change':
      throw new Error(`a ${command.kind} settles nothing`);
    default:
      return command.kind satisfies never;
  }
}

/** Takes back what a refund or reversal has settled in its book, because another book rejected it. */
export function unsettle({ follows }: Command, before: Settlement): Settlement {
  return { ...before, refunded: before.refunded - follows!.amount };
}

/** What a payment takes from its source. */
function amountOf({ legs }: Command): bigint {
  return -legs.find(({ amount }) => amount < 0n)!.amount;
}

function hasExpired({ expiresAt }: Settlement, at: number): boolean {
  return expiresAt !== undefined && at >= expiresAt;
}

interface Holdings {
  readonly posted: bigint;
  readonly held: bigint;
}

/** How an account is after a change, or why it cannot be changed so. Setting what is already set changes nothing. */
export function changeAccount(
  change: AccountChange,
  before: AccountState,
  { posted, held }: Holdings,
): AccountState | RejectionReason {
  if (before.status === 'closed' && change.status !== 'closed') return 'account_closed';
  if (change.status === 'closed' && (posted !== 0n || held !== 0n)) return 'account_not_empty';
  const after = {
    status: change.status ?? before.status,
    minBalance: change.minBalance === undefined ? before.minBalance : change.minBalance,
    maxBalance: change.maxBalance === undefined ? before.maxBalance : change.maxBalance,
  };
  const { minBalance: min, maxBalance: max } = after;
  // So that no balance is ever beyond its limit.
  if (change.minBalance !== undefined && min !== null && posted - held < min) return 'balance_limit_exceeded';
  if (change.maxBalance !== undefined && max !== null && posted > max) return 'balance_limit_exceeded';
  return after;
}
