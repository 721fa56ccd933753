import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const README = fileURLToPath(new URL('../README.md', import.meta.url));
const BEGIN = '<!-- benchmark: written by `npm run bench` -->';
const END = '<!-- end of benchmark -->';

export interface Row {
  readonly side: string;
  readonly load: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Ratio {
  readonly what: string;
  readonly ratio: number;
  readonly lowest: number;
  readonly highest: number;
  readonly atLeast: number | null;
}

export interface Versions {
  readonly mongod: string;
  readonly date: string;
  readonly rounds: number;
  readonly seconds: number;
}

export function render(
  rows: readonly Row[],
  ratios: readonly Ratio[],
  { mongod, date, rounds, seconds }: Versions,
): string {
  const cpu = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return [
    `Measured on ${date}: ${cpu.length} cores (${cpu[0]?.model.trim()}), ${gib} GiB, Node ${process.versions.node}, MongoDB ${mongod},`,
    `three members on the same machine as the callers, every write \`w: majority, j: true\`. Medians of ${rounds} rounds of`,
    `${seconds} s, all sides in turn in every round.`,
    '',
    '| way | load | transfers/s | p50 ms | p99 ms |',
    '|---|---|---:|---:|---:|',
    ...rows.map(
      ({ side, load, perSecond, p50Ms, p99Ms }) =>
        `| ${side} | ${load} | ${Math.round(perSecond).toLocaleString('en')} | ${p50Ms.toFixed(1)} | ${p99Ms.toFixed(1)} |`,
    ),
    '',
    '| figure, ratios pair by pair | median | lowest – highest | wanted |',
    '|---|---:|---:|---:|',
    ...ratios.map(
      ({ what, ratio, lowest, highest, atLeast }) =>
        `| ${what} | ${number(ratio)} | ${number(lowest)} – ${number(highest)} | ${atLeast === null ? '' : `${number(atLeast)} ${ratio >= atLeast ? 'reached' : '**missed**'}`} |`,
    ),
  ].join('\n');
}

function number(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(0) : value.toFixed(2);
}

/** Replaces what stands between the marks in the README. */
export async function writeToReadme(text: string): Promise<void> {
  const readme = await readFile(README, 'utf8');
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error(`README.md has no lines ${BEGIN} and ${END}`);
  await writeFile(README, `${readme.slice(0, from + BEGIN.length)}\n\n${text}\n\n${readme.slice(to)}`);
}
