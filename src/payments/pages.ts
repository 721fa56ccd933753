/** Pages of what is read straight from the journal. */
import { partsById } from '../ledger/assemble.ts';
import type { Placed } from '../ledger/types.ts';
import type { AccountsStore, BookPosition, Direction, JournalQueries, PlacedAt } from './ports.ts';
import {
  type AccountView,
  type Page,
  type PageQuery,
  PaymentsError,
  type StatementFilter,
  type StatementLine,
  type TimeRange,
  type TransactionFilter,
  type TransactionView,
} from './types.ts';
import { statementLine, transactionView } from './views.ts';

export async function statementPage(
  journal: JournalQueries,
  account: AccountView,
  { kind, direction: sign, ...range }: StatementFilter,
  page: PageQuery,
): Promise<Page<StatementLine>> {
  const cursor = page.startingAfter ?? page.endingBefore;
  const from = cursor === undefined ? null : parseStatementCursor(cursor);
  const which = { kind, direction: sign, ...(await heightsOf(journal, account.book, range)) };
  return paged(page, async (direction, limit) => {
    const found = await journal.entriesOf(account.id, from, direction, limit, which);
    return found.map((placed) => statementLine(account.id, placed));
  });
}

interface Deps {
  readonly accounts: AccountsStore;
  readonly journal: JournalQueries;
}

export async function transactionsPage(
  deps: Deps,
  { account: id, ...filter }: TransactionFilter,
  page: PageQuery,
): Promise<Page<TransactionView>> {
  const { accounts, journal } = deps;
  if (id === undefined) {
    const cursor = page.startingAfter ?? page.endingBefore;
    const from = cursor === undefined ? null : await journal.positionOf(cursor);
    if (cursor !== undefined && from === null) return invalidCursor(page);
    return completed(journal, await paged(page, (direction, limit) => journal.entries(from, direction, limit, filter)));
  }
  const account = await accounts.get(id);
  if (account === null) return { data: [], hasMore: false };
  return completed(journal, await pageOfAccount(journal, account, filter, page));
}

/** What made a payment, and what captured, released or refunded it since, oldest first. What was rejected did nothing. */
export async function pageOfPayment(
  journal: Pick<JournalQueries, 'followers' | 'positionOfFollower' | 'findEntries'>,
  id: string,
  page: PageQuery,
): Promise<Page<TransactionView>> {
  const { startingAfter, endingBefore, limit } = page;
  const cursor = startingAfter ?? endingBefore;
  const isOwn = cursor === id;
  if (isOwn && endingBefore !== undefined) return { data: [], hasMore: false };
  let from = cursor === undefined || isOwn ? null : await journal.positionOfFollower(id, cursor);
  if (cursor !== undefined && !isOwn && from === null) return invalidCursor(page);
  const direction = endingBefore === undefined ? 'newer' : 'older';
  const own = async () => transactionView(await journal.findEntries([id]));
  const found = cursor === undefined ? [await own()] : [];
  // What one book had decided and another rejected is only known when its entries are read: it goes on without it.
  for (let isEnd = false; found.length <= limit && !isEnd; ) {
    const wanted = limit + 1 - found.length;
    const read: PlacedAt[] = await journal.followers(id, from, direction, wanted);
    const ids = read.flatMap(({ entry }) => (entry.span?.part === 'reversal' ? [] : entry.id));
    const parts = partsById(await journal.findEntries(ids));
    const views = ids.map((one) => transactionView(parts.get(one)!));
    found.push(...views.filter(({ status }) => status !== 'rejected'));
    from = read.at(-1) ?? from;
    isEnd = read.length < wanted;
    if (isEnd && direction === 'older') found.push(await own());
  }
  const data = found.slice(0, limit);
  return { data: direction === 'newer' ? data : data.reverse(), hasMore: found.length > limit };
}

async function pageOfAccount(
  journal: JournalQueries,
  account: AccountView,
  { kind, ...range }: TransactionFilter,
  page: PageQuery,
): Promise<Page<Placed>> {
  const cursor = page.startingAfter ?? page.endingBefore;
  const way: Direction = page.endingBefore === undefined ? 'older' : 'newer';
  const from = cursor === undefined ? null : await journal.positionAmong(account, cursor, way);
  if (cursor !== undefined && from === null) return invalidCursor(page);
  const which = { kind, once: true, ...(await heightsOf(journal, account.book, range)) };
  return paged(page, (direction, limit) => journal.entriesOf(account.id, from, direction, limit, which));
}

/**
 * Those that span books are completed by their other entries, all in one look-up. None is left out because the entry that
 * describes it does not stand yet: a page that is short would end the walk of whoever follows its cursor.
 */
async function completed(journal: JournalQueries, { data, hasMore }: Page<Placed>): Promise<Page<TransactionView>> {
  const spanning = data.filter(({ entry }) => entry.span).map(({ entry }) => entry.id);
  const others = partsById(await journal.findEntries(spanning));
  const parts = data.map((placed) => (placed.entry.span ? others.get(placed.entry.id)! : [placed]));
  return { data: parts.map(transactionView), hasMore };
}

/** The blocks of a book that were written within a time. */
async function heightsOf(
  journal: JournalQueries,
  book: number,
  { createdFrom, createdTo }: TimeRange,
): Promise<{ from?: number; to?: number }> {
  const [below, to] = await Promise.all([
    createdFrom && journal.heightAt(book, createdFrom.getTime() - 1),
    createdTo && journal.heightAt(book, createdTo.getTime()),
  ]);
  return { ...(below !== undefined && { from: below + 1 }), ...(to !== undefined && { to }) };
}

export function invalidCursor({ startingAfter, endingBefore }: PageQuery): never {
  throw new PaymentsError('invalid_cursor', `the cursor ${startingAfter ?? endingBefore} names nothing in this list`);
}

function parseStatementCursor(cursor: string): BookPosition {
  const match = /^([1-9]\d{0,14})\.(\d{1,6})$/.exec(cursor);
  if (!match) throw new PaymentsError('invalid_cursor', `the cursor ${cursor} names no line of a statement`);
  return { height: Number(match[1]), index: Number(match[2]) };
}

/** One more than asked for is read, to know whether there is more. Pages are always newest first. */
async function paged<T>(
  page: PageQuery,
  read: (direction: Direction, limit: number) => Promise<T[]>,
): Promise<Page<T>> {
  const direction = page.endingBefore === undefined ? 'older' : 'newer';
  const found = await read(direction, page.limit + 1);
  const data = found.slice(0, page.limit);
  return { data: direction === 'older' ? data : data.reverse(), hasMore: found.length > page.limit };
}
