/** `kvitt loadtest`. Answers go to standard output, all else to standard error. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { fixedTargets, KvittClient } from '../client/index.ts';
import type { LadderResult } from '../ladder/result.ts';
import { type CapacityResult, findCapacity } from './capacity.ts';
import { compareRuns } from './compare.ts';
import { Live } from './live.ts';
import { populate } from './population.ts';
import { peakOf, scaled, secondsOf } from './profile.ts';
import type { QueueTarget } from './queue-sender.ts';
import { renderComparisonHtml, renderLadderHtml, renderRunHtml } from './report-html.ts';
import { renderComparisonText, renderRunText } from './report-text.ts';
import type { Sampler } from './resources.ts';
import type { RunResult } from './result.ts';
import { machine, Run, type RunOptions } from './run.ts';
import { operationOf, type Scenario } from './scenario.ts';
import { findScenario, SCENARIOS } from './scenarios.ts';

/** 0: it is done and as wanted. 1: money was lost or doubled, or a target missed. 2: nothing is known. 3: invalid. */
const EXIT = { ok: 0, broken: 1, unusable: 2, invalid: 3 } as const;
const CORES_A_PROCESS = 2;

/** What is tested. */
interface Target {
  readonly addresses: readonly string[];
  readonly apiKey: string;
  /** null: none is known. */
  readonly queue: QueueTarget | null;
  /** What is read while it is loaded, besides the metrics of its instances. */
  readonly samplers: readonly Sampler[];
}

/** A service that was started for a load test. */
export interface LocalTarget extends Target {
  close(): Promise<void>;
}

/** What the commands need of the program around them. */
export interface ToolParts {
  startLocal(): Promise<LocalTarget>;
  readonly env: Readonly<Record<string, string | undefined>>;
  table(head: readonly string[], rows: readonly (readonly string[])[], align: string): string;
}

interface TargetFlags {
  readonly target?: readonly string[];
  readonly local?: boolean;
  readonly instance?: readonly string[];
  readonly apiKeyFile?: string;
  readonly queueUrl?: string;
  readonly queueEndpoint?: string;
  readonly queueRegion?: string;
}

interface LoadFlags extends TargetFlags {
  readonly rate?: number;
  readonly seconds?: number;
  readonly processes: number;
  readonly outstanding?: number;
  readonly timeoutMs?: number;
  readonly seed?: number;
  readonly label?: string;
  readonly out: string;
  readonly json?: boolean;
}

interface CapacityFlags extends LoadFlags {
  readonly p99Ms: number;
  readonly errors: number;
  readonly max: number;
  readonly tolerance: number;
  readonly searches: number;
  readonly warmUp: number;
}

export function loadTestCommand(parts: ToolParts): Command {
  const tool = new Command('loadtest').description('load a service as its users would, and look that no money is lost');
  tool.exitOverride();
  addScenarios(tool, parts);
  load(
    tool.command('run [scenario]').description('send the load of a scenario (evening unless given); see `scenarios`'),
  )
    .option('--json', 'answer as JSON')
    .action((name: string | undefined, flags: LoadFlags) => runOnce(parts, name ?? 'evening', flags));
  load(
    tool
      .command('capacity [scenario]')
      .description('find the highest rate that meets a target (payments unless given)'),
  )
    .option('--p99-ms <ms>', 'of all calls, from when they were due', positive, 100)
    .option('--errors <share>', 'of all calls, at most', share, 0.001)
    .option('--max <rate>', 'not beyond so many journeys a second', positive, 100_000)
    .option('--tolerance <share>', 'how exactly the rate is to be found', share, 0.05)
    .option('--searches <count>', 'how often, for an interval', whole, 3)
    .option('--warm-up <seconds>', 'of each run that do not count', positive, 2)
    .option('--json', 'answer as JSON')
    .action((name: string | undefined, flags: CapacityFlags) => runCapacity(parts, name ?? 'payments', flags));
  addCompare(tool);
  addReport(tool);
  return tool;
}

function addCompare(tool: Command): void {
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

function addReport(tool: Command): void {
  tool
    .command('report <file>')
    .description('the page of a result, on standard output, by this version of the program')
    .action(async (file: string) => {
      const result = await readResult(file);
      process.stdout.write(result.object === 'ladder' ? renderLadderHtml(result) : renderRunHtml(result));
    });
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

function addScenarios(tool: Command, parts: ToolParts): void {
  tool
    .command('scenarios')
    .description('the scenarios that come with it')
    .option('--json', 'answer as JSON, as a file of your own may begin')
    .action((flags: { json?: boolean }) => {
      const rows = SCENARIOS.map(({ name, description, profile }) => [
        ...[name, profile.kind, `${Math.round(secondsOf(profile))} s`],
        ...[profile.kind === 'closed' ? `${profile.users} users` : `${peakOf(profile)}/s`, description],
      ]);
      print(SCENARIOS, flags, () => parts.table(['name', 'profile', 'time', 'peak', 'what it is'], rows, 'llrrl'));
    });
  target(tool.command('prepare <scenario> <run>'))
    .description('open and fill the accounts of a scenario under a name, for other tools')
    .action(async (name: string, run: string, flags: TargetFlags) => {
      if (!/^[a-z0-9]{1,32}$/.test(run)) throw new Error('The name is 1 to 32 lower-case letters and digits.');
      const scenario = await findScenario(name);
      await withTarget(parts, flags, async ({ addresses, apiKey }) => {
        const line = new Live(process.stderr);
        const client = new KvittClient({ targets: fixedTargets(addresses), apiKey });
        await populate(client, { run, scenario }, (progress) => line.population(progress));
        line.end();
      });
    });
}

function target(command: Command): Command {
  return command
    .option('--target <url>', 'where the service, or its balancer, is; may be given several times', several)
    .option('--local', 'start a service on this machine for it, with a MongoDB of three members and a queue')
    .option('--instance <url>', 'an instance whose metrics are read; those of --target unless given', several)
    .option('--api-key-file <file>', 'the API key; else KVITT_API_KEY')
    .option('--queue-url <url>', 'the SQS queue of events')
    .option('--queue-endpoint <url>', 'of an SQS-compatible server')
    .option('--queue-region <region>', 'of the queue');
}

function load(command: Command): Command {
  return target(command)
    .option('--rate <rate>', 'highest rate of the profile, journeys a second; or users, when it is closed', positive)
    .option('--seconds <seconds>', 'how long the profile takes', positive)
    .option('--processes <count>', 'generator processes', whole, Math.ceil(availableParallelism() / CORES_A_PROCESS))
    .option('--outstanding <calls>', 'unanswered at once, at most; more are held back', whole)
    .option('--timeout-ms <ms>', 'of one call', whole)
    .option('--seed <seed>', 'the same seed, the same users', wholeNumber)
    .option('--label <text>', 'what this run is of, for reports')
    .option('--out <folder>', 'where the report is written', 'loadtest');
}

async function runOnce(parts: ToolParts, name: string, flags: LoadFlags): Promise<void> {
  const scenario = scaled(await findScenario(name), flags);
  await withTarget(parts, flags, async (at) => {
    const result = await carryOut(scenario, at, flags, new Live(process.stderr));
    const files = await writeRun(flags.out, result);
    print(result, flags, () => renderRunText(result));
    for (const file of files) process.stderr.write(`written: ${file}\n`);
    process.exitCode = exitOf(result);
  });
}

async function runCapacity(parts: ToolParts, name: string, flags: CapacityFlags): Promise<void> {
  const scenario = await findScenario(name);
  if (scenario.profile.kind === 'closed') throw new Error('A closed profile has no rate to search for.');
  const { profile } = scenario;
  const plan = {
    target: { p99Ms: flags.p99Ms, errorShare: flags.errors },
    from: flags.rate ?? peakOf(profile),
    ...{ max: flags.max, tolerance: flags.tolerance, searches: flags.searches, warmUpSeconds: flags.warmUp },
  };
  const startedAt = new Date().toISOString();
  await withTarget(parts, flags, async (at) => {
    const line = new Live(process.stderr);
    const found = await findCapacity(plan, async (rate) => {
      const { seconds } = flags;
      const result = await carryOut(scaled(scenario, { rate, ...(seconds ? { seconds } : {}) }), at, flags, line);
      const p99 = result.latencyMs?.p99.toFixed(1) ?? 'none';
      line.say(`${rate.toFixed(0)} journeys/s: p99 ${p99} ms, errors ${(100 * result.errorShare).toFixed(2)} %`);
      return result;
    });
    const about = { startedAt, scenario: scenario.name, plan, machine: machine() };
    const result: CapacityResult = { object: 'capacity', version: 1, ...about, ...found };
    const file = await writeJson(flags.out, `capacity-${scenario.name}-${stamp(startedAt)}.json`, result);
    print(result, flags, () => `${result.rate} ${result.callsPerSecond}\n`);
    process.stderr.write(`written: ${file}\n`);
    process.exitCode = result.ledgerOk ? EXIT.ok : EXIT.broken;
  });
}

async function carryOut(
  scenario: Scenario,
  { addresses, apiKey, queue, samplers }: Target,
  flags: LoadFlags,
  line: Live,
): Promise<RunResult> {
  const needsQueue = scenario.journeys.some(({ steps }) => steps.some((step) => operationOf(step) === 'queue_buy'));
  const options: RunOptions = {
    ...{ scenario, addresses, apiKey, samplers, queue: needsQueue ? queue : null, processes: flags.processes },
    ...(flags.outstanding === undefined ? {} : { outstandingMax: flags.outstanding }),
    ...(flags.timeoutMs === undefined ? {} : { timeoutMs: flags.timeoutMs }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.instance === undefined ? {} : { instances: flags.instance }),
    label: flags.label ?? null,
  };
  const run = new Run(options, {
    onPopulation: (progress) => line.population(progress),
    onSecond: (second, of) => line.second(second, of),
    onPhase: (phase, left) => line.phase(phase, left),
    onCheck: (progress) => line.check(progress),
  });
  let interrupts = 0;
  const interrupt = () => {
    // The second time by force: nothing is compared then.
    if (++interrupts > 1) process.exit(EXIT.unusable);
    line.say('Ending; what was sent is still compared with the ledger. Once more ends it at once.');
    run.stop();
  };
  process.on('SIGINT', interrupt);
  try {
    return await run.carryOut();
  } finally {
    process.off('SIGINT', interrupt);
    line.end();
  }
}

async function withTarget(
  parts: ToolParts,
  flags: TargetFlags,
  work: (target: Target) => Promise<void>,
): Promise<void> {
  if (flags.local && flags.target) throw new Error('Give either --local or --target.');
  if (flags.local) {
    process.stderr.write('starting MongoDB, a queue and a service on this machine ...\n');
    const local = await parts.startLocal();
    try {
      await work(local);
    } finally {
      await local.close();
    }
    return;
  }
  if (!flags.target) throw new Error('Give --target with the address of a service, or --local to have one started.');
  const addresses = flags.target.map(addressOf);
  await work({ addresses, apiKey: await keyOf(parts, flags), queue: queueOf(flags), samplers: [] });
}

function addressOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/') {
    throw new Error(`${text} is no address of a service: give it as http://host:port`);
  }
  return url.origin;
}

async function keyOf({ env }: ToolParts, { apiKeyFile }: TargetFlags): Promise<string> {
  const key = apiKeyFile === undefined ? env.KVITT_API_KEY : (await readFile(apiKeyFile, 'utf8')).trim();
  if (!key) throw new Error('Set KVITT_API_KEY to an API key of the service, or give --api-key-file.');
  return key;
}

function queueOf({ queueUrl, queueEndpoint, queueRegion }: TargetFlags): QueueTarget | null {
  if (queueUrl === undefined) return null;
  return { url: queueUrl, endpoint: queueEndpoint ?? null, region: queueRegion ?? null };
}

function exitOf({ ledger, validity }: RunResult): number {
  if (!ledger.ok) return EXIT.broken;
  return validity.valid ? EXIT.ok : EXIT.invalid;
}

/** As it is in the files, which these commands read again. */
function print(value: unknown, { json }: { readonly json?: boolean }, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : text());
}

/** Of a time, as part of a file's name. */
function stamp(time: string): string {
  return time.slice(0, 19).replaceAll(/[:T]/g, '-');
}

/** Answers where the files are. */
async function writeRun(folder: string, result: RunResult): Promise<string[]> {
  const name = `${result.scenario.name}-${stamp(result.startedAt)}`;
  const page = join(folder, `${name}.html`);
  const json = await writeJson(folder, `${name}.json`, result);
  await writeFile(page, renderRunHtml(result));
  return [json, page];
}

async function writeJson(folder: string, name: string, value: unknown): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, name);
  await writeFile(file, `${JSON.stringify(value)}\n`);
  return file;
}

function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function positive(text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}(?:\.\d{1,6})?$/.test(text) || value <= 0)
    throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function zeroOr(text: string): number {
  return text === '0' ? 0 : positive(text);
}

function whole(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function share(text: string): number {
  const value = Number(text);
  if (!/^(?:0|0?\.\d{1,9}|1)$/.test(text)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}
