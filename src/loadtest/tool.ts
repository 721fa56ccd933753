/** `kvitt loadtest`. Answers go to standard output, all else to standard error. */
import { Command } from 'commander';
import { type CapacityResult, findCapacity } from './capacity.ts';
import { Live } from './live.ts';
import { peakOf, scaled, secondsOf } from './profile.ts';
import { renderRunText } from './report-text.ts';
import type { RunResult } from './result.ts';
import { machine, Run, type RunOptions } from './run.ts';
import { operationOf, type Scenario } from './scenario.ts';
import { findScenario, SCENARIOS } from './scenarios.ts';
import { addExport, addPrepare } from './tool-export.ts';
import {
  type LoadFlags,
  positive,
  share,
  type Target,
  type ToolParts,
  whole,
  withLoadFlags,
  withTarget,
} from './tool-flags.ts';
import { addCompare, addReport, print, stamp, writeJson, writeRun } from './tool-results.ts';

/** 0: it is done and as wanted. 1: money was lost or doubled, or a target missed. 2: nothing is known. 3: invalid. */
const EXIT = { ok: 0, broken: 1, unusable: 2, invalid: 3 } as const;

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
  addPrepare(tool, parts);
  addExport(tool);
  withLoadFlags(
    tool.command('run [scenario]').description('send the load of a scenario (evening unless given); see `scenarios`'),
  )
    .option('--json', 'answer as JSON')
    .action((name: string | undefined, flags: LoadFlags) => runOnce(parts, name ?? 'evening', flags));
  withLoadFlags(
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

function exitOf({ ledger, validity, counts }: RunResult): number {
  if (!ledger.ok) return EXIT.broken;
  // Then nothing was tested.
  if (counts.ok === 0) return EXIT.unusable;
  return validity.valid ? EXIT.ok : EXIT.invalid;
}
