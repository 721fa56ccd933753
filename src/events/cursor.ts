/** How far one book was read: blocks up to `height` wholly, and of the next one the entries before `index`. */
export interface ReadUpTo {
  readonly height: number;
  readonly index: number;
}

const START: ReadUpTo = { height: 0, index: 0 };
const VERSION = 'v1';
const BOOKS_MAX = 256;
const LENGTH_MAX = 8_000;
const PART = /^(\d{1,3})\.(\d{1,15})(?:\.(\d{1,6}))?$/;

/** How far each book was read; what is not named was not read at all. Written such that nobody takes it for a number. */
export class Cursor {
  constructor(readonly books: ReadonlyMap<number, ReadUpTo>) {}

  /** Null: the text is none that {@link toString} made. */
  static parse(text: string): Cursor | null {
    if (text.length > LENGTH_MAX) return null;
    const plain = Buffer.from(text, 'base64url').toString('latin1');
    if (Buffer.from(plain, 'latin1').toString('base64url') !== text) return null;
    const [version, ...parts] = plain.split(' ');
    if (version !== VERSION) return null;
    const books = new Map<number, ReadUpTo>();
    for (const part of parts) {
      const [, book, height, index = '0'] = PART.exec(part) ?? [];
      if (book === undefined || Number(book) >= BOOKS_MAX || books.has(Number(book))) return null;
      books.set(Number(book), { height: Number(height), index: Number(index) });
    }
    return new Cursor(books);
  }

  of(book: number): ReadUpTo {
    return this.books.get(book) ?? START;
  }

  toString(): string {
    const parts = [...this.books]
      .filter(([, { height, index }]) => height > 0 || index > 0)
      .map(([book, { height, index }]) => `${book}.${height}${index > 0 ? `.${index}` : ''}`);
    return Buffer.from([VERSION, ...parts].join(' '), 'latin1').toString('base64url');
  }
}
