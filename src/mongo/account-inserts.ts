import { type Collection, MongoBulkWriteError, MongoError, MongoServerError, type WriteError } from 'mongodb';
import { Gathering } from '../payments/gathering.ts';
import type { AccountDocument } from './accounts.ts';
import { DUPLICATE_KEY } from './duplicates.ts';

type Inserted = PromiseSettledResult<boolean>;

/** Inserts accounts, those together that come while others are being written. */
export class AccountInserts {
  readonly #accounts: Collection<AccountDocument>;
  readonly #eraOf: (book: number) => Promise<number>;
  readonly #gathering = new Gathering((documents: readonly AccountDocument[]) => this.#insertAll(documents));

  /** `eraOf`: the era of a book, as it is now. */
  constructor(accounts: Collection<AccountDocument>, eraOf: (book: number) => Promise<number>) {
    this.#accounts = accounts;
    this.#eraOf = eraOf;
  }

  /** false: its id is taken. Rejects when it is not known whether it was written. */
  insert(document: AccountDocument): Promise<boolean> {
    return this.#gathering.submit(document);
  }

  async #insertAll(documents: readonly AccountDocument[]): Promise<readonly Inserted[]> {
    try {
      return await this.#write(documents);
    } catch (error) {
      if (error instanceof MongoError || documents.length === 1) throw error;
      // One of them cannot even be sent: that must not become the fault of the others.
      return Promise.all(documents.map((document) => this.#insertAll([document]).then(([one]) => one!, rejected)));
    }
  }

  async #write(documents: readonly AccountDocument[]): Promise<Inserted[]> {
    const books = [...new Set(documents.map(({ book }) => book))];
    const eras = new Map(await Promise.all(books.map(async (book) => [book, await this.#eraOf(book)] as const)));
    const dated = documents.map((document) => ({ ...document, era: eras.get(document.book)! }));
    const errors = await this.#accounts.insertMany(dated, { ordered: false }).then(() => [], writeErrorsOf);
    const failed = new Map(errors.map((error) => [error.index, error]));
    return documents.map((_, index) => {
      const error = failed.get(index);
      if (error === undefined || error.code === DUPLICATE_KEY) return { status: 'fulfilled', value: !error };
      return rejected(new MongoServerError({ code: error.code, message: error.errmsg }));
    });
  }
}

function rejected(reason: unknown): PromiseRejectedResult {
  return { status: 'rejected', reason };
}

/** What became of each that was not written. Throws what leaves all of them unknown. */
function writeErrorsOf(error: unknown): readonly WriteError[] {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined) throw error;
  return [error.writeErrors].flat() as WriteError[];
}
