import type { Collection, Db } from 'mongodb';
import type { Claim, ClaimedCommand } from '../ledger/ports.ts';
import type { AccountTip, Settlement } from '../ledger/types.ts';
import { paymentId } from '../payments/ids.ts';
import type { ViewName } from '../payments/ports.ts';
import type {
  AsClaimed,
  AuditedAccount,
  AuditPort,
  BookTip,
  EarlierPort,
  EntryPlace,
  PaymentRow,
  RawBlock,
} from '../verification/ports.ts';
import { ACCOUNTS, type AccountDocument, accountOf } from './accounts.ts';
import { type BlockDocument, toNumber } from './block-codec.ts';
import { Checkpoints } from './checkpoints.ts';
import { BUCKET, type ClaimDocument, decodeClaim, decodeClaimed } from './claim-codec.ts';
import { ClaimMatcher } from './claim-matcher.ts';
import { CLAIMS } from './claims.ts';
import { readSession } from './client.ts';
import { EarlierBalances } from './earlier-balances.ts';
import { blocksOf, JOURNAL, NEVER_POSTED_TO } from './journal.ts';
import { MongoJournalQueries } from './journal-queries.ts';
import { PAYMENTS, type PaymentDocument } from './payments-view.ts';
import { StoredBytes } from './stored-bytes.ts';

/** Documents that the database sends at once, of a thousand entries and of one: by default it is 16 MB, a few times over. */
const BATCH = 16;
const ROWS = 1_000;

/** What of a row is compared with the journal. */
const ROW = {
  _id: 0,
  transactionId: 1,
  status: 1,
  capture: 1,
  rejectionReason: 1,
  source: 1,
  destination: 1,
  amount: 1,
  amountHeld: 1,
  amountCaptured: 1,
  amountRefunded: 1,
  currency: 1,
  reference: 1,
  createdAt: 1,
  book: 1,
  height: 1,
  settledHeight: 1,
} as const satisfies Record<'_id' | keyof PaymentRow, 0 | 1>;

/** The stored ledger as verification and reconciliation read it: in bulk, by cursors, never all at once. */
export class MongoAudit implements AuditPort, EarlierPort {
  readonly #journal: MongoJournalQueries;
  readonly #earlier: EarlierBalances;
  readonly #blocks: Collection<BlockDocument>;
  readonly #payments: Collection<PaymentDocument>;
  readonly #claims: Collection<ClaimDocument>;
  readonly #accounts: Collection<AccountDocument>;

  constructor(readonly db: Db) {
    this.#journal = new MongoJournalQueries(db);
    this.#earlier = new EarlierBalances(db, this.#journal);
    this.#blocks = db.collection(JOURNAL);
    this.#payments = db.collection(PAYMENTS);
    this.#claims = db.collection(CLAIMS);
    this.#accounts = db.collection(ACCOUNTS);
  }

  async checkpoints(view: ViewName): Promise<ReadonlyMap<number, number>> {
    return new Checkpoints(this.db, view).heights(await this.#journal.books());
  }

  async tips(): Promise<readonly BookTip[]> {
    // By its place alone: nobody knows yet whether it can be read.
    const options = { sort: { _id: -1 }, projection: { _id: 1 }, session: readSession(this.db.client) } as const;
    const tipOf = async (book: number) => await this.#blocks.findOne({ _id: blocksOf(book) }, options);
    const tips = await Promise.all((await this.#journal.books()).map(tipOf));
    return tips.flatMap((tip) => (tip ? [{ book: tip._id.book, height: toNumber(tip._id.height) }] : []));
  }

  async *accounts(): AsyncIterable<AuditedAccount> {
    for await (const document of this.#accounts.find({}, { batchSize: ROWS })) yield auditedAccount(document);
  }

  async accountsOf(ids: readonly string[]): Promise<readonly AuditedAccount[]> {
    return (await this.#accounts.find({ _id: { $in: [...ids] } }).toArray()).map(auditedAccount);
  }

  async accountsAt(accounts: readonly AuditedAccount[], height: number): Promise<ReadonlyMap<string, AccountTip>> {
    const ids = accounts.map(({ id }) => id);
    const tips = new Map<string, AccountTip>(await this.#earlier.at(accounts[0]!.book, ids, height));
    const changed = accounts.filter(({ isAnnounced }) => isAnnounced).map(({ id }) => id);
    for (const [id, state] of await this.#journal.accountStates(changed, height)) {
      tips.set(id, { ...(tips.get(id) ?? NEVER_POSTED_TO), state });
    }
    return tips;
  }

  async settlementsAt(
    ids: readonly string[],
    heights: ReadonlyMap<number, number>,
  ): Promise<readonly { readonly book: number; readonly settlement: Settlement }[]> {
    const found = await this.#journal.latestAbout(ids, heights);
    return [...found.values()].map(({ book, entry }) => ({ book, settlement: entry.settlement! }));
  }

  async *blocks(book: number, fromHeight: number, toHeight: number): AsyncIterable<RawBlock> {
    const range = { $gte: { book, height: BigInt(fromHeight) }, $lte: { book, height: BigInt(toHeight) } };
    const cursor = this.#blocks.find({ _id: range }, { raw: true, batchSize: BATCH }).sort({ _id: 1 });
    for await (const bytes of cursor as unknown as AsyncIterable<Buffer>) yield new StoredBytes(bytes);
  }

  async *paymentRows(book: number, fromHeight: number, toHeight: number): AsyncIterable<PaymentRow> {
    yield* this.#payments
      .find({ book, height: { $gte: fromHeight, $lte: toHeight } }, { projection: ROW, batchSize: ROWS })
      .sort({ book: 1, height: 1 });
  }

  async paymentRowsOf(transactionIds: readonly string[]): Promise<readonly PaymentRow[]> {
    return await this.#payments.find({ _id: { $in: transactionIds.map(paymentId) } }).toArray();
  }

  async *claims(since?: number): AsyncIterable<Claim> {
    const which = since === undefined ? {} : claimsSince(new Date(since));
    for await (const document of this.#claims.find(which, { batchSize: BATCH })) yield decodeClaim(document);
  }

  async claimsOf(claimIds: readonly string[]): Promise<readonly Claim[]> {
    return (await this.#claims.find({ _id: { $in: [...claimIds] } }).toArray()).map(decodeClaim);
  }

  async keysOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.#journal.findEntries(ids)).map(({ entry }) => [entry.id, entry.key]));
  }

  async asClaimed(blocks: readonly RawBlock[]): Promise<AsClaimed> {
    const matcher = new ClaimMatcher(blocks.map((raw) => (raw instanceof StoredBytes ? raw.bytes : null)));
    const { keys } = matcher;
    if (keys.length === 0) return matcher.result();
    const claims = this.#claims.find({ bucket: BUCKET, keys: { $in: keys } }, { raw: true });
    for await (const bytes of claims as unknown as AsyncIterable<Buffer>) matcher.take(bytes);
    return matcher.result();
  }

  async findByKeys(keys: readonly string[]): Promise<readonly ClaimedCommand[]> {
    const wanted = new Set(keys);
    const found: ClaimedCommand[] = [];
    // Whole claims: what was claimed together stands together as a rule, so that nearly all of each is asked for.
    const claims = this.#claims.find({ bucket: BUCKET, keys: { $in: [...keys] } });
    for await (const document of claims) found.push(...decodeClaimed(document, wanted));
    return found;
  }

  async places(ids: readonly string[]): Promise<readonly EntryPlace[]> {
    const wanted = new Set(ids);
    // Of an entry that is posted within one book this is the id alone.
    const projection = { 'entries.id': 1, 'entries.span.part': 1, 'entries.rejection.reason': 1 };
    const rows = this.#blocks.find({ 'entries.id': { $in: [...ids] } }, { projection });
    const places: EntryPlace[] = [];
    for await (const { _id, entries } of rows) {
      for (const { id, span, rejection } of entries) {
        if (!wanted.has(id)) continue;
        const [part, rejected] = [span?.part ?? null, rejection !== undefined];
        places.push({ id, book: _id.book, height: toNumber(_id.height), part, rejected });
      }
    }
    return places;
  }
}

function auditedAccount(document: AccountDocument): AuditedAccount {
  const { balance } = document;
  const account = { ...accountOf(document), isAnnounced: document.changes === true };
  return balance ? { ...account, snapshot: { ...balance, height: toNumber(balance.height) } } : account;
}

/** Those of that time and later, and of before those that are pending: each from an index of its own. */
export function claimsSince(time: Date) {
  return { $or: [{ at: { $gte: time } }, { state: 'pending' as const, at: { $lt: time } }] };
}
