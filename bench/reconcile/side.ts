/**
 * One side of `npm run bench:reconcile`, in a process of its own: `side.ts <side> <format> <statement> <items>`. Prints one
 * line of JSON.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { Comparison } from '../../src/matching/comparison.ts';
import type { LedgerItem } from '../../src/matching/types.ts';
import { DEFAULT_CSV_MAPPING } from '../../src/statements/mapping.ts';
import { type StatementFormat, statementReader } from '../../src/statements/reader.ts';
import { DAYS, FIRST_DAY } from './files.ts';

const [side, format, statement, items] = process.argv.slice(2) as [string, StatementFormat, string, string];

/** ms of parsing and matching, without reading the ledger's side. */
interface Timed {
  readonly lines: number;
  readonly matched: number;
  readonly ms: number;
}

/** Of a noisy statement some lines bear no reference. */
const mapping = format === 'csv' ? { ...DEFAULT_CSV_MAPPING, referenceRequired: false } : undefined;

async function* ledger(): AsyncGenerator<LedgerItem> {
  for await (const line of createInterface({ input: createReadStream(items), crlfDelay: Number.POSITIVE_INFINITY })) {
    const item = JSON.parse(line) as LedgerItem;
    yield { ...item, amount: BigInt(item.amount) };
  }
}

async function kvitt(): Promise<Timed> {
  const comparison = new Comparison({ windowDays: 1, timingDays: 2, from: FIRST_DAY, to: FIRST_DAY + DAYS + 7 });
  for await (const item of ledger()) comparison.addItem(item);
  const began = performance.now();
  for await (const batch of statementReader(format, { mapping }).read(
    createReadStream(statement, { highWaterMark: 1 << 16 }),
  )) {
    for (const line of batch) comparison.addLine(line);
  }
  const { lines, matchedLines } = comparison.match();
  return { lines, matched: matchedLines, ms: performance.now() - began };
}

async function parseOnly(): Promise<Timed> {
  const began = performance.now();
  let lines = 0;
  for await (const batch of statementReader(format, { mapping }).read(createReadStream(statement)))
    lines += batch.length;
  return { lines, matched: 0, ms: performance.now() - began };
}

/** As one would write it in an afternoon: a map of the ledger by reference, and a loop over the lines; CSV only. */
async function mapJoin(): Promise<Timed> {
  const byReference = new Map<string, LedgerItem[]>();
  for await (const item of ledger()) {
    const known = byReference.get(item.reference ?? '');
    if (known) known.push(item);
    else byReference.set(item.reference ?? '', [item]);
  }
  const began = performance.now();
  let [lines, matched] = [0, 0];
  const rows = createReadStream(statement).pipe(parse({ columns: true }));
  for await (const row of rows as AsyncIterable<Record<string, string>>) {
    lines++;
    const amount = BigInt(row.amount!.replace('.', ''));
    const candidates = byReference.get(row.reference!) ?? [];
    const at = candidates.findIndex((item) => item.amount === amount && item.currency === row.currency);
    if (at < 0) continue;
    candidates.splice(at, 1);
    matched++;
  }
  return { lines, matched, ms: performance.now() - began };
}

const SIDES: Readonly<Record<string, () => Promise<Timed>>> = { kvitt, parseOnly, mapJoin };
const timed = await SIDES[side]!();
const maxRssMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(`${JSON.stringify({ ...timed, maxRssMiB })}\n`);
