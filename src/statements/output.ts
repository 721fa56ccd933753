import { AMOUNT_MAX } from '../ledger/types.ts';
import type { Limits } from './limits.ts';
import { StatementError } from './statement.ts';
import type { StatementInfo, StatementLine } from './types.ts';

/** A format's own part of a reader: takes the bytes of a file in their order, and puts lines into an {@link Output}. */
export interface FormatParser {
  /** @throws StatementError */
  write(bytes: Uint8Array): void;
  /** The file ends here. @throws StatementError when it may not. */
  end(): void;
}

export function tooLarge(reason: string, line: number | null): StatementError {
  return new StatementError(reason, line, { code: 'statement_too_large' });
}

/** Where the lines go that were read, until a batch of them is taken. */
export class Output {
  readonly statements: StatementInfo[] = [];
  #waiting: StatementLine[] = [];
  #lines = 0;
  #linesOfStatement = 0;
  #firstDay: number | null = null;
  #lastDay: number | null = null;

  constructor(private readonly limits: Pick<Limits, 'linesMax' | 'statementsMax'>) {}

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Number of the statement that lines are added to. */
  get statement(): number {
    return this.statements.length;
  }

  /** @throws StatementError when it is one line too many, or its amount is none that the ledger can hold. */
  add(line: StatementLine): void {
    if (++this.#lines > this.limits.linesMax) {
      throw tooLarge(`the file has more than ${this.limits.linesMax} lines; split it by period`, line.line);
    }
    if (line.amount > AMOUNT_MAX || line.fee > AMOUNT_MAX) {
      const amount = line.amount > AMOUNT_MAX ? line.amount : line.fee;
      throw new StatementError(`an amount must be at most ${AMOUNT_MAX} minor units, and ${amount} is more`, line.line);
    }
    this.#linesOfStatement++;
    if (this.#firstDay === null || line.day < this.#firstDay) this.#firstDay = line.day;
    if (this.#lastDay === null || line.day > this.#lastDay) this.#lastDay = line.day;
    this.#waiting.push(line);
  }

  /** The statement whose lines were added ends; `from` and `to` that are null become those of its lines. */
  endStatement(info: Omit<StatementInfo, 'lines'>, line: number | null): void {
    if (this.statements.length >= this.limits.statementsMax) {
      throw tooLarge(`the file has more than ${this.limits.statementsMax} statements; split it`, line);
    }
    const from = info.from ?? this.#firstDay;
    const to = info.to ?? this.#lastDay;
    this.statements.push({ ...info, from, to, lines: this.#linesOfStatement });
    this.#linesOfStatement = 0;
    this.#firstDay = null;
    this.#lastDay = null;
  }

  /** The lines that wait, the first `max` of them. */
  take(max: number): StatementLine[] {
    if (this.#waiting.length > max) return this.#waiting.splice(0, max);
    const lines = this.#waiting;
    this.#waiting = [];
    return lines;
  }
}
