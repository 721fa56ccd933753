import { amountText } from './amounts.ts';
import { type Balance, type Booking, balanceOf, bookingOf } from './mt940-fields.ts';
import { informationOf } from './mt940-information.ts';
import { decodedText } from './mt940-lines.ts';
import { type Output, tooLarge } from './output.ts';
import { StatementError } from './statement.ts';
import { joinTexts, optionalReference, referencesOf } from './texts.ts';

/** A line whose `:86:` may still come. */
interface Pending {
  readonly line: number;
  readonly booking: Booking;
  /** Lines after the first one of `:61:`. */
  readonly supplement: readonly string[];
  readonly information: string[];
}

/** SWIFT allows 6. */
const INFORMATION_LINES_MAX = 100;
const OF_MT942: ReadonlySet<string> = new Set(['13', '13D', '34F', '90C', '90D']);
const IGNORED: ReadonlySet<string> = new Set(['21', 'NS']);
/** Available balances, and information about the statement as a whole. */
const AFTER_CLOSING: ReadonlySet<string> = new Set(['64', '65', '86', 'NS']);

/** The statements of a file, field by field. One may go over several messages, its pages. */
export class Mt940Statement {
  /** A message has begun, and its closing balance has not come yet. */
  #isOpen = false;
  #account: string | null = null;
  #id: string | null = null;
  /** Of the first page. */
  #opening: Balance | null = null;
  /** Of this page; null: not said yet. */
  #openingOfPage: Balance | null = null;
  /** After the lines so far. */
  #balance = 0n;
  /** Number of the statement and closing balance of the page before, when a page must follow. */
  #carried: { readonly id: string | null; readonly balance: Balance } | null = null;
  #pending: Pending | null = null;
  #isEmpty = true;

  constructor(private readonly output: Output) {}

  /** @param isCut has the last line of the field no line end, so that it may have been longer? */
  field(tag: string, values: readonly string[], line: number, isCut: boolean): void {
    const value = values[0]!.trim();
    if (tag === '20') {
      this.#begin(line);
      return;
    }
    if (AFTER_CLOSING.has(tag) && !this.#isOpen && !this.#isEmpty) return;
    if (!this.#isOpen) throw new StatementError(`:${tag}: must come after :20: and before the closing balance`, line);
    switch (tag) {
      case '25':
      case '25P':
        this.#account = optionalReference(decodedText(value));
        return;
      case '28':
      case '28C':
        this.#id = optionalReference(decodedText(value.split('/')[0]!));
        return;
      case '60F':
      case '60M':
        this.#open(tag, balanceOf(value, line), line);
        return;
      case '61':
        this.#booking(value, values.slice(1), line);
        return;
      case '86':
        this.#inform(values, line);
        return;
      case '62F':
      case '62M':
        this.#close(tag, balanceOf(value, line), line, isCut);
        return;
    }
    if (IGNORED.has(tag)) return;
    throw new StatementError(
      OF_MT942.has(tag) ? `:${tag}: is of MT942; of SWIFT, MT940 is read` : `:${tag}: is no field of MT940`,
      line,
    );
  }

  /** The message ends, if there is one. */
  endMessage(line: number): void {
    if (!this.#isOpen) return;
    throw new StatementError('the message ends without its closing balance (:62F:); get the file again', line);
  }

  endFile(line: number): void {
    if (this.#carried !== null) {
      throw new StatementError('the last page is missing: the file ends after :62M:, without a :62F:', line);
    }
    if (this.#isEmpty) throw new StatementError('the file has no statement (:20: to :62F:)', line);
  }

  #begin(line: number): void {
    this.endMessage(line);
    this.#isOpen = true;
    this.#account = null;
    this.#id = null;
    this.#openingOfPage = null;
  }

  #open(tag: string, balance: Balance, line: number): void {
    if (this.#openingOfPage !== null)
      throw new StatementError('the opening balance (:60F: or :60M:) comes twice', line);
    this.#openingOfPage = balance;
    if (this.#carried === null) {
      if (tag === '60M')
        throw new StatementError('the first page is missing: :60M: comes without a :62M: before', line);
      this.#opening = balance;
      this.#balance = balance.amount;
      return;
    }
    const { id, balance: before } = this.#carried;
    if (tag === '60F' || id !== this.#id) {
      throw new StatementError('a page is missing: a statement begins before the one before had its :62F:', line);
    }
    if (balance.currency !== before.currency || balance.amount !== before.amount) {
      const [stated, expected] = [balance, before].map((of) => amountText(of.amount, of.currency));
      throw new StatementError(`:60M: says ${stated}, but the page before ends with ${expected}`, line);
    }
  }

  #booking(value: string, supplement: readonly string[], line: number): void {
    this.#flush();
    if (this.#openingOfPage === null) throw new StatementError(':61: comes before the opening balance (:60F:)', line);
    const booking = bookingOf(value, this.#openingOfPage.currency, line);
    this.#balance += booking.direction === 'in' ? booking.amount : -booking.amount;
    this.#pending = { line, booking, supplement, information: [] };
  }

  /** Some banks write several `:86:` for one line. */
  #inform(values: readonly string[], line: number): void {
    if (this.#pending === null) return;
    this.#pending.information.push(...values);
    if (this.#pending.information.length <= INFORMATION_LINES_MAX) return;
    throw tooLarge(`:86: of one :61: has more than ${INFORMATION_LINES_MAX} lines`, line);
  }

  #close(tag: string, balance: Balance, line: number, isCut: boolean): void {
    this.#flush();
    const opening = this.#openingOfPage;
    if (opening === null) throw new StatementError(`:${tag}: comes before the opening balance (:60F:)`, line);
    if (isCut && !balance.isFull) throw new StatementError('the file is cut off within its closing balance', line);
    if (balance.currency !== opening.currency) {
      throw new StatementError(
        `the closing balance is in ${balance.currency}, the opening one in ${opening.currency}`,
        line,
      );
    }
    if (balance.amount !== this.#balance) {
      const text = (amount: bigint) => amountText(amount, balance.currency);
      throw new StatementError(
        `statement ${this.#id ?? '(no number)'}: the opening balance and the lines come to ${text(this.#balance)}, but the ` +
          `closing balance is ${text(balance.amount)}: a difference of ${text(balance.amount - this.#balance)}; get the file again`,
        line,
      );
    }
    this.#isOpen = false;
    this.#isEmpty = false;
    if (tag === '62M') {
      this.#carried = { id: this.#id, balance };
      return;
    }
    this.#carried = null;
    const info = { id: this.#id, account: this.#account, currency: balance.currency, from: null, to: null };
    this.output.endStatement({ ...info, opening: this.#opening!.amount, closing: balance.amount }, line);
  }

  /** The line that waited for its `:86:` has all that there is. One of zero moves nothing. */
  #flush(): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null || pending.booking.amount === 0n) return;
    const { booking } = pending;
    const information = informationOf(pending.information);
    const id = optionalReference(decodedText(booking.bankReference));
    this.output.add({
      line: pending.line,
      statement: this.output.statement,
      day: booking.day,
      valueDay: booking.valueDay,
      amount: booking.amount,
      currency: this.#openingOfPage!.currency,
      direction: booking.direction,
      fee: 0n,
      references: referencesOf([
        ...information.references,
        decodedText(booking.customerReference),
        id,
        information.mandate,
      ]),
      text: joinTexts([information.text, ...pending.supplement.map(decodedText)]),
      id,
      batch: null,
      count: null,
      isReversal: booking.isReversal,
    });
  }
}
