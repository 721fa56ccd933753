import type { AccountChange, Command, Entry, Settlement } from '../ledger/types.ts';
import type { PlannedEntry } from './command-plan.ts';
import type { Difference } from './entry-difference.ts';
import { amountsText, type Before, stateText } from './life-cycle.ts';
import type { Amounts } from './settlement-table.ts';

/** Does the command do anything about what is settled later, or about an account? */
export function isOfLifeCycle({ hold, follows, change }: Command): boolean {
  return hold !== undefined || follows !== undefined || change !== undefined;
}

/** What of an entry, beside its legs, is not as its command asked; null when all is. */
export function lifeCycleDifferenceOf(
  command: Command,
  entry: Entry,
  { isDeciding }: Pick<PlannedEntry, 'isDeciding'>,
  before: Before,
): Difference | null {
  if (entry.kind === 'rejected') {
    const [expected, actual] = [command.follows?.origin.id, entry.rejection?.follows].map((id) => id ?? 'nothing');
    if (expected !== actual) return ['command that it follows', expected!, actual!];
    const isWrong = entry.rejection?.home && !(isDeciding && entry.span);
    return isWrong ? ['book whose reason counts', 'another', 'this one'] : null;
  }
  if (before.isWrong) return null;
  return (
    holdDifferenceOf(command, entry) ??
    settlementDifferenceOf(command, entry, isDeciding, before) ??
    changeDifferenceOf(command, entry, before)
  );
}

function holdDifferenceOf({ hold, legs }: Command, { postings }: Entry): Difference | null {
  if (!hold) return null;
  const texts = [legs.filter(({ amount }) => amount < 0n), postings].map((all) =>
    all.map(({ account, currency }) => `${account} ${currency}`).join(', '),
  );
  const [expected, actual] = texts as [string, string];
  return expected === actual ? null : ['account that holds it', expected, actual];
}

function settlementDifferenceOf(
  command: Command,
  { settlement, span }: Entry,
  isDeciding: boolean,
  { settlement: before }: Before,
): Difference | null {
  const isDue = isDeciding && command.change === undefined;
  if (!isDue) return settlement ? ['settlement', 'none', settlementText(settlement)] : null;
  if (!settlement) return ['settlement', 'one', 'none'];
  const origin = command.follows?.origin ?? ofHold(command);
  // Where nobody knows what it was settled on, only what never changes can be compared.
  const from = before === undefined ? settlement : (before ?? origin);
  const amounts = before === undefined ? from : settled(command, span?.part === 'reversal', from);
  const [expected, actual] = [settlementText({ ...origin, ...amounts }), settlementText(settlement)];
  if (expected !== actual) return ['settlement', expected, actual];
  const [amount, moved] = [command.follows?.amount, movedBy(command)];
  const isWrong = before !== undefined && amount !== undefined && moved !== null && moved !== amount;
  return isWrong ? ['settled amount', String(moved), String(amount)] : null;
}

/** Settled by it from there. */
function settled(command: Command, isTakenBack: boolean, { held, captured, refunded }: Amounts): Amounts {
  const amount = command.follows?.amount ?? 0n;
  switch (command.kind) {
    case 'payment':
      return { held: takenBy(command), captured, refunded };
    case 'capture':
      return { held: command.follows?.isLast ? 0n : held - amount, captured: captured + amount, refunded };
    case 'cancel':
    case 'expiry':
      return { held: 0n, captured, refunded };
    case 'refund':
    case 'reversal':
      return { held, captured, refunded: isTakenBack ? refunded - amount : refunded + amount };
    case 'transaction':
    case 'account_change':
      return { held, captured, refunded };
    default:
      return command.kind satisfies never;
  }
}

function ofHold({ id, hold, legs }: Command): Settlement {
  const { account } = legs.find(({ amount }) => amount < 0n) ?? {};
  const expiresAt = hold?.expiresAt ?? undefined;
  return {
    id,
    ...(account === undefined ? {} : { account }),
    held: 0n,
    captured: 0n,
    refunded: 0n,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** What all legs take together. */
export function takenBy({ legs }: Command): bigint {
  return legs.reduce((sum, { amount }) => (amount < 0n ? sum - amount : sum), 0n);
}

/** How much the legs capture or refund; null where that is not counted in money. */
function movedBy(command: Command): bigint | null {
  return command.kind === 'reversal' ? null : takenBy(command);
}

function changeDifferenceOf(command: Command, { changed }: Entry, { state }: Before): Difference | null {
  const { change } = command;
  if (!change) return changed ? ['change of an account', 'none', `${changed.account} ${stateText(changed)}`] : null;
  if (!changed) return ['change of an account', change.account, 'none'];
  // Where nobody knows how it was, only what was asked for can be compared.
  const expected = { ...(state ?? changed), ...asked(change) };
  const [should, is] = [`${change.account} ${stateText(expected)}`, `${changed.account} ${stateText(changed)}`];
  return should === is ? null : ['change of an account', should, is];
}

function asked({ account: _, ...change }: AccountChange): Omit<AccountChange, 'account'> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

function settlementText(settlement: Settlement): string {
  const { id, account, expiresAt } = settlement;
  const until = expiresAt === undefined ? '' : ` until ${expiresAt}`;
  return `${id}${account === undefined ? '' : ` on ${account}`}${until}: ${amountsText(settlement)}`;
}
