/**
 * `npm run bench:reconcile`: statements of a million lines against a million movements, parsed and matched on one core,
 * against a join by a map of references as one would write it. Writes the table in the README unless called with --dry-run.
 * Options: --lines N (1000000), --rounds N (3), --only PATTERN, --dry-run.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { StatementFormat } from '../src/statements/reader.ts';
import { median } from './measure.ts';
import { type Data, writeItems, writeStatement } from './reconcile/files.ts';
import { machine, number, RECONCILE, writeToReadme } from './report.ts';

const { values: options } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
  },
});
const [LINES, ROUNDS] = [Number(options.lines), Number(options.rounds)];
const SIDE = fileURLToPath(new URL('./reconcile/side.ts', import.meta.url));
/** One core, where the machine can say so: the garbage collector's threads would take others. */
const PINNED = spawnSync('taskset', ['-c', '0', 'true']).status === 0 ? ['taskset', '-c', '0'] : [];

interface Measured {
  readonly lines: number;
  readonly matched: number;
  readonly ms: number;
  readonly maxRssMiB: number;
}

interface Row {
  readonly what: string;
  readonly side: string;
  readonly format: StatementFormat;
  readonly data: Data;
  readonly runs: Measured[];
}

const rows: Row[] = [
  { what: 'CSV, exact references', side: 'kvitt', format: 'csv', data: 'exact', runs: [] },
  { what: 'the same, a join by a map of references', side: 'mapJoin', format: 'csv', data: 'exact', runs: [] },
  { what: 'CSV, noisy', side: 'kvitt', format: 'csv', data: 'noisy', runs: [] },
  { what: 'the same, a join by a map of references', side: 'mapJoin', format: 'csv', data: 'noisy', runs: [] },
  { what: 'settlement report, exact references', side: 'kvitt', format: 'psp', data: 'exact', runs: [] },
  { what: 'MT940, exact references', side: 'kvitt', format: 'mt940', data: 'exact', runs: [] },
  { what: 'MT940, noisy', side: 'kvitt', format: 'mt940', data: 'noisy', runs: [] },
  { what: 'camt.053, exact references', side: 'kvitt', format: 'camt053', data: 'exact', runs: [] },
  { what: 'camt.053, parsed only', side: 'parseOnly', format: 'camt053', data: 'exact', runs: [] },
  { what: 'camt.053, noisy', side: 'kvitt', format: 'camt053', data: 'noisy', runs: [] },
];
const asked = rows.filter(({ what }) => new RegExp(options.only).test(what));

const folder = await mkdtemp(join(tmpdir(), 'kvitt-bench-'));
try {
  for (const data of ['exact', 'noisy'] as const) {
    const of = asked.filter((row) => row.data === data);
    if (of.length > 0) await bench(of, data);
  }
  const text = render();
  process.stdout.write(`${text}\n`);
  if (!options['dry-run']) await writeToReadme(text, RECONCILE);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function bench(of: readonly Row[], data: Data): Promise<void> {
  const items = join(folder, `${data}.ndjson`);
  await writeItems(items, LINES, data);
  for (const format of new Set(of.map((row) => row.format))) {
    const statement = join(folder, `${data}.${format}`);
    await writeStatement(statement, LINES, data, format);
    for (let round = 0; round < ROUNDS; round++) {
      for (const row of of.filter((one) => one.format === format)) row.runs.push(await run(row, statement, items));
    }
    await rm(statement);
  }
  await rm(items);
}

async function run({ what, side, format }: Row, statement: string, items: string): Promise<Measured> {
  const command = [...PINNED, process.execPath, '--import', 'tsx', SIDE, side, format, statement, items];
  const { stdout } = await promisify(execFile)(command[0]!, command.slice(1));
  const measured = JSON.parse(stdout) as Measured;
  process.stderr.write(`${what}: ${number(perSecond(measured))} lines/s, ${measured.maxRssMiB.toFixed(0)} MiB\n`);
  return measured;
}

function perSecond({ lines, ms }: Measured): number {
  return (1_000 * lines) / ms;
}

function render(): string {
  const lines = asked.map(({ what, runs }) => {
    const { lines: count, matched } = runs[0]!;
    const share = matched === 0 ? '' : `${((100 * matched) / count).toFixed(1)} %`;
    return `| ${what} | ${number(median(runs.map(perSecond)))} | ${share} | ${median(runs.map(({ maxRssMiB }) => maxRssMiB)).toFixed(0)} |`;
  });
  const where = PINNED.length > 0 ? 'on one core of' : 'on';
  return [
    `${number(LINES)} movements in the ledger, statements of about as many lines; medians of ${ROUNDS} rounds, ${where} ${machine()}.`,
    'Time is that of reading the file and matching; memory is the most of the process, with all movements of the ledger in it.',
    '',
    '| parsed and matched | lines/s | lines matched | MiB |',
    '|---|---:|---:|---:|',
    ...lines,
  ].join('\n');
}
