/** The commands of `kvitt cn`. Answers go to standard output, everything else to standard error. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { text as readAll } from 'node:stream/consumers';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Claim } from './claim.ts';
import { Cloudname, type CloudnameOptions } from './cloudname.ts';
import { Coordinate } from './coordinate.ts';
import { CloudnameError, isCloudnameError } from './errors.ts';
import type { Lock, LockScope } from './lock.ts';
import type { ResolverEvent } from './resolver.ts';
import { addressOf, type Endpoint, SERVICE_STATES, type ServiceState, type StatusNode } from './status.ts';

/** 0: done, or found. 1: refused, or there is none. 2: it could not run. */
const EXIT = { ok: 0, refused: 1, unusable: 2 } as const;
const ENDPOINT = /^([a-z][a-z0-9_-]*)=([a-z][a-z0-9+.-]*):\/\/([^:/]+|\[[0-9a-f:]+\]):(\d{1,5})$/;
const FIRST_CLAIM_MS_MAX = 60 * 60_000;
/** Codes of things that the caller wrote wrong. */
const MISUSE: readonly string[] = ['malformed', 'unknown_strategy'];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param settings Read when a command runs: how to reach ZooKeeper.
 * @param environment Of programs that run while a lock is held.
 */
export function cloudnameCommand(settings: () => CloudnameOptions, environment: Environment): Command {
  const tool = new Command('cn').description(
    'coordinates, endpoints, configurations and locks in ZooKeeper (Cloudname)',
  );
  // Before commands are added, which inherit it: it is the caller who says how a process ends that was called wrongly.
  tool.exitOverride();
  const command = (name: string, description: string) =>
    tool.command(name).description(description).option('--json', 'answer as JSON');
  const parts: Part[] = [];
  parts.push(...addCoordinates(command), ...addEndpoints(command), ...addHolding(command, environment));
  const config = tool.command('config').description('configuration of a coordinate');
  parts.push(...addConfig((name, about) => config.command(name).description(about).option('--json', 'answer as JSON')));
  for (const { command: one, run } of parts) {
    one.action(async (...given: unknown[]) => {
      await withCloudname(settings, (cloudname) => run(cloudname, given.slice(0, -2), given.at(-2) as Flags));
    });
  }
  return tool;
}

interface Flags {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly cell?: string;
  readonly user?: string;
  readonly service?: string;
  readonly endpoint?: string | EndpointFlag[];
  readonly state?: ServiceState;
  readonly message?: string;
  readonly create?: boolean;
  readonly old?: string;
  readonly file?: string;
  readonly scope?: LockScope;
  readonly wait?: number;
}

type EndpointFlag = ReturnType<typeof endpointFlag>;
type Make = (name: string, description: string) => Command;

interface Part {
  readonly command: Command;
  /** Answers the exit code. */
  run(cloudname: Cloudname, given: unknown[], flags: Flags): Promise<number>;
}

async function withCloudname(settings: () => CloudnameOptions, run: (cloudname: Cloudname) => Promise<number>) {
  // Whoever reads may leave early, as `head` does.
  process.stdout.on('error', () => undefined);
  const cloudname = await Cloudname.connect(settings());
  cloudname.resolver.on('problem', (path, error) => say(`left out: ${path}: ${messageOf(error)}`));
  try {
    process.exitCode = await run(cloudname);
  } catch (error) {
    if (!(error instanceof CloudnameError) || MISUSE.includes(error.code)) throw error;
    say(`kvitt cn: ${error.message}`);
    process.exitCode = EXIT.refused;
  } finally {
    await cloudname.close();
  }
}

function addCoordinates(make: Make): Part[] {
  return [
    {
      command: make('create <coordinates...>', 'create coordinates'),
      run: (cloudname, [texts], flags) => each(texts as string[], flags, 'created', (at) => cloudname.create(at)),
    },
    {
      command: make('destroy <coordinates...>', 'destroy coordinates that nobody claims').requiredOption(
        '--yes',
        'their configuration is lost',
      ),
      run: (cloudname, [texts], flags) => each(texts as string[], flags, 'destroyed', (at) => cloudname.destroy(at)),
    },
    {
      command: make(
        'setup-file <file>',
        'create the coordinates of a file, one a line (# begins a comment; - is standard input)',
      ),
      run: async (cloudname, [file], flags) => {
        const text = file === '-' ? await readAll(process.stdin) : await readFile(file as string, 'utf8');
        const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
        return each(
          lines.filter((line) => line !== ''),
          flags,
          'created',
          (at) => cloudname.create(at),
        );
      },
    },
    {
      command: make('list', 'list coordinates')
        .option('--cell <cell>')
        .option('--user <user>')
        .option('--service <service>'),
      run: async (cloudname, _, flags) => {
        const found = (await cloudname.list(flags)).map(String);
        print(found, flags, () => found);
        return EXIT.ok;
      },
    },
    {
      command: make('status <coordinate>', 'status and endpoints; exit 1 when nobody claims it'),
      run: async (cloudname, [text], flags) => {
        const at = Coordinate.parse(text as string);
        const node = await cloudname.status(at);
        print(statusJson(at, node), flags, () => statusLines(node));
        return node === null ? EXIT.refused : EXIT.ok;
      },
    },
    {
      command: make('host <coordinate>', 'the hosts on which it runs; exit 1 when it does not'),
      run: async (cloudname, [text], flags) => {
        const found = await cloudname.resolver.resolve(String(Coordinate.parse(text as string)));
        const hosts = [...new Set(found.map(({ host }) => host ?? ''))];
        print(hosts, flags, () => hosts);
        return hosts.length === 0 ? EXIT.refused : EXIT.ok;
      },
    },
  ];
}

/** Goes on after one that failed, and says so at the end. */
async function each(
  texts: string[],
  flags: Flags,
  done: string,
  act: (at: Coordinate) => Promise<void>,
): Promise<number> {
  const coordinates = texts.map((text) => Coordinate.parse(text));
  const results: { coordinate: string; result: string; error?: string }[] = [];
  const good = () => results.filter(({ result }) => result === done);
  const attempt = async (at: Coordinate) => {
    try {
      await act(at);
      results.push({ coordinate: String(at), result: done });
    } catch (error) {
      if (!(error instanceof CloudnameError)) throw error;
      results.push({ coordinate: String(at), result: error.code, error: error.message });
      say(`kvitt cn: ${error.message}`);
    }
  };
  try {
    for (const at of coordinates) await attempt(at);
  } finally {
    // Also when the servers stop answering on the way: what was done by then was done.
    print(results, flags, () => good().map(({ coordinate }) => `${done} ${coordinate}`));
  }
  return good().length === results.length ? EXIT.ok : EXIT.refused;
}

function addEndpoints(make: Make): Part[] {
  return [
    {
      command: make(
        'resolve <expression>',
        'endpoints that match, such as http.any.web.pay.oslo; exit 1 when none does',
      ),
      run: async (cloudname, [expression], flags) => {
        const found = await cloudname.resolver.find(expression as string).catch((error: unknown) => {
          if (!isCloudnameError(error, 'service_missing')) throw error;
          say(`kvitt cn: ${error.message}`);
          return [];
        });
        print(
          found.map(({ at, endpoint }) => ({ at: String(at), ...endpointJson(endpoint) })),
          flags,
          () => found.map(({ at, endpoint }) => `${endpoint.name}.${at} ${addressOf(endpoint)}`),
        );
        return found.length === 0 ? EXIT.refused : EXIT.ok;
      },
    },
    {
      command: make('watch <expression>', 'tell of endpoints that come, change and go, until it is ended'),
      run: async (cloudname, [expression], flags) => {
        const stop = await cloudname.resolver.listen(expression as string, (event) => tellEvent(event, flags));
        await ended();
        stop();
        return EXIT.ok;
      },
    },
  ];
}

function addHolding(make: Make, environment: Environment): Part[] {
  return [
    {
      command: make('claim <coordinate>', 'claim a coordinate and hold it until it is ended')
        .option('--create', 'create it first, if it is missing')
        .addOption(new Option('--state <state>').choices(SERVICE_STATES).default('RUNNING'))
        .option('--message <message>', 'of the status', 'claimed by hand')
        .option(
          '--endpoint <name=protocol://host:port>',
          'publish it; may be given several times',
          collectEndpoints,
          [],
        ),
      run: runClaim,
    },
    {
      command: make(
        'lock <coordinate> <name> [command...]',
        'hold a lock until it is ended, or while a command runs (write -- before it); exit 1 when it is held by others',
      )
        .addOption(
          new Option('--scope <scope>', 'what it locks').choices(['cell', 'user', 'service']).default('service'),
        )
        .option('--wait <seconds>', 'how long to wait for it', seconds, 0),
      run: (cloudname, given, flags) => runLock(cloudname, given, flags, environment),
    },
  ];
}

async function runClaim(cloudname: Cloudname, [text]: unknown[], flags: Flags): Promise<number> {
  const at = Coordinate.parse(text as string);
  if (flags.create) await cloudname.ensure(at);
  const claim = cloudname.claim(at);
  claim.on('event', (event, message) =>
    print({ event, message }, { ...flags, line: true }, () => [`${event} ${message}`]),
  );
  const publish = async () => {
    await claim.putEndpoints(flags.endpoint as EndpointFlag[], FIRST_CLAIM_MS_MAX);
    await claim.setStatus(flags.state!, flags.message!, FIRST_CLAIM_MS_MAX);
  };
  await Promise.race([ended(), publish().then(() => ended())]);
  await claim.release();
  return EXIT.ok;
}

async function runLock(
  cloudname: Cloudname,
  [text, name, argv]: unknown[],
  flags: Flags,
  environment: Environment,
): Promise<number> {
  const coordinate = Coordinate.parse(text as string);
  const lock = await cloudname.lock({ coordinate, scope: flags.scope!, name: name as string }, flags.wait! * 1000);
  if (lock === null) {
    say(`kvitt cn: the lock "${name}" is held by others`);
    return EXIT.refused;
  }
  const command = argv as string[];
  const taken = { event: 'LOCKED', path: lock.path, fencing_number: lock.fencingNumber };
  if (command.length === 0) print(taken, { ...flags, line: true }, () => [`LOCKED ${lock.path}`]);
  const lost = new Promise<number>((resolve) => {
    lock.on('lost', (why) => {
      say(`kvitt cn: the lock is lost: ${why}`);
      resolve(EXIT.refused);
    });
  });
  const work = command.length === 0 ? ended().then(() => EXIT.ok) : runWithin(command, lock, environment);
  const code = command.length === 0 ? await Promise.race([work, lost]) : await work;
  await lock.release();
  return code;
}

/** Answers its exit code. It is asked to end as soon as the lock is lost. */
async function runWithin([file, ...argv]: string[], lock: Lock, environment: Environment): Promise<number> {
  const env = { ...environment, CLOUDNAME_FENCING_NUMBER: String(lock.fencingNumber) };
  // Before there is a command: one that outlived this process would run on without the lock.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const child = spawn(file!, argv, { stdio: 'inherit', env });
  let isLost = false;
  lock.on('lost', () => {
    isLost = true;
    child.kill('SIGTERM');
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`"${file}" cannot be run: ${error.message}`)));
    // As shells have it for one that a signal ended.
    child.on('exit', (code, signal) => resolve(isLost ? EXIT.refused : (code ?? 128 + constants.signals[signal!])));
  });
}

function addConfig(make: Make): Part[] {
  return [
    {
      command: make('get <coordinate>', 'print it'),
      run: async (cloudname, [text], flags) => {
        const config = await cloudname.getConfig(Coordinate.parse(text as string));
        print(config, flags, () => (config.text === '' ? [] : [config.text.replace(/\n$/, '')]));
        return EXIT.ok;
      },
    },
    {
      command: make('set <coordinate> [text]', 'replace it')
        .option('--file <file>', 'take the text from a file (- is standard input)')
        .option('--old <text>', 'only if it is this now; exit 1 when it is not'),
      run: async (cloudname, [text, given], flags) => {
        const at = Coordinate.parse(text as string);
        if ((given === undefined) === (flags.file === undefined)) throw new Error('give the text, or --file');
        const fromFile = async (file: string) => (file === '-' ? readAll(process.stdin) : readFile(file, 'utf8'));
        const config = flags.file === undefined ? (given as string) : await fromFile(flags.file);
        const version = await cloudname.setConfig(at, config, flags.old ?? null);
        print({ version }, flags, () => [`version ${version}`]);
        return EXIT.ok;
      },
    },
  ];
}

function tellEvent(event: ResolverEvent, flags: Flags): void {
  const value =
    'at' in event
      ? { event: event.type, at: String(event.at), ...endpointJson(event.endpoint) }
      : { event: event.type };
  print(value, { ...flags, line: true }, () => [
    'at' in event ? `${event.type} ${event.endpoint.name}.${event.at} ${addressOf(event.endpoint)}` : event.type,
  ]);
}

function statusJson(at: Coordinate, node: StatusNode | null) {
  if (node === null) return { coordinate: String(at), claimed: false };
  const endpoints = [...node.endpoints.values()].flatMap((endpoint) => (endpoint ? [endpointJson(endpoint)] : []));
  return { coordinate: String(at), claimed: true, ...node.status, endpoints };
}

function statusLines(node: StatusNode | null): string[] {
  if (node === null) return ['not claimed'];
  const { state, message } = node.status;
  const endpoints = [...node.endpoints].flatMap(([name, endpoint]) =>
    endpoint ? [`${name} ${addressOf(endpoint)}`] : [],
  );
  return [`${state} ${message}`, ...endpoints];
}

function endpointJson({ coordinate, ...endpoint }: Endpoint) {
  return { ...endpoint, coordinate: coordinate === null ? null : String(coordinate) };
}

function endpointFlag(text: string): Parameters<Claim['putEndpoints']>[0][number] {
  const match = ENDPOINT.exec(text);
  if (match === null)
    throw new InvalidArgumentError('Write name=protocol://host:port, such as web=http://10.0.0.1:80.');
  const [, name, protocol, host, port] = match;
  return { name: name!, protocol: protocol!, host: host!.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function collectEndpoints(text: string, before: EndpointFlag[]): EndpointFlag[] {
  return [...before, endpointFlag(text)];
}

function seconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** By a signal, or because nobody reads what it tells any more. */
function ended(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('error', () => resolve());
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

function print(value: unknown, { json, line }: Flags & { line?: boolean }, lines: () => readonly string[]): void {
  if (json) process.stdout.write(`${JSON.stringify(value, null, line ? 0 : 2)}\n`);
  else for (const text of lines()) process.stdout.write(`${text}\n`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
