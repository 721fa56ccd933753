import { test } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor } from '../../src/events/cursor.ts';

const readUpTo = fc.record({ height: fc.integer({ min: 0, max: 1e12 }), index: fc.integer({ min: 0, max: 999_999 }) });
const books = fc.dictionary(fc.integer({ min: 0, max: 255 }).map(String), readUpTo);

describe('a cursor', () => {
  test.prop([books])('knows of each book how far it was read, and names those that were not read not at all', (all) => {
    const entries = Object.entries(all).map(([book, upTo]) => [Number(book), upTo] as const);
    const read = Cursor.parse(String(new Cursor(new Map(entries))));
    for (let book = 0; book < 256; book++) expect(read?.of(book)).toEqual(all[book] ?? { height: 0, index: 0 });
  });

  it.each([
    ['nothing', ''],
    ['no base64url', 'v1 0.1'],
    ['another version', Buffer.from('v2 0.1').toString('base64url')],
    ['a longer version', Buffer.from('v1x').toString('base64url')],
    ['a book beyond all books', Buffer.from('v1 256.1').toString('base64url')],
    ['a book twice', Buffer.from('v1 0.1 0.2').toString('base64url')],
    ['a height that is no number', Buffer.from('v1 0.x').toString('base64url')],
    ['a negative height', Buffer.from('v1 0.-1').toString('base64url')],
    ['a padded one', `${Buffer.from('v1 0.1').toString('base64url')}=`],
  ])('is not read from %s', (_, text) => expect(Cursor.parse(text)).toBeNull());

  it('is not read from what is longer than any', () => {
    expect(Cursor.parse(Buffer.from(`v1 ${'0.1 '.repeat(5_000)}`).toString('base64url'))).toBeNull();
  });
});
