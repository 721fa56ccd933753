import type { Collection, Db } from 'mongodb';
import type { Claim, ClaimedCommand } from '../ledger/ports.ts';
import type { ViewName } from '../payments/ports.ts';
import type { MatchablePayment, PostedPaymentsPort } from '../reconciliation/ports.ts';
import type { AuditedAccount, AuditPort, BookTip, EntryPlace, PaymentRow, RawBlock } from '../verification/ports.ts';
import { ACCOUNTS, type AccountDocument, accountOf } from './accounts.ts';
import { type BlockDocument, toNumber } from './block-codec.ts';
import { Checkpoints } from './checkpoints.ts';
import { type ClaimDocument, decodeClaim } from './claim-codec.ts';
import { CLAIMS, MongoClaims } from './claims.ts';
import { JOURNAL } from './journal.ts';
import { MongoJournalQueries } from './journal-queries.ts';
import { PAYMENTS, type PaymentDocument } from './payments-view.ts';
import { StoredBytes } from './stored-bytes.ts';

/** The stored ledger as verification and reconciliation read it: in bulk, by cursors, never all at once. */
export class MongoAudit implements AuditPort, PostedPaymentsPort {
  readonly #journal: MongoJournalQueries;
  readonly #blocks: Collection<BlockDocument>;
  readonly #payments: Collection<PaymentDocument>;

  constructor(readonly db: Db) {
    this.#journal = new MongoJournalQueries(db);
    this.#blocks = db.collection(JOURNAL);
    this.#payments = db.collection(PAYMENTS);
  }

  async checkpoints(view: ViewName): Promise<ReadonlyMap<number, number>> {
    return new Checkpoints(this.db, view).heights(await this.#journal.books());
  }

  async tips(): Promise<readonly BookTip[]> {
    const tips = await Promise.all((await this.#journal.books()).map((book) => this.#journal.tip(book)));
    return tips.flatMap((tip) => (tip ? [{ book: tip.book, height: tip.height }] : []));
  }

  async *accounts(): AsyncIterable<AuditedAccount> {
    for await (const document of this.db.collection<AccountDocument>(ACCOUNTS).find()) {
      const { balance } = document;
      const snapshot = balance && { ...balance, height: toNumber(balance.height) };
      const account = { ...accountOf(document), isAnnounced: document.changes === true };
      yield snapshot ? { ...account, snapshot } : account;
    }
  }

  async *blocks(book: number, fromHeight: number, toHeight: number): AsyncIterable<RawBlock> {
    const range = { $gte: { book, height: BigInt(fromHeight) }, $lte: { book, height: BigInt(toHeight) } };
    const cursor = this.#blocks.find({ _id: range }, { raw: true }).sort({ _id: 1 });
    for await (const bytes of cursor as unknown as AsyncIterable<Buffer>) yield new StoredBytes(bytes);
  }

  async *paymentRows(book: number, toHeight: number): AsyncIterable<PaymentRow> {
    yield* this.#payments.find({ book, height: { $lte: toHeight } }).sort({ book: 1, height: 1 });
  }

  async *claims(): AsyncIterable<Claim> {
    for await (const document of this.db.collection<ClaimDocument>(CLAIMS).find()) yield decodeClaim(document);
  }

  findByKeys(keys: readonly string[]): Promise<readonly ClaimedCommand[]> {
    return new MongoClaims(this.db).findByKeys(keys);
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

  async *postedPayments(from: Date, to: Date): AsyncIterable<MatchablePayment> {
    // What is held has not been paid, and of what was captured in parts only those have.
    const paid = this.#payments.find({ amountCaptured: { $gt: 0n }, createdAt: { $gte: from, $lt: to } });
    for await (const { _id, ...payment } of paid) yield { id: _id, ...payment, amount: payment.amountCaptured };
  }
}
