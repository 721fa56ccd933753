import { test } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor } from '../../src/events/cursor.ts';
import { NOTICES } from '../../src/events/types.ts';

const readUpTo = fc.record({ height: fc.integer({ min: 0, max: 1e12 }), index: fc.integer({ min: 0, max: 999_999 }) });
const streams = fc.dictionary(fc.integer({ min: 0, max: NOTICES }).map(String), readUpTo);

describe('a cursor', () => {
  test.prop([streams])(
    'knows of each stream how far it was read, and names those that were not read not at all',
    (all) => {
      const entries = Object.entries(all).map(([stream, upTo]) => [Number(stream), upTo] as const);
      const read = Cursor.parse(String(new Cursor(new Map(entries))));
      for (let stream = 0; stream <= NOTICES; stream++) {
        expect(read?.of(stream)).toEqual(all[stream] ?? { height: 0, index: 0 });
      }
    },
  );

  it.each([
    ['nothing', ''],
    ['no base64url', 'v1 0.1'],
    ['another version', Buffer.from('v2 0.1').toString('base64url')],
    ['a longer version', Buffer.from('v1x').toString('base64url')],
    ['a stream beyond all streams', Buffer.from('v1 257.1').toString('base64url')],
    ['a book twice', Buffer.from('v1 0.1 0.2').toString('base64url')],
    ['a height that is no number', Buffer.from('v1 0.x').toString('base64url')],
    ['a negative height', Buffer.from('v1 0.-1').toString('base64url')],
    ['a padded one', `${Buffer.from('v1 0.1').toString('base64url')}=`],
  ])('is not read from %s', (_, text) => expect(Cursor.parse(text)).toBeNull());

  it('is not read from what is longer than any', () => {
    expect(Cursor.parse(Buffer.from(`v1 ${'0.1 '.repeat(5_000)}`).toString('base64url'))).toBeNull();
  });
});
