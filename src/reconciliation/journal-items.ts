import { assembled, primaryOf } from '../ledger/assemble.ts';
import type { Entry, Placed, Posting } from '../ledger/types.ts';
import type { LedgerItem } from '../matching/types.ts';
import { lookUpEntries } from '../payments/entry-lookup.ts';
import { paymentId } from '../payments/ids.ts';
import type { BlockReader, JournalQueries } from '../payments/ports.ts';
import { legsOf } from '../payments/views.ts';
import { DAY_MS } from '../statements/statement.ts';
import type { ItemsQuery, LedgerItems } from './ports.ts';
import type { AsOf } from './types.ts';

const BLOCKS_AT_ONCE = 10;
/** What moves money: holds and their releases, and changes of accounts, do not. */
const MOVING = new Set<Entry['kind']>(['payment', 'transaction', 'capture', 'refund', 'reversal']);

type ItemsJournal = BlockReader & Pick<JournalQueries, 'findEntries' | 'heightAt' | 'tips'>;

/**
 * Movements straight from the journal, so that no read model has to keep up with it.
 *
 * With accounts, each posting on one of them is an item: what such an account gives comes in from the outside. Without,
 * each payment, capture and refund is one as such. A command over several books counts once all of it stands.
 */
export class JournalItems implements LedgerItems {
  /** `isExplained`: by the key of a command, what it moves needs no line: it was posted because of one. */
  constructor(
    readonly journal: ItemsJournal,
    readonly isExplained: (key: string) => boolean = () => false,
  ) {}

  async tips(): Promise<AsOf> {
    return (await this.journal.tips()).map(({ book, height }) => ({ book, height }));
  }

  async *items(query: ItemsQuery): AsyncIterable<readonly LedgerItem[]> {
    const [since, until] = [query.from * DAY_MS, (query.to + 1) * DAY_MS];
    const select = new Selection(query);
    const tips = new Map(query.asOf.map(({ book, height }) => [book, height]));
    for (const { book, height: tip } of query.asOf) {
      let height = await this.journal.heightAt(book, since - 1);
      while (height < tip) {
        const blocks = await this.journal.read(book, height + 1, Math.min(BLOCKS_AT_ONCE, tip - height));
        const last = blocks.at(-1);
        if (last === undefined) break;
        height = last.height;
        const placed = blocks
          .filter(({ at }) => at >= since && at < until)
          .flatMap(({ entries, at, height: inBlock }) =>
            entries
              .filter((entry) => select.mayBe(entry) && !this.isExplained(entry.key))
              .map((entry) => ({ entry, book, height: inBlock, at })),
          );
        if (placed.length > 0) yield await this.#itemsOf(placed, select, tips);
        if (last.at >= until) break;
      }
    }
  }

  async #itemsOf(
    placed: readonly Placed[],
    select: Selection,
    tips: ReadonlyMap<number, number>,
  ): Promise<LedgerItem[]> {
    const crossing = await lookUpEntries(
      placed.filter(({ entry }) => entry.span).map(({ entry }) => entry.id),
      this.journal,
    );
    const partsOf = (one: Placed) => {
      if (!one.entry.span) return [one];
      // What has come since is not there yet: the same query always finds the same.
      return (crossing.get(one.entry.id) ?? []).filter(({ book, height }) => height <= (tips.get(book) ?? 0));
    };
    const followed = await lookUpEntries(
      placed.flatMap((one) => followedBy(partsOf(one))),
      this.journal,
    );
    return placed.flatMap((one) => {
      const parts = partsOf(one);
      const whole = assembled(parts);
      // Not yet at its end in all books, or not to be: it counts when it is.
      if (whole === null || whole.entry.rejection) return [];
      const [followedId] = followedBy(parts);
      const about = followedId === undefined ? null : (primaryOf(followed.get(followedId) ?? []) ?? null);
      return select.itemsOf(one, whole.entry, primaryOf(parts)?.entry ?? one.entry, about?.entry ?? null);
    });
  }
}

/** The command that a command follows, as the one of its parts says that decides it. */
function followedBy(parts: readonly Placed[]): string[] {
  for (const { entry } of parts) {
    if (entry.settlement !== undefined && entry.settlement.id !== entry.id) return [entry.settlement.id];
  }
  return [];
}

/** Which entries are asked for, and what items they make. */
class Selection {
  readonly #isMeant: (account: string) => boolean;

  constructor(readonly query: Pick<ItemsQuery, 'account' | 'groupBy'>) {
    const { account } = query;
    if (account === null) this.#isMeant = () => true;
    else if (account.endsWith('*')) this.#isMeant = (id) => id.startsWith(account.slice(0, -1));
    else this.#isMeant = (id) => id === account;
  }

  mayBe(entry: Entry): boolean {
    if (entry.kind === 'rejected' || !MOVING.has(entry.kind) || entry.span?.part === 'reversal') return false;
    if (this.query.account !== null) return entry.postings.some((posting) => this.#takes(posting));
    // As such it is told by the entry that describes all of it. A hold has moved nothing.
    const isWhole = entry.span === undefined || entry.span.legs !== undefined;
    return isWhole && entry.kind !== 'transaction' && entry.kind !== 'reversal' && entry.legs === undefined;
  }

  itemsOf({ entry, at }: Placed, whole: Entry, primary: Entry, followed: Entry | null): LedgerItem[] {
    const shared = {
      kind: entry.kind as LedgerItem['kind'],
      payment: paymentOf(entry, followed),
      reference: primary.details.reference ?? followed?.details.reference ?? null,
      group: this.#groupOf(primary, followed),
      at,
    };
    if (this.query.account === null) {
      const given = legsOf(entry).filter(({ amount }) => amount > 0n);
      const amount = given.reduce((sum, leg) => sum + leg.amount, 0n);
      const [first] = given;
      if (first === undefined) return [];
      return [{ ...shared, id: entry.id, account: null, amount, currency: first.currency, direction: null }];
    }
    // A command has at most one leg an account. They are counted over all books.
    const accounts = whole.postings.filter((posting) => this.#takes(posting)).map(({ account }) => account);
    return entry.postings
      .filter((posting) => this.#takes(posting) && accounts.includes(posting.account))
      .map(({ account, amount, currency }) => ({
        ...shared,
        id: accounts[0] === account ? entry.id : `${entry.id}#${accounts.indexOf(account)}`,
        account,
        amount: amount < 0n ? -amount : amount,
        currency,
        direction: amount < 0n ? ('in' as const) : ('out' as const),
      }));
  }

  #takes({ account, amount }: Posting): boolean {
    return amount !== 0n && this.#isMeant(account);
  }

  #groupOf({ details }: Entry, followed: Entry | null): string | null {
    const { groupBy } = this.query;
    if (groupBy === null) return null;
    return details.metadata?.[groupBy] ?? followed?.details.metadata?.[groupBy] ?? null;
  }
}

function paymentOf(entry: Entry, followed: Entry | null): string | null {
  if (entry.kind === 'payment') return paymentId(entry.id);
  return followed?.kind === 'payment' ? paymentId(followed.id) : null;
}
