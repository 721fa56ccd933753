import { describe, expect, it } from 'vitest';
import { type PastLetter, parseHistory, writeHistory } from '../../src/queue/letter-history.ts';

const past = (n: number, changed: Partial<PastLetter> = {}): PastLetter => ({
  reason: 'too_many_receives',
  code: 'unexpected_error',
  at: new Date(1_767_225_600_000 + n).toISOString(),
  receive_count: n,
  message_id: `5fea7756-0ea4-451a-a703-a558b933e27${n % 10}`,
  sent_at: null,
  ...changed,
});

describe('the history of a dead letter', () => {
  it('is read as it was written', () => {
    const entries = [past(1), past(2, { sent_at: '2026-01-01T00:00:00.000Z' })];
    expect(parseHistory(writeHistory(entries))).toEqual(entries);
  });

  it('has ten entries at most: the newest', () => {
    const entries = Array.from({ length: 14 }, (_, n) => past(n));
    expect(parseHistory(writeHistory(entries))).toEqual(entries.slice(4));
    expect(parseHistory(JSON.stringify(entries))).toEqual(entries.slice(4));
  });

  it('has fewer when they are long, and one at least', () => {
    const long = { reason: 'r'.repeat(64), code: 'c'.repeat(64), message_id: 'm'.repeat(128) };
    const entries = Array.from({ length: 10 }, (_, n) => past(n, long));
    const text = writeHistory(entries);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(3_000);
    expect(parseHistory(text).at(-1)).toEqual(entries.at(-1));
    expect(parseHistory(text).length).toBeGreaterThan(4);
  });

  it.each([
    ['nothing', null],
    ['an empty text', ''],
    ['no JSON', '[{'],
    ['no list', JSON.stringify(past(1))],
    ['a list of something else', '["a"]'],
    ['an entry without a reason', JSON.stringify([{ ...past(1), reason: undefined }])],
    ['an entry with more than that', JSON.stringify([{ ...past(1), extra: 1 }])],
    ['a reason that commands a terminal', JSON.stringify([past(1, { reason: '\u001b[31m' })])],
    ['a time that is none', JSON.stringify([past(1, { at: 'yesterday' })])],
    ['a count that is none', JSON.stringify([past(1, { receive_count: -1 })])],
    ['more than it can be', `${JSON.stringify([past(1)])}${' '.repeat(9_000)}`],
  ])('is none when it is %s', (_, text) => {
    expect(parseHistory(text)).toEqual([]);
  });
});
