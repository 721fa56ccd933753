/** `kvitt loadtest prepare` and `export`: the same scenario by other tools. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { fixedTargets, KvittClient } from '../client/index.ts';
import { EXPORT_TOOLS, type ExportTool, exportScenario } from './export.ts';
import { Live } from './live.ts';
import { populate } from './population.ts';
import { scaled } from './profile.ts';
import { findScenario } from './scenarios.ts';
import {
  positive,
  type TargetFlags,
  type ToolParts,
  whole,
  wholeNumber,
  withTarget,
  withTargetFlags,
} from './tool-flags.ts';

const RUN = /^[a-z0-9]{1,32}$/;

interface ExportFlags {
  readonly tool: ExportTool;
  readonly target: string;
  readonly run: string;
  readonly rate?: number;
  readonly seconds?: number;
  readonly connections?: number;
  readonly seed: number;
  readonly withoutQueue?: boolean;
  readonly out: string;
}

export function addPrepare(tool: Command, parts: ToolParts): void {
  withTargetFlags(tool.command('prepare <scenario> <run>'))
    .description('open and fill the accounts of a scenario under a name, for other tools')
    .action(async (name: string, run: string, flags: TargetFlags) => {
      if (!RUN.test(run)) throw new Error('The name is 1 to 32 lower-case letters and digits.');
      const scenario = await findScenario(name);
      await withTarget(parts, flags, async ({ addresses, apiKey }) => {
        const line = new Live(process.stderr);
        const client = new KvittClient({ targets: fixedTargets(addresses), apiKey });
        await populate(client, { run, scenario }, (progress) => line.population(progress));
        line.end();
      });
    });
}

export function addExport(tool: Command): void {
  tool
    .command('export <scenario>')
    .description('write a scenario for another tool; `prepare` opens its accounts')
    .addOption(new Option('--tool <tool>', 'for which').choices(EXPORT_TOOLS).makeOptionMandatory())
    .requiredOption('--target <url>', 'where the service, or its balancer, is')
    .requiredOption('--run <name>', 'as it was prepared')
    .option('--rate <rate>', 'highest rate of the profile, journeys a second; or users, when it is closed', positive)
    .option('--seconds <seconds>', 'how long the profile takes', positive)
    .option('--connections <count>', 'calls that may be unanswered at once; by the rate unless given', whole)
    .option('--seed <seed>', 'the same seed, the same users', wholeNumber, 1)
    .option('--without-queue', 'leave out journeys that send to the queue, which no other tool can')
    .option('--out <folder>', 'where the files are written', '.')
    .action(runExport);
}

async function runExport(name: string, { tool, out, connections, withoutQueue, ...flags }: ExportFlags): Promise<void> {
  const scenario = scaled(await findScenario(name), flags);
  const files = exportScenario(scenario, tool, {
    ...{ target: flags.target, run: flags.run, seed: flags.seed, withoutQueue: withoutQueue === true },
    ...(connections === undefined ? {} : { connections }),
  });
  await mkdir(out, { recursive: true });
  for (const { name: file, text } of files) {
    await writeFile(join(out, file), text);
    process.stdout.write(`${join(out, file)}\n`);
  }
}
