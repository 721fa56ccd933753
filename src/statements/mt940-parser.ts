import type { Limits } from './limits.ts';
import { ByteLines } from './mt940-lines.ts';
import { Mt940Statement } from './mt940-statement.ts';
import { type FormatParser, type Output, tooLarge } from './output.ts';
import { quoted, StatementError } from './statement.ts';

/** `:61:`, and what is on its first line. */
const FIELD = /^:(\d{2}[A-Z]?|NS):(.*)$/s;
const MESSAGE_TYPE = /\{2:[IO](\d{3})/;

/**
 * MT940 (SWIFT customer statement), in memory of one line and what is said about it: within blocks (`{1:…}{4:` to `-}`)
 * or without, with other lines between messages.
 *
 * A message must have its closing balance, and `-}` if it has blocks. What ends after a whole message is a whole file.
 */
export class Mt940Parser implements FormatParser {
  readonly #lines: ByteLines;
  readonly #statement: Mt940Statement;
  /** Within `{4:`, which must end with `-}`. */
  #isInBlock = false;
  /** Line of a `{1:` or `{2:` after which `{4:` must come. */
  #headerLine: number | null = null;
  /** The field that is being read. */
  #tag: string | null = null;
  #values: string[] = [];
  #characters = 0;
  #fieldLine = 0;

  constructor(
    private readonly limits: Pick<Limits, 'recordCharactersMax'>,
    output: Output,
  ) {
    this.#lines = new ByteLines(limits, (line, number) => this.#line(line, number));
    this.#statement = new Mt940Statement(output);
  }

  write(bytes: Uint8Array): void {
    this.#lines.write(bytes);
  }

  end(): void {
    const isCut = this.#lines.end();
    const line = Math.max(1, this.#lines.count);
    this.#endField(isCut);
    if (this.#isInBlock) throw new StatementError('the file is cut off: the last message has no end (-})', line);
    if (this.#headerLine !== null)
      throw new StatementError('the file is cut off before the text of a message ({4:)', line);
    this.#statement.endMessage(line);
    this.#statement.endFile(line);
  }

  #line(text: string, number: number): void {
    let line = text;
    // A byte order mark of UTF-8, byte by byte.
    if (number === 1 && line.startsWith('\u00ef\u00bb\u00bf')) line = line.slice(3);
    if (line.startsWith('{')) {
      this.#blocks(line, number);
      return;
    }
    if (line.startsWith('-') && (line.startsWith('-}') || line.trim() === '-')) {
      this.#endOfMessage(line, number);
      return;
    }
    const field = line.startsWith(':') ? FIELD.exec(line) : null;
    if (field !== null) {
      this.#endField(false);
      this.#tag = field[1]!;
      this.#fieldLine = number;
      this.#append(field[2]!, number);
    } else if (this.#tag !== null) {
      this.#append(line, number);
    }
    // Else a line before the first field: some banks name themselves there.
  }

  #append(value: string, number: number): void {
    this.#characters += value.length;
    if (this.#characters > this.limits.recordCharactersMax) {
      throw tooLarge(`field :${this.#tag}: has more than ${this.limits.recordCharactersMax} characters`, number);
    }
    this.#values.push(value);
  }

  #endField(isCut: boolean): void {
    if (this.#tag === null) return;
    this.#statement.field(this.#tag, this.#values, this.#fieldLine, isCut);
    this.#tag = null;
    this.#values = [];
    this.#characters = 0;
  }

  /** A line that begins with `{`: `{1:F01…}{2:O940…}{4:`, perhaps in several lines. */
  #blocks(line: string, number: number): void {
    if (this.#isInBlock) throw new StatementError('a message begins before the one before has its end (-})', number);
    this.#endField(false);
    this.#statement.endMessage(number);
    const type = MESSAGE_TYPE.exec(line)?.[1];
    if (type !== undefined && type !== '940') {
      throw new StatementError(`the message is an MT${type}; of SWIFT, MT940 is read`, number);
    }
    this.#isInBlock = line.includes('{4:');
    if (this.#isInBlock || /^\{[125]:/.test(line)) {
      this.#headerLine = this.#isInBlock || line.startsWith('{5:') ? null : number;
      return;
    }
    throw new StatementError(`a block must be {1:, {2:, {4: or {5:, not ${quoted(line)}`, number);
  }

  #endOfMessage(line: string, number: number): void {
    this.#endField(false);
    const isBlock = line.startsWith('-}');
    if (isBlock !== this.#isInBlock) {
      const reason = isBlock
        ? 'a message ends with -} that has no beginning ({4:)'
        : 'a message in blocks must end with -}';
      throw new StatementError(reason, number);
    }
    this.#isInBlock = false;
    this.#statement.endMessage(number);
    // Messages may follow each other without a line end.
    const next = line.indexOf('{1:');
    if (next !== -1) this.#blocks(line.slice(next), number);
  }
}
