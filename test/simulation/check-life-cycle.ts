import type { Claim } from '../../src/ledger/ports.ts';
import type { Account, Command, Entry, Settlement, StoredBlock } from '../../src/ledger/types.ts';

interface Journal {
  readonly blocks: readonly StoredBlock[];
  readonly claims: readonly Claim[];
  readonly accounts: readonly Account[];
}

type Amounts = Pick<Settlement, 'held' | 'captured' | 'refunded'>;

const NOTHING: Amounts = { held: 0n, captured: 0n, refunded: 0n };

/**
 * Replays what the journal says of payments that were captured later, refunded or reversed, and of accounts that were
 * changed, and says everything that is wrong with it. It shares no code with the engine.
 */
export function lifeCycleFaultsOf({ blocks, claims, accounts }: Journal): string[] {
  const faults: string[] = [];
  const commands = new Map(claims.flatMap((claim) => claim.commands).map((command) => [command.id, command]));
  const settled = new Map<string, Amounts>();
  const held = new Map<string, bigint>();
  const states = new Map<string, { status: string; min: bigint | null; max: bigint | null }>(
    accounts.map(({ id, minBalance, maxBalance }) => [id, { status: 'open', min: minBalance, max: maxBalance }]),
  );
  for (const block of [...blocks].sort((a, b) => a.height - b.height)) {
    for (const entry of block.entries) {
      const command = commands.get(entry.id);
      if (!command) continue;
      const { settlement, changed } = entry;
      let released = 0n;
      if (settlement) {
        const about = command.follows?.origin.id ?? command.id;
        if (settlement.id !== about) faults.push(`${entry.id} settles ${settlement.id} instead of ${about}`);
        if (settlement.expiresAt !== expiryOf(command)) faults.push(`${entry.id} changes when it expires`);
        const before = settled.get(settlement.id) ?? command.follows?.origin ?? NOTHING;
        const wrong = wrongStep(command, entry, { before, after: settlement, at: block.at });
        if (wrong) faults.push(`${entry.id} ${wrong}`);
        released = settlement.held - before.held;
        settled.set(settlement.id, settlement);
      } else if (entry.kind !== 'rejected' && mustSettle(command, entry, block.book)) {
        faults.push(`${entry.id} settles nothing`);
      }
      for (const { account, amount, posted, held: heldNow } of entry.postings) {
        const more = settlement?.account === account ? released : 0n;
        const expected = (held.get(account) ?? 0n) + more;
        if (heldNow !== expected)
          faults.push(`${entry.id} says ${heldNow} is held on ${account}, and it is ${expected}`);
        held.set(account, heldNow);
        if (amount === 0n && more === 0n) faults.push(`${entry.id} does nothing on ${account}`);
        const { status, min, max } = states.get(account) ?? { status: 'open', min: null, max: null };
        if (status === 'closed') faults.push(`${entry.id} posts to ${account}, which is closed`);
        if (status === 'frozen' && (amount < 0n || more > 0n)) faults.push(`${entry.id} takes from frozen ${account}`);
        if ((amount < 0n || more > 0n) && min !== null && posted - heldNow < min)
          faults.push(`${account} is below ${min}`);
        if (amount > 0n && max !== null && posted > max) faults.push(`${account} is above ${max}`);
      }
      if (changed) {
        const { account, status, minBalance: min, maxBalance: max } = changed;
        const before = states.get(account);
        if (before?.status === 'closed' && status !== 'closed') faults.push(`${entry.id} opens ${account} again`);
        if (status === 'closed' && (held.get(account) ?? 0n) !== 0n) faults.push(`${account} is closed with a hold`);
        const { change } = command;
        const wanted = [
          change?.status ?? before?.status,
          change?.minBalance === undefined ? before?.min : change.minBalance,
          change?.maxBalance === undefined ? before?.max : change.maxBalance,
        ];
        if (String(wanted) !== String([status, min, max])) faults.push(`${entry.id} changes ${account} to ${wanted}`);
        states.set(account, { status, min, max });
      }
    }
  }
  const open = new Map<string, bigint>();
  for (const [id, amounts] of settled) {
    if (amounts.refunded > amounts.captured) faults.push(`more of ${id} was refunded than captured`);
    const account = commands.get(id)?.legs.find(({ amount }) => amount < 0n)?.account ?? '';
    open.set(account, (open.get(account) ?? 0n) + amounts.held);
  }
  for (const [account, amount] of held) {
    if (amount !== (open.get(account) ?? 0n)) faults.push(`${account} holds ${amount} for ${open.get(account) ?? 0n}`);
  }
  return faults;
}

function expiryOf({ hold, follows }: Command): number | undefined {
  return follows ? follows.origin.expiresAt : (hold?.expiresAt ?? undefined);
}

/** Is it here that the command decides how another one is settled? */
function mustSettle({ hold, follows }: Command, { span }: Entry, book: number): boolean {
  if (hold) return true;
  return follows !== undefined && follows.book === book && span?.part !== 'credit';
}

interface Step {
  readonly before: Amounts;
  readonly after: Settlement;
  readonly at: number;
}

/** Why a settlement does not follow from the one before; null: it does. */
function wrongStep({ kind, legs, follows }: Command, { span }: Entry, { before, after, at }: Step): string | null {
  const more = {
    held: after.held - before.held,
    captured: after.captured - before.captured,
    refunded: after.refunded - before.refunded,
  };
  const is = (held: bigint, captured: bigint, refunded: bigint) =>
    more.held === held && more.captured === captured && more.refunded === refunded;
  const amount = follows?.amount ?? 0n;
  const isOver = after.expiresAt !== undefined && at >= after.expiresAt;
  const isRight = {
    payment: () => is(-legs.find((leg) => leg.amount < 0n)!.amount, 0n, 0n),
    capture: () => !isOver && is(follows?.isLast ? -before.held : -amount, amount, 0n) && amount <= before.held,
    cancel: () => before.held > 0n && is(-before.held, 0n, 0n),
    expiry: () => isOver && before.held > 0n && is(-before.held, 0n, 0n),
    refund: () => is(0n, 0n, span?.part === 'reversal' ? -amount : amount) && after.refunded <= after.captured,
    reversal: () => is(0n, 0n, span?.part === 'reversal' ? -1n : 1n) && after.refunded <= after.captured,
    transaction: () => false,
    account_change: () => false,
  }[kind]();
  const [from, to] = [before, after].map(({ held, captured, refunded }) => `${held}/${captured}/${refunded}`);
  return isRight ? null : `(${kind} of ${amount}) settles from ${from} to ${to}`;
}
