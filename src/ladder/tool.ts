/** `kvitt loadtest ladder`. The answer goes to standard output, everything else to standard error. */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BALANCERS, type BalancerKind } from './balancer.ts';
import type { LadderParts } from './parts.ts';
import { LAYERS, type LadderResult } from './result.ts';
import { CONNECTIONS_MAX } from './scene.ts';
import { runLadder } from './sequence.ts';

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EXIT_INTERRUPTED = 130;

interface Flags {
  readonly seconds: number;
  readonly rounds: number;
  readonly concurrency: number;
  readonly rate?: number;
  readonly balancer: BalancerKind | 'none';
  readonly balancerConnections: number;
  readonly out: string;
  readonly json?: boolean;
}

/** What the command needs of the program around it. */
export interface ToolParts {
  /** Called when it is run. */
  ladder(): LadderParts;
  print(value: LadderResult, output: { readonly json?: boolean }, text: () => string): void;
  /** For a person. */
  text(result: LadderResult): string;
  /** Keeps it, and a page of it, in a folder. Answers where. */
  write(result: LadderResult, folder: string): Promise<readonly string[]>;
}

export function ladderCommand(parts: ToolParts): Command {
  return new Command('ladder')
    .description('measure each layer alone and all together on this machine, and name the bottleneck')
    .option('--seconds <count>', 'of each measurement', positive, 5)
    .option('--rounds <count>', 'measurements of each layer; the median counts', positive, 3)
    .option('--concurrency <count>', 'calls at once', positive, 64)
    .option('--rate <count>', 'calls a second for latencies; half of what all of it does unless given', positive)
    .addOption(
      new Option('--balancer <kind>', 'what stands in front').choices([...BALANCERS, 'none']).default('haproxy'),
    )
    .option('--balancer-connections <count>', 'connections that it has at once', positive, CONNECTIONS_MAX)
    .option('--out <folder>', 'where the report is written', 'loadtest')
    .option('--json', 'answer as JSON')
    .action((flags: Flags) => run(parts, flags));
}

async function run(parts: ToolParts, flags: Flags): Promise<void> {
  const { out, json, rate = null, balancerConnections: balancerConnectionsMax, ...options } = flags;
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-ladder-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  // What was started is ended when this process exits, which a signal alone would not make it do.
  for (const signal of INTERRUPTS) process.once(signal, interrupted);
  process.once('exit', removeFolder);
  try {
    const onProgress = (text: string) => process.stderr.write(`${text}\n`);
    const result = await runLadder(parts.ladder(), {
      ...options,
      ...{ layers: LAYERS, rate, balancerConnectionsMax, folder, onProgress },
    });
    const files = await parts.write(result, out);
    parts.print(result, json === undefined ? {} : { json }, () => parts.text(result));
    for (const file of files) process.stderr.write(`written: ${file}\n`);
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupted);
    process.off('exit', removeFolder);
    removeFolder();
  }
}

function interrupted(): void {
  process.exit(EXIT_INTERRUPTED);
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}
