import { brotliCompressSync, deflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { compress, decompress } from '../../src/queue/compression.ts';

const TEXT = '{"id": "æøå 😀"}';
const base64 = (data: Buffer) => data.toString('base64');

it.each([
  ['gzip', compress(TEXT), 'gzip'],
  ['gzip that says nothing of it', compress(TEXT), null],
  ['deflate', base64(deflateSync(TEXT)), 'deflate'],
  ['br', base64(brotliCompressSync(TEXT)), 'br'],
  ['not compressed', TEXT, null],
])('a body is read that is %s', (_, body, encoding) => {
  expect(decompress(body, encoding, 1_000)).toBe(TEXT);
});

it.each([
  ['is of another kind', compress(TEXT), 'zstd', 'content_encoding "zstd" is not known; known: gzip, deflate, br'],
  ['is of a kind that every object has', compress(TEXT), 'constructor', 'is not known'],
  ['is not what it says', TEXT, 'gzip', 'must be base64'],
  ['is cut off', compress(TEXT).slice(0, 20), 'gzip', 'gzip: '],
  ['is too large', compress('x'.repeat(1_001)), 'gzip', 'larger than 1000 bytes'],
  ['is no text', base64(deflateSync(Buffer.of(0xff, 0xfe))), 'deflate', 'deflate: '],
])('a body is not read that %s', (_, body, encoding, why) => {
  expect(() => decompress(body, encoding, 1_000)).toThrow(why);
});
