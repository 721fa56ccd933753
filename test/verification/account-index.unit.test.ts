import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { accountHash, accountHashOfBytes } from '../../src/ledger/account-hash.ts';
import { AccountIndex } from '../../src/verification/account-index.ts';

const ids = fc.uniqueArray(fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'binary', maxLength: 30 })), {
  maxLength: 3_000,
  size: 'max',
});

test.prop([ids, fc.string({ unit: 'binary' })], { numRuns: 30 })(
  'numbers ids, and finds them as texts and as bytes',
  (all, other) => {
    const index = new AccountIndex();
    for (const [slot, id] of all.entries()) {
      expect(index.find(id)).toBe(-1);
      expect(index.add(id)).toBe(slot);
    }
    expect(index.size).toBe(all.length);
    for (const [slot, id] of all.entries()) {
      expect([index.find(id), index.id(slot)]).toEqual([slot, id]);
      const bytes = Buffer.from(`<${id}>`, 'latin1');
      const hash = accountHashOfBytes(bytes, 1, 1 + id.length);
      if (/^[\0-\x7f]*$/.test(id)) expect(index.findBytes(bytes, 1, 1 + id.length, hash)).toBe(slot);
    }
    if (!all.includes(other)) expect(index.find(other)).toBe(-1);
  },
);

test.prop([fc.string({ maxLength: 60 })])('an id has the same hash as bytes', (id) => {
  const bytes = Buffer.from(`before${id}behind`);
  expect(accountHashOfBytes(bytes, 6, 6 + id.length)).toBe(accountHash(id));
});

test('bytes that are not plain ASCII have none', () => {
  expect(accountHashOfBytes(Buffer.from('Käse'), 0, 5)).toBe(-1);
});
