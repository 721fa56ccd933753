/** What the commands of load tests are told: options, the target, numbers. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { QueueTarget } from './queue-sender.ts';
import type { Sampler } from './resources.ts';

const CORES_A_PROCESS = 2;

/** What is tested. */
export interface Target {
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

export interface TargetFlags {
  readonly target?: readonly string[];
  readonly local?: boolean;
  readonly instance?: readonly string[];
  readonly apiKeyFile?: string;
  readonly queueUrl?: string;
  readonly queueEndpoint?: string;
  readonly queueRegion?: string;
}

export interface LoadFlags extends TargetFlags {
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

/** The options that say what is tested. */
export function withTargetFlags(command: Command): Command {
  return command
    .option('--target <url>', 'where the service, or its balancer, is; may be given several times', several)
    .option('--local', 'start a service on this machine for it, with a MongoDB of three members and a queue')
    .option('--instance <url>', 'an instance whose metrics are read; those of --target unless given', several)
    .option('--api-key-file <file>', 'the API key; else KVITT_API_KEY')
    .option('--queue-url <url>', 'the SQS queue of events')
    .option('--queue-endpoint <url>', 'of an SQS-compatible server')
    .option('--queue-region <region>', 'of the queue');
}

/** The same, and those of the load. */
export function withLoadFlags(command: Command): Command {
  return withTargetFlags(command)
    .option('--rate <rate>', 'highest rate of the profile, journeys a second; or users, when it is closed', positive)
    .option('--seconds <seconds>', 'how long the profile takes', positive)
    .option('--processes <count>', 'generator processes', whole, Math.ceil(availableParallelism() / CORES_A_PROCESS))
    .option('--outstanding <calls>', 'unanswered at once, at most; more are held back', whole)
    .option('--timeout-ms <ms>', 'of one call', whole)
    .option('--seed <seed>', 'the same seed, the same users', wholeNumber)
    .option('--label <text>', 'what this run is of, for reports')
    .option('--out <folder>', 'where the report is written', 'loadtest');
}

/** Does something with what is tested, which is started for it when there is none. */
export async function withTarget(
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

function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

export function positive(text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}(?:\.\d{1,6})?$/.test(text) || value <= 0)
    throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

export function zeroOr(text: string): number {
  return text === '0' ? 0 : positive(text);
}

export function whole(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function share(text: string): number {
  const value = Number(text);
  if (!/^(?:0|0?\.\d{1,9}|1)$/.test(text)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}
