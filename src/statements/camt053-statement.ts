import { amountText } from './amounts.ts';
import type { Detail } from './camt053-detail.ts';
import { addLines, entryOf } from './camt053-entry.ts';
import type { XmlNode } from './camt053-node.ts';
import { amountOf, countAt, dateAt, directionOf, flagAt, moneyOf } from './camt053-values.ts';
import type { Output } from './output.ts';
import { StatementError } from './statement.ts';
import { optionalReference } from './texts.ts';

interface Balance {
  /** Signed minor units. */
  readonly amount: bigint;
  readonly line: number;
}

/** What is known of one currency: nearly always there is but one. */
interface Sums {
  opening: Balance | null;
  /** Closing balance of the day before: the opening one where that is not given. */
  previous: Balance | null;
  closing: Balance | null;
  /** Of all booked entries, signed. */
  booked: bigint;
}

/** Number of entries, and the sum of their amounts without signs. */
interface Tally {
  count: number;
  sum: bigint;
}

/** One statement (`Stmt`): its parts are given to it one by one as they end, and it forgets them. */
export class CamtStatement {
  #id: string | null = null;
  #account: string | null = null;
  #currency: string | null = null;
  #from: number | null = null;
  #to: number | null = null;
  #isPage = false;
  #summary: XmlNode | null = null;
  readonly #sums = new Map<string, Sums>();
  readonly #booked: Tally = { count: 0, sum: 0n };
  readonly #all: Tally = { count: 0, sum: 0n };

  constructor(
    private readonly version: number,
    private readonly output: Output,
  ) {}

  part(node: XmlNode, details: readonly Detail[]): void {
    switch (node.name) {
      case 'Ntry':
        this.#entry(node, details);
        return;
      case 'Bal':
        this.#balance(node);
        return;
      case 'Id':
        this.#id = optionalReference(node.text);
        return;
      case 'Acct':
        this.#account = optionalReference(node.textAt('Id', 'IBAN') ?? node.textAt('Id', 'Othr', 'Id'));
        return;
      case 'FrToDt':
        this.#from = dateAt(node, 'FrDtTm');
        this.#to = dateAt(node, 'ToDtTm');
        return;
      case 'StmtPgntn':
        this.#isPage = node.textAt('PgNb') !== '1' || flagAt(node, 'LastPgInd') === false;
        return;
      case 'TxsSummry':
        this.#summary = node.child('TtlNtries');
    }
  }

  /** `</Stmt>` @throws StatementError when what it holds is not what it says it holds. */
  end(line: number): void {
    // What is stated is stated of all pages.
    if (!this.#isPage) {
      for (const [currency, sums] of this.#sums) this.#checkBalances(currency, sums);
      this.#checkSummary();
    }
    const sums = this.#currency === null ? undefined : this.#sums.get(this.#currency);
    this.output.endStatement(
      {
        id: this.#id,
        account: this.#account,
        currency: this.#currency,
        from: this.#from,
        to: this.#to,
        opening: (sums?.opening ?? sums?.previous)?.amount ?? null,
        closing: sums?.closing?.amount ?? null,
      },
      line,
    );
  }

  #entry(node: XmlNode, details: readonly Detail[]): void {
    const entry = entryOf(node);
    const { amount, currency } = entry.money;
    this.#all.count++;
    this.#all.sum += amount;
    if (!entry.isBooked) return;
    this.#booked.count++;
    this.#booked.sum += amount;
    this.#sumsOf(currency).booked += entry.direction === 'in' ? amount : -amount;
    addLines(entry, details, this.version, this.output);
  }

  #balance(node: XmlNode): void {
    const code = node.textAt('Tp', 'CdOrPrtry', 'Cd');
    if (code !== 'OPBD' && code !== 'PRCD' && code !== 'CLBD') return;
    const amountNode = node.child('Amt');
    if (amountNode === null) throw new StatementError('the balance has no Amt', node.line);
    const { amount, currency } = moneyOf(amountNode);
    const balance = { amount: directionOf(node) === 'in' ? amount : -amount, line: node.line };
    const sums = this.#sumsOf(currency);
    if (code === 'CLBD') sums.closing = balance;
    else if (code === 'OPBD') sums.opening ??= balance;
    else sums.previous ??= balance;
  }

  #sumsOf(currency: string): Sums {
    this.#currency ??= currency;
    const known = this.#sums.get(currency);
    if (known !== undefined) return known;
    const sums: Sums = { opening: null, previous: null, closing: null, booked: 0n };
    this.#sums.set(currency, sums);
    return sums;
  }

  #checkBalances(currency: string, { opening, previous, closing, booked }: Sums): void {
    const before = opening ?? previous;
    if (before === null || closing === null) return;
    const difference = closing.amount - (before.amount + booked);
    if (difference === 0n) return;
    const text = (amount: bigint) => amountText(amount, currency);
    throw new StatementError(
      `statement ${this.#id ?? '(no id)'}: the opening balance ${text(before.amount)} and the booked entries ` +
        `${text(booked)} must come to the closing balance ${text(closing.amount)}, but differ from it by ` +
        `${text(difference)}; get the file again`,
      closing.line,
    );
  }

  /** Some banks count the entries that are not booked as well. */
  #checkSummary(): void {
    if (this.#summary === null) return;
    const count = countAt(this.#summary, 'NbOfNtries');
    if (count !== null && count !== this.#booked.count && count !== this.#all.count) {
      const reason = `TtlNtries says ${count} entries, but there are ${this.#booked.count} that are booked`;
      throw new StatementError(`statement ${this.#id ?? '(no id)'}: ${reason}; get the file again`, this.#summary.line);
    }
    const node = this.#summary.child('Sum');
    // Amounts of several currencies have no sum.
    if (node === null || this.#currency === null || this.#sums.size > 1) return;
    const sum = amountOf(node, this.#currency);
    if (sum === this.#booked.sum || sum === this.#all.sum) return;
    const [stated, found] = [amountText(sum, this.#currency), amountText(this.#booked.sum, this.#currency)];
    const reason = `TtlNtries says a sum of ${stated}, but the booked entries come to ${found}`;
    throw new StatementError(`statement ${this.#id ?? '(no id)'}: ${reason}; get the file again`, node.line);
  }
}
