import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { median } from './measure.ts';

const README = fileURLToPath(new URL('../README.md', import.meta.url));

/** The lines in the README between which a text stands that is written by a program. */
interface Marks {
  readonly begin: string;
  readonly end: string;
}

const BENCHMARK: Marks = { begin: '<!-- benchmark: written by `npm run bench` -->', end: '<!-- end of benchmark -->' };
export const OVERLOAD: Marks = {
  begin: '<!-- overload: written by `npm run overload` -->',
  end: '<!-- end of overload -->',
};
export const CLUSTER: Marks = {
  begin: '<!-- cluster: written by `npm run bench:cluster` -->',
  end: '<!-- end of cluster -->',
};
export const RECONCILE: Marks = {
  begin: '<!-- reconcile: written by `npm run bench:reconcile` -->',
  end: '<!-- end of reconcile -->',
};
export const LOADTEST: Marks = {
  begin: '<!-- loadtest: written by `npm run bench:loadtest` -->',
  end: '<!-- end of loadtest -->',
};
export const QUEUE: Marks = {
  begin: '<!-- queue: written by `npm run bench:queue` -->',
  end: '<!-- end of queue -->',
};
export const GROWTH: Marks = {
  begin: '<!-- growth: written by `npm run bench:growth` -->',
  end: '<!-- end of growth -->',
};

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
  return [
    `Measured on ${date}: ${machine()}, MongoDB ${mongod},`,
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
    ...ratios.map(ratioLine),
  ].join('\n');
}

export function ratioLine({ what, ratio, lowest, highest, atLeast }: Ratio): string {
  const wanted = atLeast === null ? '' : `${number(atLeast)} ${ratio >= atLeast ? 'reached' : '**missed**'}`;
  return `| ${what} | ${number(ratio)} | ${number(lowest)} – ${number(highest)} | ${wanted} |`;
}

export function ratioOf(what: string, values: readonly number[], atLeast: number | null): Ratio {
  return { what, ratio: median(values), lowest: Math.min(...values), highest: Math.max(...values), atLeast };
}

export function machine(): string {
  const cpu = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpu.length} cores (${cpu[0]?.model.trim()}), ${gib} GiB, Node ${process.versions.node}`;
}

export function number(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(0) : value.toFixed(2);
}

/** Replaces what stands between the marks in the README. */
export async function writeToReadme(text: string, { begin, end }: Marks = BENCHMARK): Promise<void> {
  const readme = await readFile(README, 'utf8');
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no lines ${begin} and ${end}`);
  await writeFile(README, `${readme.slice(0, from + begin.length)}\n\n${text}\n\n${readme.slice(to)}`);
}
