import { createHash } from 'node:crypto';
import { fc, test } from '@fast-check/vitest';
import { BSON } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { accountHash } from '../../src/ledger/account-hash.ts';
import type { Claim } from '../../src/ledger/ports.ts';
import type { Block, Entry } from '../../src/ledger/types.ts';
import { type BlockDocument, decodeBlock, encodeBlock, hashOfBytes, indexFault } from '../../src/mongo/block-codec.ts';
import { type ClaimDocument, decodeClaim, encodeClaim } from '../../src/mongo/claim-codec.ts';
import { aPayment } from '../support/commands.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
const leg = fc.record({ account: text, amount: int64, currency: text });
const details = fc.record(
  { reference: text, description: text, metadata: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/), text) },
  { requiredKeys: [] },
);
const kind = fc.constantFrom('payment' as const, 'transaction' as const);
const posting = fc.record({ account: text, amount: int64, currency: text, posted: int64, held: int64 });
const books = fc.array(fc.nat(255), { maxLength: 4 });
const span = fc.record(
  {
    part: fc.constantFrom('debit' as const, 'credit' as const, 'reversal' as const),
    debits: books,
    credits: books,
    legs: fc.array(leg, { maxLength: 4 }),
  },
  { requiredKeys: ['part', 'debits', 'credits'] },
);
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ id: text, key: text, kind, span, postings: fc.array(posting, { maxLength: 5 }), details }),
  fc.record({ id: text, key: text, kind, postings: fc.array(posting, { maxLength: 20 }), details }),
  fc.record({
    id: text,
    key: text,
    kind: fc.constant('rejected' as const),
    postings: fc.constant([]),
    rejection: fc.record(
      {
        reason: fc.constant('expired' as const),
        kind,
        legs: fc.array(leg, { maxLength: 4 }),
        follows: text.filter((id) => id !== ''),
        home: fc.constant(true as const),
      },
      { requiredKeys: ['reason', 'kind', 'legs'] },
    ),
    details,
  }),
);
const block: fc.Arbitrary<Block> = fc.record({
  book: fc.integer({ min: 0, max: 65535 }),
  height: fc.maxSafeNat(),
  prev: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  term: fc.nat(),
  at: fc.nat(4e12),
  kind: fc.constantFrom('entries' as const, 'term' as const, 'seal' as const),
  postingsBelow: fc.nat(2 ** 48),
  entries: fc.array(entry, { maxLength: 30 }),
});

const read = <T>(bytes: Uint8Array) => BSON.deserialize(bytes, { useBigInt64: true }) as T;

describe('a block as BSON', () => {
  test.prop([block])('reads back as it was written', (block) => {
    const { bytes, hash } = encodeBlock(block);
    const { prev, hash: stored, ...rest } = decodeBlock(read<BlockDocument>(bytes));
    expect({ ...rest, prev: Uint8Array.from(prev) }).toEqual(block);
    expect(Buffer.from(stored).equals(hash)).toBe(true);
  });

  test.prop([block])('is what the driver itself would write', (block) => {
    const { bytes } = encodeBlock(block);
    const again = BSON.serialize(read<BlockDocument>(bytes));
    expect(Buffer.from(again).equals(bytes)).toBe(true);
  });

  test.prop([block, fc.nat(), fc.integer({ min: 1, max: 255 })])(
    'is not the same after any byte changed',
    (block, at, flip) => {
      const { bytes } = encodeBlock(block);
      expect(Buffer.from(hashOfBytes(bytes)!).equals(read<BlockDocument>(bytes).hash.buffer)).toBe(true);
      const damaged = Buffer.from(bytes);
      damaged[at % bytes.length]! ^= flip;
      const before = createHash('sha256').update(bytes).digest('hex');
      expect(createHash('sha256').update(damaged).digest('hex')).not.toBe(before);
      // What is stored as the hash, against what the damaged bytes give: never both the same and undamaged.
      const recomputed = hashOfBytes(damaged);
      const hashAt = Buffer.from(bytes).indexOf(Buffer.from(read<BlockDocument>(bytes).hash.buffer));
      const stored = damaged.subarray(hashAt, hashAt + 32);
      expect(recomputed !== null && Buffer.from(recomputed).equals(stored)).toBe(false);
    },
  );
});

describe('what the index finds a block by', () => {
  const posting = (account: string) => ({ account, amount: 1n, currency: 'EUR', posted: 1n, held: 0n });
  const aBlock: Block = {
    book: 0,
    height: 7,
    prev: new Uint8Array(32),
    term: 1,
    at: 0,
    kind: 'entries',
    postingsBelow: 3 * 2 ** 18 + 5,
    entries: [['a', 'b', 'a'], ['a']].map((accounts) => {
      return { id: 'i', key: 'k', kind: 'payment', postings: accounts.map(posting), details: {} };
    }),
  };
  const stored = () => read<BlockDocument>(encodeBlock(aBlock).bytes);

  it('is its era, and each of its accounts once, with the last entry that posts to it', () => {
    const touched = [accountHash('a'), accountHash('b')].map(BigInt);
    expect(stored()).toMatchObject({ era: 3, touched, lastEntry: [1, 0] });
    expect(indexFault(stored(), aBlock)).toBeNull();
  });

  it.each<[string, Partial<BlockDocument>, RegExp]>([
    ['another era', { era: 2 }, /era 3.*under 2/],
    ['an entry that is not the last', { lastEntry: [0, 0] }, /not indexed by the accounts/],
    ['an account less', { touched: [BigInt(accountHash('a'))], lastEntry: [1] }, /not indexed by the accounts/],
    ['an account more', { touched: [...stored().touched, 9n], lastEntry: [1, 0, 0] }, /not indexed by the accounts/],
    ['another account', { touched: [BigInt(accountHash('a')), 9n] }, /not indexed by the accounts/],
  ])('is a fault when it is %s', (_, change, fault) => {
    expect(indexFault({ ...stored(), ...change }, aBlock)).toMatch(fault);
  });
});

describe('a claim as BSON', () => {
  it('reads back as it was written, and as the driver would write it', () => {
    const commands = [
      aPayment('a', 'b', 5n, { details: { reference: 'r€', metadata: { order: '7' } } }),
      aPayment('c', 'd', 2n ** 62n),
    ];
    const claim: Claim = { id: 'c1', owner: 'me', at: 1_700_000_000_000, state: 'pending', commands };
    const bytes = encodeClaim(claim);
    expect(decodeClaim(read<ClaimDocument>(bytes))).toEqual(claim);
    expect(Buffer.from(BSON.serialize(read<ClaimDocument>(bytes))).equals(bytes)).toBe(true);
  });
});
