/**
 * One side of `npm run bench:reconcile`, in a process of its own and as it is installed, without a compiler in its memory:
 * `side.mjs <side> <format> <statement> <items>`. Prints one line of JSON.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { keepHeapSmall } from '../../dist/src/commands/heap.js';
import { Comparison } from '../../dist/src/matching/comparison.js';
import { DEFAULT_CSV_MAPPING } from '../../dist/src/statements/mapping.js';
import { statementReader } from '../../dist/src/statements/reader.js';

const [side, format, statement, items, firstDay, days] = process.argv.slice(2);
keepHeapSmall();

/** Of a noisy statement some lines bear no reference. */
const mapping = format === 'csv' ? { ...DEFAULT_CSV_MAPPING, referenceRequired: false } : undefined;

/** The movements in the ledger. */
async function* ledger() {
  for await (const line of createInterface({ input: createReadStream(items), crlfDelay: Number.POSITIVE_INFINITY })) {
    const item = JSON.parse(line);
    yield { ...item, amount: BigInt(item.amount) };
  }
}

function batches() {
  return statementReader(format, { mapping }).read(createReadStream(statement));
}

/** Each side answers the lines, how many of them are matched, and the ms of reading the file and matching. */
const SIDES = {
  async kvitt() {
    const [from, to] = [Number(firstDay), Number(firstDay) + Number(days) + 7];
    const comparison = new Comparison({ windowDays: 1, timingDays: 2, from, to });
    for await (const item of ledger()) comparison.addItem(item);
    const began = performance.now();
    for await (const batch of batches()) for (const line of batch) comparison.addLine(line);
    const { lines, matchedLines } = comparison.match();
    return { lines, matched: matchedLines, ms: performance.now() - began };
  },

  async parseOnly() {
    const began = performance.now();
    let lines = 0;
    for await (const batch of batches()) lines += batch.length;
    return { lines, matched: 0, ms: performance.now() - began };
  },

  /** As one would write it in an afternoon: a map of the ledger by reference, and a loop over the lines; CSV only. */
  async mapJoin() {
    const byReference = new Map();
    for await (const item of ledger()) {
      const known = byReference.get(item.reference);
      if (known) known.push(item);
      else byReference.set(item.reference, [item]);
    }
    const began = performance.now();
    let [lines, matched] = [0, 0];
    for await (const row of createReadStream(statement).pipe(parse({ columns: true }))) {
      lines++;
      const amount = BigInt(row.amount.replace('.', ''));
      const candidates = byReference.get(row.reference) ?? [];
      const at = candidates.findIndex((item) => item.amount === amount && item.currency === row.currency);
      if (at < 0) continue;
      candidates.splice(at, 1);
      matched++;
    }
    return { lines, matched, ms: performance.now() - began };
  },
};

const timed = await SIDES[side]();
const maxRssMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(`${JSON.stringify({ ...timed, maxRssMiB })}\n`);
