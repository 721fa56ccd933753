import { NOTICES } from './types.ts';

/** How far one stream was read: blocks up to `height` wholly, and of the next one the entries before `index`. */
export interface ReadUpTo {
  readonly height: number;
  readonly index: number;
}

const START: ReadUpTo = { height: 0, index: 0 };
const VERSION = 'v1';
const LENGTH_MAX = 8_000;
const PART = /^(\d{1,3})\.(\d{1,15})(?:\.(\d{1,6}))?$/;

/**
 * How far each stream, by its number, was read; what is not named was not read at all. Written such that nobody takes it
 * for a number.
 */
export class Cursor {
  constructor(readonly streams: ReadonlyMap<number, ReadUpTo>) {}

  /** Null: the text is none that {@link toString} made. */
  static parse(text: string): Cursor | null {
    if (text.length > LENGTH_MAX) return null;
    const plain = Buffer.from(text, 'base64url').toString('latin1');
    if (Buffer.from(plain, 'latin1').toString('base64url') !== text) return null;
    const [version, ...parts] = plain.split(' ');
    if (version !== VERSION) return null;
    const streams = new Map<number, ReadUpTo>();
    for (const part of parts) {
      const [, stream, height, index = '0'] = PART.exec(part) ?? [];
      if (stream === undefined || Number(stream) > NOTICES || streams.has(Number(stream))) return null;
      streams.set(Number(stream), { height: Number(height), index: Number(index) });
    }
    return new Cursor(streams);
  }

  of(stream: number): ReadUpTo {
    return this.streams.get(stream) ?? START;
  }

  toString(): string {
    const parts = [...this.streams]
      .filter(([, { height, index }]) => height > 0 || index > 0)
      .map(([stream, { height, index }]) => `${stream}.${height}${index > 0 ? `.${index}` : ''}`);
    return Buffer.from([VERSION, ...parts].join(' '), 'latin1').toString('base64url');
  }
}
