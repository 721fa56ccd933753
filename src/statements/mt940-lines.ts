import type { Limits } from './limits.ts';
import { tooLarge } from './output.ts';

/** Cuts the bytes of a file into lines. Each byte becomes the character of its number, as the encoding is known later. */
export class ByteLines {
  /** Lines that are complete. */
  count = 0;
  #held = '';

  constructor(
    private readonly limits: Pick<Limits, 'recordCharactersMax'>,
    private readonly take: (line: string, number: number) => void,
  ) {}

  write(bytes: Uint8Array): void {
    const text = this.#held + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#line(text.slice(from, text.charCodeAt(end - 1) === 0x0d && end > from ? end - 1 : end));
      from = end + 1;
    }
    this.#held = text.slice(from);
    if (this.#held.length > this.limits.recordCharactersMax) throw this.#tooLong();
  }

  /** @returns whether the last line had no end */
  end(): boolean {
    if (this.#held === '') return false;
    const last = this.#held;
    this.#held = '';
    this.#line(last);
    return true;
  }

  #line(line: string): void {
    if (line.length > this.limits.recordCharactersMax) throw this.#tooLong();
    this.take(line, ++this.count);
  }

  #tooLong() {
    return tooLarge(`the line has more than ${this.limits.recordCharactersMax} characters`, this.count + 1);
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });
const WINDOWS_1252 = new TextDecoder('windows-1252');
const BEYOND_ASCII = /[\u0080-\u00ff]/;

/**
 * Text of which each character stands for a byte: as UTF-8, if it is that, else as Windows-1252, of which ISO-8859-1 is
 * nearly a part. SWIFT allows neither, and banks send both.
 */
export function decodedText(bytes: string): string {
  if (!BEYOND_ASCII.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, 'latin1');
  try {
    return UTF_8.decode(buffer);
  } catch {
    return WINDOWS_1252.decode(buffer);
  }
}
