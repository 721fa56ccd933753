/** How payments are settled later and accounts are changed, by plain rules of the tests' own. */
import type {
  AccountState,
  ChangedAccount,
  Command,
  CommandKind,
  Leg,
  RejectionReason,
  Settlement,
} from '../../src/ledger/types.ts';

/** What a command does beside moving money. */
export interface ModelEffect {
  readonly settlement?: Settlement;
  readonly changed?: ChangedAccount;
  /** How much more is held, and on which account. */
  readonly more: bigint;
  readonly on?: string;
}

export type FollowingKind = Extract<CommandKind, 'capture' | 'cancel' | 'expiry' | 'refund' | 'reversal'>;

export const NO_EFFECT: ModelEffect = { more: 0n };

export class ModelLives {
  readonly settled = new Map<string, Settlement>();
  readonly states = new Map<string, AccountState>();
  readonly held = new Map<string, bigint>();

  heldOn(account: string): bigint {
    return this.held.get(account) ?? 0n;
  }

  hold(command: Command, amount: bigint): ModelEffect {
    const { account } = command.legs[0]!;
    const expiresAt = command.hold?.expiresAt ?? undefined;
    const settlement = {
      id: command.id,
      account,
      held: amount,
      captured: 0n,
      refunded: 0n,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    };
    return { settlement, more: amount, on: account };
  }

  follow({ kind, follows }: Command, at: number, isTakenBack: boolean): ModelEffect | RejectionReason {
    const { origin, amount, isLast } = follows!;
    const before = this.settled.get(origin.id) ?? origin;
    const isOver = before.expiresAt !== undefined && before.expiresAt <= at;
    const to = (after: Partial<Settlement>): ModelEffect => {
      const settlement = { ...before, ...after };
      return { settlement, more: settlement.held - before.held, ...(before.account ? { on: before.account } : {}) };
    };
    if (isTakenBack) return to({ refunded: before.refunded - amount });
    if (kind === 'refund' || kind === 'reversal') {
      if (before.captured - before.refunded >= amount) return to({ refunded: before.refunded + amount });
      return kind === 'refund' ? 'refund_exceeds_captured' : 'already_reversed';
    }
    if (before.held === 0n) return 'nothing_held';
    if (kind === 'cancel') return to({ held: 0n });
    if (kind === 'expiry') return isOver ? to({ held: 0n }) : 'not_expired';
    if (isOver) return 'authorization_expired';
    if (amount > before.held) return 'capture_exceeds_held';
    return to({ held: isLast ? 0n : before.held - amount, captured: before.captured + amount });
  }

  change({ change }: Command, before: AccountState, balance: bigint): ModelEffect | RejectionReason {
    const { account, ...asked } = change!;
    const held = this.heldOn(account);
    if (before.status === 'closed' && asked.status !== 'closed') return 'account_closed';
    if (asked.status === 'closed' && (balance !== 0n || held !== 0n)) return 'account_not_empty';
    const after = { ...before, ...asked };
    if (asked.minBalance != null && balance - held < asked.minBalance) return 'balance_limit_exceeded';
    if (asked.maxBalance != null && balance > asked.maxBalance) return 'balance_limit_exceeded';
    return { changed: { account, ...after }, more: 0n };
  }

  /** What the list of payments says of a payment that is settled like this. */
  rowOf({ held, captured, refunded }: Settlement, kind: string, capture: 'automatic' | 'manual') {
    const amounts = { amountHeld: held, amountCaptured: captured, amountRefunded: refunded };
    const paid = capture === 'manual' ? ('captured' as const) : ('posted' as const);
    if (held > 0n) return { ...amounts, status: 'authorized' as const };
    if (captured > 0n) return { ...amounts, status: captured === refunded ? ('refunded' as const) : paid };
    return { ...amounts, status: kind === 'expiry' ? ('expired' as const) : ('canceled' as const) };
  }

  take({ settlement, changed, more, on }: ModelEffect): void {
    if (settlement) this.settled.set(settlement.id, settlement);
    if (on !== undefined) this.held.set(on, this.heldOn(on) + more);
    if (changed) {
      const { account, ...state } = changed;
      this.states.set(account, state);
    }
  }
}

/** How a command stood at its own end. */
export function originOf({ id, kind, hold, legs }: Command): Settlement {
  const [source, destination] = legs as [Leg, Leg];
  const captured = hold ? 0n : kind === 'payment' ? destination.amount : 1n;
  return {
    id,
    ...(kind === 'payment' ? { account: source.account } : {}),
    held: 0n,
    captured,
    refunded: 0n,
    ...(hold?.expiresAt ? { expiresAt: hold.expiresAt } : {}),
  };
}

/** What follows a command moves between its accounts. */
export function legsFollowing(kind: FollowingKind, { legs }: Command, amount: bigint): Leg[] {
  if (kind === 'cancel' || kind === 'expiry') return [];
  if (kind === 'reversal') return legs.map((leg) => ({ ...leg, amount: -leg.amount }));
  const sign = kind === 'capture' ? 1n : -1n;
  return legs.map((leg) => ({ ...leg, amount: sign * (leg.amount < 0n ? -amount : amount) }));
}
