/** `kvitt loadtest compare` and `report`, and the files that results are kept in. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { LadderResult } from '../ladder/result.ts';
import { compareRuns } from './compare.ts';
import { renderComparisonHtml, renderLadderHtml, renderRunHtml } from './report-html.ts';
import { renderComparisonText } from './report-text.ts';
import type { RunResult } from './result.ts';
import { zeroOr } from './tool-flags.ts';

export function addCompare(tool: Command): void {
  tool
    .command('compare [before] [after]')
    .description('say what differs between results, and whether that is more than chance')
    .option(
      '--before <files...>',
      'several of one side; with three and more, what differs from run to run counts as chance',
    )
    .option('--after <files...>', 'several of the other')
    .option('--warm-up <seconds>', 'of each that do not count', zeroOr, 5)
    .option('--force', 'also when scenarios, rates or machines differ')
    .option('--html <file>', 'write a page with pictures')
    .option('--json', 'answer as JSON')
    .action(runCompare);
}

async function runCompare(
  one: string | undefined,
  other: string | undefined,
  flags: { before?: string[]; after?: string[]; warmUp: number; force?: boolean; html?: string; json?: boolean },
): Promise<void> {
  const before = [...(one === undefined ? [] : [one]), ...(flags.before ?? [])];
  const after = [...(other === undefined ? [] : [other]), ...(flags.after ?? [])];
  if (before.length === 0 || after.length === 0)
    throw new Error('Give results of both sides: compare before.json after.json');
  const [left, right] = await Promise.all([before, after].map((files) => Promise.all(files.map(readRun))));
  const options = { force: flags.force === true, warmupSeconds: flags.warmUp };
  const comparison = compareRuns(left!, right!, options);
  if (flags.html !== undefined) await writeFile(flags.html, renderComparisonHtml(comparison));
  print(comparison, flags, () => renderComparisonText(comparison));
}

interface ReportFlags {
  readonly before?: readonly string[];
  readonly ladder?: string;
  readonly force?: boolean;
}

export function addReport(tool: Command): void {
  tool
    .command('report <file>')
    .description('the page of a result, on standard output, by this version of the program')
    .option('--before <files...>', 'results that it is compared with')
    .option('--ladder <file>', 'a ladder that is shown with it')
    .option('--force', 'compare also when scenarios, rates or machines differ')
    .action(async (file: string, flags: ReportFlags) => {
      const result = await readResult(file);
      process.stdout.write(result.object === 'ladder' ? renderLadderHtml(result) : await pageOf(result, flags));
    });
}

async function pageOf(run: RunResult, { before, ladder, force }: ReportFlags): Promise<string> {
  const runs = before && (await Promise.all(before.map(readRun)));
  return renderRunHtml(run, {
    ...(runs && { comparison: compareRuns(runs, [run], { force: force === true }) }),
    ...(ladder !== undefined && { ladder: await readLadder(ladder) }),
  });
}

async function readLadder(file: string): Promise<LadderResult> {
  const result = await readResult(file);
  if (result.object !== 'ladder') throw new Error(`${file} is the result of a load test and not of a ladder.`);
  return result;
}

async function readRun(file: string): Promise<RunResult> {
  const result = await readResult(file);
  if (result.object !== 'load_test') throw new Error(`${file} is the result of a ladder and not of a load test.`);
  return result;
}

async function readResult(file: string): Promise<RunResult | LadderResult> {
  const text = await readFile(file, 'utf8');
  let result: { object?: unknown; version?: unknown } | null = null;
  try {
    result = JSON.parse(text);
  } catch {
    // Said below.
  }
  const isKnown = (result?.object === 'load_test' || result?.object === 'ladder') && result.version === 1;
  if (!isKnown) throw new Error(`${file} is no result of kvitt loadtest: give the JSON file that it wrote.`);
  return result as RunResult | LadderResult;
}

/** As it is in the files, which these commands read again. */
export function print(value: unknown, { json }: { readonly json?: boolean }, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : text());
}

/** Of a time, as part of a file's name. */
export function stamp(time: string): string {
  return time.slice(0, 19).replaceAll(/[:T]/g, '-');
}

/** Answers where the files are. */
export async function writeRun(folder: string, result: RunResult): Promise<string[]> {
  const name = `${result.scenario.name}-${stamp(result.startedAt)}`;
  const page = join(folder, `${name}.html`);
  const json = await writeJson(folder, `${name}.json`, result);
  await writeFile(page, renderRunHtml(result));
  return [json, page];
}

/** Answers where the files are. */
export async function writeLadder(result: LadderResult, folder: string): Promise<string[]> {
  const name = `ladder-${stamp(result.startedAt)}`;
  const page = join(folder, `${name}.html`);
  const json = await writeJson(folder, `${name}.json`, result);
  await writeFile(page, renderLadderHtml(result));
  return [json, page];
}

export async function writeJson(folder: string, name: string, value: unknown): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, name);
  await writeFile(file, `${JSON.stringify(value)}\n`);
  return file;
}
