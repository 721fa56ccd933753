/** Other tools for load tests, run with what was exported for them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type ExportedFile, type ExportTool, exportScenario } from '../../../src/loadtest/export.ts';
import type { Scenario } from '../../../src/loadtest/scenario.ts';
import { jmeterCommand } from './jmeter.ts';

const RUN_MS_MAX = 90_000;

export interface Aim {
  readonly target: string;
  readonly run: string;
  readonly seed: number;
  readonly connections?: number;
  readonly key: string;
}

/** What the tool says of itself. */
export interface ToolReport {
  readonly answered: number;
  readonly failed: number;
}

export function isOnPath(command: string): boolean {
  return process.env.PATH!.split(delimiter).some((folder) => existsSync(join(folder, command)));
}

/** Runs a scenario with the tool to its end. */
export async function runTool(tool: ExportTool, scenario: Scenario, aim: Aim): Promise<ToolReport> {
  const files = exportScenario(scenario, tool, aim);
  const folder = await mkdtemp(join(tmpdir(), `kvitt-${tool}-`));
  try {
    for (const { name, text } of files) await writeFile(join(folder, name), text);
    return await RUNS[tool](files[0]!, folder, aim.key);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const RUNS: Record<ExportTool, (file: ExportedFile, folder: string, key: string) => Promise<ToolReport>> = {
  async wrk(file, folder, key) {
    const command = shownCommand(file, 'wrk ');
    const said = await run('wrk', command, folder, key);
    const [, answered, failed] = /(\d+) answered, (\d+) failed/.exec(said)!;
    return { answered: Number(answered), failed: Number(failed) };
  },
  async jmeter(file, folder, key) {
    const command = shownCommand(file, 'jmeter ').map((word) => (word === '-Jkey=...' ? `-Jkey=${key}` : word));
    await run('java', [...(await jmeterCommand(folder)), ...command], folder, key);
    const results = (await readFile(join(folder, command[command.indexOf('-l') + 1]!), 'utf8')).trim().split('\n');
    const calls = results.filter((line) => /^\d+,/.test(line));
    return { answered: calls.length, failed: calls.filter((line) => !line.includes(',true,')).length };
  },
  async k6(file, folder, key) {
    const command = shownCommand(file, 'k6 ');
    await run('k6', [...command, '--summary-export', 'summary.json', '--quiet', '--no-thresholds'], folder, key);
    const { metrics } = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));
    return { answered: metrics.http_reqs.count, failed: metrics.checks.fails };
  },
};

/** The arguments of the command that stands at the top of the file. */
function shownCommand({ text }: ExportedFile, start: string): string[] {
  const line = text.split('\n').find((words) => words.includes(`    ${start}`) || words.includes(`... ${start}`))!;
  return line
    .slice(line.indexOf(start) + start.length)
    .trim()
    .split(' ');
}

async function run(command: string, args: readonly string[], folder: string, key: string): Promise<string> {
  const env = { ...process.env, KVITT_API_KEY: key };
  const limits = { timeout: RUN_MS_MAX, killSignal: 'SIGKILL', maxBuffer: 1 << 24 } as const;
  return (await promisify(execFile)(command, args, { cwd: folder, env, ...limits })).stdout;
}
