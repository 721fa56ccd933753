/** One flipped byte, anywhere in a block: it is found, and named where it is. */
import { describe, expect, test } from 'vitest';
import type { Break } from '../../src/verification/breaks.ts';
import { verify } from '../../src/verification/verify.ts';
import { type Model, NOW } from './model.ts';
import { randomFrom, randomModel } from './random-model.ts';
import { StoredModel } from './stored-model.ts';

const NAMED: readonly string[] = ['hash_mismatch', 'unreadable_block'];
/** Where the number of the height stands, which is the key of the document. */
const HEIGHT_AT = 31;

/** What is found in a model when one byte of a block is another one. */
async function breaksWith(
  model: Model,
  book: number,
  index: number,
  change: (bytes: Buffer) => void,
): Promise<readonly Break[]> {
  const tamper = (blocks: Buffer[], of: number) => {
    if (of === book) change(blocks[index]!);
    return blocks;
  };
  const { breaks } = await verify(new StoredModel(model).port(true, tamper), { clock: { now: () => NOW } });
  return breaks;
}

/** A flip in the height makes it another height: then what is missing is named as well as what stands there instead. */
async function expectNamed(model: Model, book: number, index: number, at: number, flip: number): Promise<void> {
  const height = model.blocks(book)[index]!.height;
  const breaks = await breaksWith(model, book, index, (bytes) => {
    bytes[at]! ^= flip;
  });
  const named = breaks.filter((one) => one.book === book && NAMED.includes(one.kind));
  const isHeight = at >= HEIGHT_AT && at < HEIGHT_AT + 8;
  const isThere = named.some((one) => one.height === height);
  const isMissing = breaks.some((one) => one.book === book && one.kind === 'height_gap' && one.height! >= 0);
  expect({ at, flip, isFound: isThere || (isHeight && isMissing) }).toEqual({ at, flip, isFound: true });
}

describe('one flipped byte is named with its book and height', () => {
  test('every byte of some blocks', async () => {
    const model = randomModel(11, 3);
    for (const [book, blocks] of model.books) {
      const index = blocks.findIndex(({ entries }) => entries.length > 0);
      if (index < 0) continue;
      const size = new StoredModel(model).bytesOf(book)[index]!.length;
      for (let at = 0; at < size; at++) await expectNamed(model, book, index, at, 1 << (at % 8));
    }
  });

  test('any byte of many blocks, changed to any other', async () => {
    const random = randomFrom(5);
    for (let i = 0; i < 1_500; i++) {
      const model = MODELS[random(MODELS.length)]!;
      const books = [...model.books.keys()];
      const book = books[random(books.length)]!;
      const all = new StoredModel(model).bytesOf(book);
      const index = random(all.length);
      await expectNamed(model, book, index, random(all[index]!.length), 1 + random(255));
    }
  });
});

const MODELS = Array.from({ length: 20 }, (_, seed) => randomModel(seed, 4));
