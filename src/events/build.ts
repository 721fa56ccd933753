/** Makes events out of the journal's entries, and nothing else: the same entry always makes the same event. */
import { assembled, isPrimary, primaryOf } from '../ledger/assemble.ts';
import { isSystemAccount } from '../ledger/crossing.ts';
import type { CommandKind, Entry, Placed } from '../ledger/types.ts';
import { askedBy } from '../payments/callers.ts';
import { lookUpEntries } from '../payments/entry-lookup.ts';
import { eventId, paymentId } from '../payments/ids.ts';
import { isOutside } from '../payments/outside.ts';
import type { JournalQueries, PlacedAt } from '../payments/ports.ts';
import { commandKind, legsOf, paymentView, transactionView } from '../payments/views.ts';
import type { EventType, EventView, JournalSubject } from './types.ts';

/** What is told when a command was carried out, and when it was rejected; null: nothing. */
const TYPES: Readonly<Record<CommandKind, readonly [done: EventType, rejected: EventType | null]>> = {
  payment: ['payment.posted', 'payment.rejected'],
  capture: ['payment.captured', 'payment.capture_rejected'],
  cancel: ['payment.canceled', 'payment.cancel_rejected'],
  expiry: ['payment.expired', null],
  refund: ['payment.refunded', 'payment.refund_rejected'],
  transaction: ['transaction.posted', 'transaction.rejected'],
  reversal: ['transaction.reversed', 'transaction.reversal_rejected'],
  account_change: ['account.changed', null],
};

export type EntryLookup = Pick<JournalQueries, 'findEntries'>;

/**
 * The events of the entries of some blocks, each told in the book that decides its command, which is the one of its
 * group. `null` in the place of one whose command is still on its way between books.
 */
export async function eventsOf(
  blocks: readonly (readonly PlacedAt[])[],
  journal: EntryLookup,
): Promise<(EventView | null)[][]> {
  const telling = blocks.map((entries) => entries.filter(({ entry }) => mayTell(entry)));
  const ids = telling.flat().flatMap(({ entry }) => [...(entry.span ? [entry.id] : []), ...followedBy(entry)]);
  const found = await lookUpEntries(ids, journal);
  return telling.map((entries) => entries.flatMap((placed) => tell(placed, found)));
}

function tell(placed: PlacedAt, found: ReadonlyMap<string, Placed[]>): [EventView | null] | [] {
  const { entry, book } = placed;
  const [followedId] = followedBy(entry);
  const followed = followedId === undefined ? null : primaryOf(found.get(followedId) ?? []);
  if (followed === undefined) throw new Error(`entry ${entry.id} follows ${followedId}, which is nowhere`);
  // What several books rejected is told by the one that knows the command before.
  if (followed && followed.book !== book) return [];
  return eventOf(placed, entry.span ? (found.get(entry.id) ?? []) : [placed], followed);
}

/** Could it be the one entry of its command that is told of? */
function mayTell(entry: Entry): boolean {
  const { span, settlement, rejection } = entry;
  if (span && span.part !== 'debit') return false;
  const kind = commandKind(entry);
  if (kind === 'payment' || kind === 'transaction' || kind === 'account_change') return isPrimary(entry);
  return settlement !== undefined || rejection !== undefined;
}

function followedBy({ id, settlement, rejection }: Entry): string[] {
  const followed = rejection?.follows ?? settlement?.id;
  return followed === undefined || followed === id ? [] : [followed];
}

function eventOf(placed: PlacedAt, parts: readonly Placed[], followed: Placed | null): [EventView | null] | [] {
  const whole = assembled(parts);
  if (whole === null) return [null];
  const { entry, at, book, height, index } = placed;
  const type = typeOf(entry, whole.entry);
  if (type === null) return [];
  const subject = subjectOf(type, placed, parts, followed);
  return [
    {
      id: eventId(entry.id),
      type,
      createdAt: new Date(at),
      transactionId: entry.id,
      askedBy: askedBy(entry.id, entry.key),
      group: groupOf(followed ?? placed),
      accounts: accountsOf(subject),
      book,
      height,
      index,
      subject,
    },
  ];
}

function typeOf(entry: Entry, whole: Entry): EventType | null {
  const kind = commandKind(entry);
  const [done, rejected] = TYPES[kind];
  if (whole.rejection) return rejected;
  return kind === 'payment' && entry.legs ? 'payment.authorized' : done;
}

/** A payment as it stood after it; where nothing came of it, the transaction that says so. */
function subjectOf(
  type: EventType,
  placed: PlacedAt,
  parts: readonly Placed[],
  followed: Placed | null,
): JournalSubject {
  const { changed } = placed.entry;
  if (changed) return { kind: 'account_state', state: changed };
  const isOfPayment = type.startsWith('payment.');
  if (isOfPayment && followed === null) return { kind: 'payment', payment: paymentView(placed) };
  if (isOfPayment && !type.endsWith('_rejected')) {
    return { kind: 'payment', payment: paymentView(followed!, placed) };
  }
  return { kind: 'transaction', transaction: transactionView(parts) };
}

function groupOf(primary: Placed): string {
  const { id, changed, span, postings } = primary.entry;
  if (changed) return changed.account;
  const gives = ({ amount, account }: { amount: bigint; account: string }) => amount < 0n && !isSystemAccount(account);
  // Of several books that give, the one where it is told. Which legs are its own nothing says when it rejected them.
  const isOfSeveral = span !== undefined && span.debits.length > 1;
  const giver = (isOfSeveral ? postings : legsOf(primary.entry)).find(gives);
  if (giver !== undefined && !isOutside(giver.account)) return giver.account;
  return commandKind(primary.entry) === 'payment' ? paymentId(id) : id;
}

function accountsOf(subject: JournalSubject): string[] {
  switch (subject.kind) {
    case 'payment': {
      const { source, destination, splits } = subject.payment;
      return [source, ...(destination === null ? splits.map((split) => split.destination) : [destination])];
    }
    case 'transaction':
      return subject.transaction.postings.map(({ account }) => account);
    case 'account_state':
      return [subject.state.account];
  }
}
