/** What every format of statement is read into. "There" is whoever sent it: a bank, or a payment service provider. */

/** - `in`: they credited us, - `out`: they debited us, as the owner of the account sees it. `null`: the format does not say. */
export type Direction = 'in' | 'out' | null;

/** One movement that a statement reports. */
export interface StatementLine {
  /** Line of the file on which it begins, from 1. */
  readonly line: number;
  /** Which of the statements of the file it is in, from 0: an index of {@link StatementReader.statements}. */
  readonly statement: number;
  /** Day of booking, in days since 1970-01-01; as the statement has it, without a time zone. */
  readonly day: number;
  /** Day of value; null: not said. */
  readonly valueDay: number | null;
  /** Minor units, greater than zero. Where fees are named: before they were taken off. */
  readonly amount: bigint;
  readonly currency: string;
  readonly direction: Direction;
  /**
   * Taken off `amount`, in minor units of the same currency, zero or more: they paid out `amount - fee`. It is taken off
   * whichever way the line goes: one that went `out` took `amount + fee` from the account.
   */
  readonly fee: bigint;
  /** What we may know it by, the most telling first, each up to 140 characters, none empty; may be none. */
  readonly references: readonly string[];
  /** What else it says for people: remittance, counterparty, description; up to 1,000 characters; empty: nothing. */
  readonly text: string;
  /** The other side's own id for it, up to 140 characters; null: none. */
  readonly id: string | null;
  /** What it was booked or paid out together with: the id of a batch or payout, up to 140 characters; null: by itself. */
  readonly batch: string | null;
  /** Of one that stands for several which are not told apart: how many; null: it stands for itself, or nobody says. */
  readonly count: number | null;
  /** Takes an earlier booking back. `direction` is that of this one. */
  readonly isReversal: boolean;
}

/** One statement of a file, as far as the format says. */
export interface StatementInfo {
  /** Its id or number. */
  readonly id: string | null;
  /** Account at the other side, such as an IBAN. */
  readonly account: string | null;
  readonly currency: string | null;
  /** First and last day, in days since 1970-01-01; those of its lines where the format does not say; null: no lines. */
  readonly from: number | null;
  readonly to: number | null;
  /** Signed minor units of `currency`; null: not said. */
  readonly opening: bigint | null;
  readonly closing: bigint | null;
  readonly lines: number;
}

/** Reads one file, once. */
export interface StatementReader {
  /**
   * The lines in the order of the file, up to 1,000 at a time, in memory of a batch. Texts may be slices of larger pieces
   * of the file, which they keep in memory: copy those that are to be kept for long.
   *
   * @throws StatementError at what is wrong first. So use nothing of what came before until all has come.
   */
  read(input: AsyncIterable<Uint8Array>): AsyncIterable<readonly StatementLine[]>;
  /** The statements of the file in their order. Complete once all was read. */
  readonly statements: readonly StatementInfo[];
}
