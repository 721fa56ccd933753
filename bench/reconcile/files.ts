/** Statements and the movements that they report, as large files. */

import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LedgerItem } from '../../src/matching/types.ts';
import type { StatementFormat } from '../../src/statements/reader.ts';
import { EXACT, Generator as Made, NOISY } from '../../test/matching/support/generator.ts';
import {
  type WrittenLine,
  writeCamt053,
  writeCsv,
  writeMt940,
  writePsp,
} from '../../test/statements/support/writers.ts';
import { randomFrom } from '../../test/verification/random-model.ts';

const SEED = 20_260_301;
const PART = 10_000;
export const FIRST_DAY = 20_513;
export const DAYS = 28;

export type Data = 'exact' | 'noisy';

/** The same parts each time: there is no memory for all at once. */
function* parts(count: number, data: Data): Generator<Made> {
  const random = randomFrom(SEED);
  for (let made = 0; made < count; made += PART) {
    const part = new Made(random, FIRST_DAY, DAYS, 2 * made);
    yield part.make(Math.min(PART, count - made), data === 'exact' ? EXACT : NOISY);
  }
}

/** Writes the movements as lines of JSON. */
export async function writeItems(path: string, count: number, data: Data): Promise<void> {
  const file = createWriteStream(path);
  for (const { items } of parts(count, data)) await write(file, items.map(lineOf).join(''));
  file.end();
  await once(file, 'close');
}

function lineOf(item: LedgerItem): string {
  return `${JSON.stringify({ ...item, amount: String(item.amount) })}\n`;
}

async function write(file: WriteStream, text: string): Promise<void> {
  if (!file.write(text)) await once(file, 'drain');
}

export async function writeStatement(path: string, count: number, data: Data, format: StatementFormat): Promise<void> {
  const lines = { [Symbol.iterator]: () => linesOf(count, data, format) };
  const writers = { camt053: writeCamt053, mt940: writeMt940, csv: writeCsv, psp: writePsp };
  await pipeline(Readable.from(chunked(writers[format](lines))), createWriteStream(path));
}

function* linesOf(count: number, data: Data, format: StatementFormat): Generator<WrittenLine> {
  const isPaidOut = format === 'psp';
  let number = 0;
  for (const { lines } of parts(count, data)) {
    for (const made of lines) {
      // MT940 says what moved, and has no place for what was taken off it.
      const line = format === 'mt940' ? { ...made, amount: made.amount - made.fee, fee: 0n } : made;
      // One of the default columns of a settlement report, which needs a reference for each payment.
      const batch = isPaidOut ? `po_${Math.floor(number++ / 100)}` : line.batch;
      if (!isPaidOut || line.references.length > 0) yield { ...line, batch };
    }
  }
}

function* chunked(pieces: Iterable<string>): Generator<string> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < 65_536) continue;
    yield text;
    text = '';
  }
  yield text;
}
