/** What is judged by columns is judged as it is decoded: whatever is wrong, and wherever, the report is the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashOfBytes } from '../../src/mongo/block-codec.ts';
import { type VerifyReport, verify } from '../../src/verification/verify.ts';
import { NOW } from './model.ts';
import { MUTATIONS } from './mutations.ts';
import { randomFrom, randomModel } from './random-model.ts';
import { StoredModel } from './stored-model.ts';

type Tamper = (blocks: Buffer[], book: number) => Buffer[];

async function reports(store: StoredModel, tamper?: Tamper): Promise<{ fast: VerifyReport; slow: VerifyReport }> {
  const options = { clock: { now: () => NOW } };
  const slow = await verify(store.port(false, tamper), options);
  const fast = await verify(store.port(true, tamper), options);
  return { fast: { ...fast, durationMs: 0 }, slow: { ...slow, durationMs: 0 } };
}

/** Changes a byte of a block; with `isRehashed` also its hash, so that only what it says can be wrong. */
function tampered(seed: number, isRehashed: boolean): Tamper {
  return (blocks, book) => {
    const random = randomFrom(seed + book);
    const bytes = blocks[random(Math.max(1, blocks.length))];
    if (bytes === undefined) return blocks;
    const at = random(bytes.length);
    // Types and lengths are small numbers: a change by little leads to others of them.
    bytes[at]! ^= random(2) === 0 ? 1 + random(255) : 1 << random(8);
    const hash = isRehashed ? hashOfBytes(bytes) : null;
    if (hash !== null && at > 160) bytes.set(hash, bytes.indexOf('\x05hash\0') + 11);
    return blocks;
  };
}

const ledgers = [fc.integer(), fc.integer({ min: 1, max: 20 })] as const;

describe('by columns as decoded', () => {
  test('a sound ledger, most of it by columns', async () => {
    const counts = { scanned: 0, same: 0 };
    await fc.assert(
      fc.asyncProperty(...ledgers, async (seed, groups) => {
        const store = new StoredModel(randomModel(seed, groups));
        const { fast, slow } = await reports(store);
        expect(fast).toEqual(slow);
        expect(fast.breaks.filter(({ kind }) => kind !== 'in_suspense')).toEqual([]);
        counts.scanned += store.counts.scanned;
        counts.same += store.counts.same;
      }),
      { numRuns: 60 },
    );
    expect(counts.scanned).toBeGreaterThan(300);
    expect(counts.same).toBeGreaterThan(300);
  });

  test.each(Object.entries(MUTATIONS))('%s', async (_name, mutate) => {
    await fc.assert(
      fc.asyncProperty(...ledgers, async (seed, groups) => {
        const model = randomModel(seed, groups);
        const store = new StoredModel(model);
        if (mutate(model, randomFrom(seed ^ 0x5bd1e995)) === null) return;
        const { fast, slow } = await reports(store);
        expect(fast).toEqual(slow);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['a byte of each book', false],
    ['a byte of each book, with the hash made to fit', true],
  ])('%s', async (_name, isRehashed) => {
    await fc.assert(
      fc.asyncProperty(...ledgers, async (seed, groups) => {
        const store = new StoredModel(randomModel(seed, groups));
        const { fast, slow } = await reports(store, tampered(seed, isRehashed));
        expect(fast).toEqual(slow);
      }),
      { numRuns: 300 },
    );
  });
});

test('a block that reads well by columns, and cannot be decoded, is reported', async () => {
  const model = randomModel(3, 6);
  const port = new StoredModel(model).port(true);
  const blocks: typeof port.blocks = async function* (...range) {
    for await (const raw of port.blocks(...range)) {
      yield { ...raw, audited: () => ({ height: null, unreadable: 'for no reason' }) };
    }
  };
  const { breaks } = await verify({ ...port, blocks }, { clock: { now: () => NOW } });
  for (const block of [...model.books.values()].flat()) {
    const at = { kind: 'unreadable_block', book: block.book, height: block.height };
    expect(
      breaks.filter((one) => one.kind === at.kind && one.book === at.book && one.height === at.height),
    ).toHaveLength(1);
  }
});
