/** Output of a program as the lines of its log: `<RFC 3339 with ms> out|err <text>`. */

const LINE_BYTES_MAX = 16_384;
const NEWLINE = 0x0a;
/** `2026-01-31T12:00:00.000Z out ` */
export const MARK_BYTES = 29;
export const TIME_BYTES = 24;

export type OutputName = 'out' | 'err';

export function markedLine(output: OutputName, text: Buffer, at: Date): Buffer {
  return Buffer.concat([Buffer.from(`${at.toISOString()} ${output} `), text, Buffer.from('\n')]);
}

/** Cuts a stream of bytes into lines, and lines that are too long into several. */
export class LineSplitter {
  #rest = Buffer.alloc(0);

  constructor(private readonly onLine: (line: Buffer) => void) {}

  get isWithinLine(): boolean {
    return this.#rest.length > 0;
  }

  push(chunk: Buffer): void {
    let from = 0;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      from = this.#cut(bytes, from, end);
      this.onLine(bytes.subarray(from, end));
      from = end + 1;
    }
    from = this.#cut(bytes, from, bytes.length);
    // A copy: what is kept must not keep all of a large chunk in memory.
    this.#rest = Buffer.from(bytes.subarray(from));
  }

  /** The line that has no end yet is taken as it is. */
  flush(): void {
    if (this.#rest.length > 0) this.onLine(this.#rest);
    this.#rest = Buffer.alloc(0);
  }

  /** Hands over pieces until what is left is short enough; answers where that begins. */
  #cut(bytes: Buffer, start: number, end: number): number {
    let from = start;
    while (end - from > LINE_BYTES_MAX) {
      const to = characterStart(bytes, from + LINE_BYTES_MAX);
      this.onLine(bytes.subarray(from, to));
      from = to;
    }
    return from;
  }
}

/** A character of UTF-8 has up to 4 bytes; all but the first are 10xxxxxx. */
function characterStart(bytes: Buffer, at: number): number {
  for (let start = at; start > at - 4; start--) if ((bytes[start]! & 0xc0) !== 0x80) return start;
  return at;
}
