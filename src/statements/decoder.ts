import { TextDecoder } from 'node:util';
import { StatementError } from './statement.ts';

export const ENCODINGS = ['utf-8', 'iso-8859-1', 'windows-1252', 'utf-16le'] as const;
/** XML says the others by itself. */
export type Encoding = (typeof ENCODINGS)[number] | 'utf-16be' | 'iso-8859-15';

const PIECE_BYTES = 65_536;

/** The bytes in pieces of at most 64 KiB, so that a batch has the same size whatever the chunks of the source have. */
export function* pieces(chunk: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < chunk.length; from += PIECE_BYTES) yield chunk.subarray(from, from + PIECE_BYTES);
}

/**
 * Bytes to text, wherever the bytes are cut. A byte order mark is left out.
 *
 * Bytes that are none of the encoding are an error, as a reference with replacement characters matches nothing.
 */
export class Decoder {
  readonly #decoder: TextDecoder | null;

  constructor(
    private readonly encoding: Encoding,
    /** The last line that was read, for messages. */
    private readonly line: () => number,
  ) {
    // What WHATWG calls iso-8859-1 is windows-1252.
    this.#decoder = encoding === 'iso-8859-1' ? null : new TextDecoder(encoding, { fatal: true });
  }

  write(bytes: Uint8Array): string {
    const decoder = this.#decoder;
    if (decoder === null) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    return this.#checked(() => decoder.decode(bytes, { stream: true }));
  }

  end(): string {
    return this.#checked(() => this.#decoder?.decode() ?? '');
  }

  #checked(decode: () => string): string {
    try {
      return decode();
    } catch (cause) {
      const name = this.encoding.toUpperCase();
      const reason = `the file is not ${name} (at or after line ${this.line()}); save it as ${name}, or say its encoding`;
      throw new StatementError(reason, null, { cause });
    }
  }
}
