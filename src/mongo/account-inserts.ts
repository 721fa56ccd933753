import { type Collection, MongoBulkWriteError, MongoError, MongoServerError, type WriteError } from 'mongodb';
import type { AccountDocument } from './accounts.ts';
import { DUPLICATE_KEY } from './duplicates.ts';

const AT_ONCE_MAX = 1_000;

interface Waiting {
  readonly document: AccountDocument;
  resolve(isNew: boolean): void;
  reject(error: unknown): void;
}

/**
 * Inserts accounts, those together that come while others are being written: a write that waits for a majority costs much
 * the same for one and for many. Whoever comes alone waits for nobody.
 */
export class AccountInserts {
  readonly #accounts: Collection<AccountDocument>;
  readonly #eraOf: (book: number) => Promise<number>;
  #waiting: Waiting[] = [];
  #isWriting = false;

  /** `eraOf`: the era of a book, as it is now. */
  constructor(accounts: Collection<AccountDocument>, eraOf: (book: number) => Promise<number>) {
    this.#accounts = accounts;
    this.#eraOf = eraOf;
  }

  /** false: its id is taken. Rejects when it is not known whether it was written. */
  insert(document: AccountDocument): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ document, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, AT_ONCE_MAX);
      this.#waiting = this.#waiting.slice(AT_ONCE_MAX);
      await this.#write(batch).catch((error: unknown) => this.#apart(batch, error));
    }
    this.#isWriting = false;
  }

  /** What cannot even be sent, because of one of them, must not become the fault of the others. */
  async #apart(batch: readonly Waiting[], error: unknown): Promise<void> {
    const isSent = error instanceof MongoError;
    for (const one of batch) {
      if (isSent || batch.length === 1) one.reject(error);
      else await this.#write([one]).catch(one.reject);
    }
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const books = [...new Set(batch.map(({ document }) => document.book))];
    const eras = new Map(await Promise.all(books.map(async (book) => [book, await this.#eraOf(book)] as const)));
    const documents = batch.map(({ document }) => ({ ...document, era: eras.get(document.book)! }));
    const errors = await this.#accounts.insertMany(documents, { ordered: false }).then(() => [], writeErrorsOf);
    const failed = new Map(errors.map((error) => [error.index, error]));
    for (const [index, { resolve, reject }] of batch.entries()) {
      const error = failed.get(index);
      if (error !== undefined && error.code !== DUPLICATE_KEY) reject(faultOf(error));
      else resolve(error === undefined);
    }
  }
}

/** What became of each that was not written. Throws what leaves all of them unknown. */
function writeErrorsOf(error: unknown): readonly WriteError[] {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined) throw error;
  return [error.writeErrors].flat() as WriteError[];
}

function faultOf({ code, errmsg }: WriteError): MongoServerError {
  return new MongoServerError({ code, message: errmsg });
}
