import { quoted, StatementError } from './statement.ts';

/** Names of the columns, in any case: which number has which. */
export class CsvHeader {
  readonly #names: readonly string[];

  constructor(
    fields: readonly string[],
    private readonly line: number,
    private readonly optional: readonly string[],
  ) {
    this.#names = fields.map((name) => name.trim().toLowerCase());
  }

  get length(): number {
    return this.#names.length;
  }

  /**
   * @returns null: it is not there, and may be missing
   * @throws StatementError when it is not there and must be, or is there twice
   */
  find(column: string): number | null {
    const name = column.toLowerCase();
    const index = this.#names.indexOf(name);
    if (index === -1) {
      if (this.optional.some((known) => known.toLowerCase() === name)) return null;
      throw new StatementError(
        `the line that names the columns has no ${quoted(column)}; it has ${this.#names.slice(0, 50).map(quoted).join(', ')}`,
        this.line,
      );
    }
    if (this.#names.includes(name, index + 1)) {
      throw new StatementError(`the column ${quoted(column)} is there twice`, this.line);
    }
    return index;
  }

  /** Of a column without which nothing can be read, whatever is optional. */
  index(column: string): number {
    const index = this.find(column);
    if (index !== null) return index;
    throw new StatementError(`the line that names the columns has no ${quoted(column)}, which is needed`, this.line);
  }

  findAll(columns: readonly string[]): number[] {
    return columns.map((column) => this.find(column)).filter((index) => index !== null);
  }
}
