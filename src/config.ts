/** All settings, from the environment only, read here and nowhere else. */
import { readFileSync } from 'node:fs';
import { Cron } from 'croner';
import { z } from 'zod';
import { Coordinate, parseServiceName } from './cloudname/coordinate.ts';
import { isApiKey } from './http/auth.ts';
import { BYTE_UNITS, quantityOf } from './processes/units.ts';
import { parseConnectString } from './zookeeper/connect-string.ts';

/** Settings that hold a secret: hidden when printed, and also read from the file that `<NAME>_FILE` names. */
const SECRETS = ['BOOTSTRAP_API_KEY', 'MONGODB_URI', 'ZOOKEEPER_AUTH', 'NODEE_TOKEN'] as const;

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`);

const url = (protocols: readonly string[]) =>
  z.string().refine(
    (value) => {
      const parsed = URL.canParse(value) ? new URL(value) : null;
      return parsed !== null && protocols.includes(parsed.protocol);
    },
    `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  );

/** As SQS has them: 80 characters, `.fifo` among them. */
const QUEUE_NAME = /^(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?$/;
const queue = z.union([url(['http:', 'https:']), z.string().regex(QUEUE_NAME)], {
  error: 'must be the URL of a queue, which begins with http:// or https://, or the name of one',
});

const zookeeper = {
  ZOOKEEPER_CONNECT: z.string().refine(isConnectString, 'must be host:port,host:port/path').optional(),
  ZOOKEEPER_SESSION_MS: whole(400, 600_000).default(10_000),
  ZOOKEEPER_AUTH: z
    .string()
    .regex(/^[^:]+:.+$/, 'must be user:password')
    .optional(),
};

const WRONG_COORDINATE = 'must be instance.service.user.cell, or service.user.cell for the first free instance';

const schema = z.object({
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb:// or mongodb+srv://')
    .optional(),
  MONGODB_DATABASE: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,38}$/, 'must be 1 to 38 letters, digits, _ or -')
    .default('kvitt'),
  DATA_DIR: z.string().min(1).default('.kvitt'),
  HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  HTTP_PORT: whole(0, 65535).default(8080),
  BOOKS: whole(1, 256).default(1),
  ACCOUNTS_IN_MEMORY: whole(1_000, 10_000_000).default(1_000_000),
  QUEUE_COMMANDS_MAX: whole(10, 1_000_000).default(4_000),
  QUEUE_MIB_MAX: whole(8, 4_096).default(64),
  BOOTSTRAP_API_KEY: z
    .string()
    .refine(isApiKey, 'must be kvitt_ and 32 to 86 letters and digits; `kvitt keys generate` makes one')
    .optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SQS_QUEUE_URL: queue.optional(),
  SQS_DEAD_LETTER_QUEUE_URL: queue.optional(),
  SQS_OUT_QUEUE_URL: queue.optional(),
  SQS_ENDPOINT: url(['http:', 'https:']).optional(),
  SQS_WAIT_SECONDS: whole(0, 20).default(10),
  SQS_VISIBILITY_TIMEOUT_SECONDS: whole(2, 43_200).default(30),
  SQS_CONCURRENCY: whole(1, 64).default(16),
  SQS_MESSAGES_IN_HAND_MAX: whole(10, 10_000).default(3_000),
  SQS_RECEIVES_MAX: whole(1, 1_000).default(20),
  SQS_AGE_MAX_SECONDS: whole(0, 1_209_600).default(0),
  SQS_POISON_IN_GROUP: z.enum(['dead_letter', 'stop_group']).default('dead_letter'),
  AWS_REGION: z.string().min(1).default('eu-north-1'),
  RECONCILIATION_CONFIG: z.string().min(1).optional(),
  RECONCILIATION_SCHEDULE: z
    .string()
    .refine(isSchedule, 'must be a cron expression such as 0 3 * * *, of which the times are in UTC')
    .optional(),
  RECONCILIATION_INBOX: z.string().min(1).optional(),
  WEBHOOK_PRIVATE_ADDRESSES: z.enum(['true', 'false']).default('false'),
  RECOVERY_AFTER_SECONDS: whole(1, 50).default(10),
  RATE_LIMIT_PER_MINUTE: whole(0, 10_000_000).default(0),
  // It is printed: what proves who sends traces goes into OTEL_EXPORTER_OTLP_HEADERS, which their exporter reads.
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:'])
    .refine((value) => !/^\w+:\/\/[^/]*@/.test(value), 'must hold no user or password')
    .optional(),
  METRICS_OPEN: z.enum(['true', 'false']).default('false'),
  SHUTDOWN_GRACE_MS: whole(100, 600_000).default(15_000),
  SHUTDOWN_DELAY_MS: whole(0, 60_000).default(0),
  ...zookeeper,
  CLOUDNAME_COORDINATE: z.string().refine(isCoordinateOrService, WRONG_COORDINATE).optional(),
  ADVERTISE_HOST: z.string().min(1).optional(),
  INTERNAL_PORT: whole(0, 65535).default(0),
});

export type Config = Readonly<z.infer<typeof schema>>;
export type ZooKeeperConfig = Pick<Config, keyof typeof zookeeper>;

function isConnectString(text: string): boolean {
  return succeeds(() => parseConnectString(text));
}

function isCoordinateOrService(text: string): boolean {
  return succeeds(() => Coordinate.parse(text)) || succeeds(() => parseServiceName(text));
}

function isSchedule(text: string): boolean {
  return succeeds(() => new Cron(text, { paused: true }).stop());
}

function succeeds(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and checks every setting. @throws ConfigError that names everything that is wrong at once */
export function readConfig(environment: Environment = process.env): Config {
  const { values, problems } = readValues(environment, Object.keys(schema.shape));
  const parsed = schema.safeParse(values);
  for (const { path, message } of parsed.error?.issues ?? []) problems.push(`${path.join('.')} ${message}`);
  // Here and not in the schema, which looks at several settings together only when each of them is right.
  if ((values.SQS_QUEUE_URL === undefined) !== (values.SQS_DEAD_LETTER_QUEUE_URL === undefined)) {
    problems.push('SQS_QUEUE_URL and SQS_DEAD_LETTER_QUEUE_URL must be set together');
  }
  if (values.RECONCILIATION_INBOX !== undefined && values.RECONCILIATION_SCHEDULE === undefined) {
    problems.push('RECONCILIATION_INBOX needs RECONCILIATION_SCHEDULE, which says when it is looked at');
  }
  if ((values.CLOUDNAME_COORDINATE === undefined) !== (values.ZOOKEEPER_CONNECT === undefined)) {
    problems.push('CLOUDNAME_COORDINATE and ZOOKEEPER_CONNECT must be set together');
  }
  if (!parsed.success || problems.length > 0) throw wrong(problems);
  return parsed.data;
}

/** Settings that a running service follows, when its coordinate's configuration says so. */
const DYNAMIC = ['LOG_LEVEL', 'RATE_LIMIT_PER_MINUTE'] as const;
export type DynamicConfig = Pick<Config, (typeof DYNAMIC)[number]>;

/**
 * Reads the configuration of a coordinate: a JSON object of settings, whose names and values are those of the
 * environment. What it does not name, or an empty text, is as in `config`.
 *
 * @throws ConfigError that names everything that is wrong at once
 */
export function readDynamicConfig(text: string, config: Config): DynamicConfig {
  const given = text.trim() === '' ? {} : parseObject(text);
  const problems = Object.keys(given)
    .filter((name) => !(DYNAMIC as readonly string[]).includes(name))
    .map((name) => `${name} is not one of ${DYNAMIC.join(', ')}`);
  const values = Object.fromEntries(DYNAMIC.map((name) => [name, String(given[name] ?? config[name])]));
  const shape = schema.pick({ LOG_LEVEL: true, RATE_LIMIT_PER_MINUTE: true });
  const parsed = shape.safeParse(values);
  for (const { path, message } of parsed.error?.issues ?? []) problems.push(`${path.join('.')} ${message}`);
  if (!parsed.success || problems.length > 0) throw wrong(problems);
  return parsed.data;
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`It is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ConfigError('It is not a JSON object of settings.');
}

const WRONG_AGENT = 'must be nodee.user.cell for the first free instance, or instance.nodee.user.cell';
const needed = (what: string) => z.string({ error: `must be set: ${what}` });

const nodee = z.object({
  ...zookeeper,
  ZOOKEEPER_CONNECT: needed('the servers, host:port,host:port/path').refine(
    isConnectString,
    'must be host:port,host:port/path',
  ),
  NODEE_COORDINATE: needed('nodee.user.cell, or instance.nodee.user.cell').refine(isAgentPlace, WRONG_AGENT),
  NODEE_DIR: z.string().min(1).default('.kvitt/nodee'),
  NODEE_HOST: z.string().min(1).default('127.0.0.1'),
  NODEE_PORT: whole(0, 65535).default(7070),
  NODEE_ADVERTISE_HOST: z.string().min(1).optional(),
  NODEE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/, 'must be 1 to 253 letters, digits, ., _ and -')
    .optional(),
  NODEE_TOKEN: needed('a secret that all agents and their tools share; `openssl rand -hex 32` makes one').regex(
    /^[!-~]{32,512}$/,
    'must be 32 to 512 letters, digits and signs without spaces; `openssl rand -hex 32` makes one',
  ),
  NODEE_TRUSTED_KEYS: z.string().min(1).optional(),
  NODEE_ALLOW_ROOT: z.enum(['true', 'false']).default('false'),
  NODEE_PORTS: z
    .string()
    .regex(/^\d{1,5}-\d{1,5}$/, 'must be two ports, such as 20000-29999')
    .transform((text) => {
      const [from, to] = text.split('-').map(Number);
      return { from: from!, to: to! };
    })
    .refine(({ from, to }) => from >= 1 && from <= to && to <= 65_535, 'must be from 1 to 65535, the lower one first')
    .prefault('20000-29999'),
  NODEE_MEMORY_RESERVE: z
    .string()
    .regex(/^\d{1,15}(KiB|MiB|GiB)?$/, 'must be a number of bytes, or such as 256MiB')
    .transform((text) => quantityOf(text, BYTE_UNITS))
    .refine(Number.isSafeInteger, 'is too large')
    .optional(),
  NODEE_ARTIFACTS_KEEP: whole(0, 1_000).default(3),
  NODEE_ARTIFACT_MIB_MAX: whole(1, 102_400).default(1_024),
  LOG_LEVEL: schema.shape.LOG_LEVEL,
});

export type NodeeConfig = Readonly<z.infer<typeof nodee>>;

function isAgentPlace(text: string): boolean {
  return isCoordinateOrService(text) && text.split('.').at(-3) === 'nodee';
}

/** The settings of Nodee's agents and of its tool. @throws ConfigError that names everything that is wrong at once */
export function readNodeeConfig(environment: Environment = process.env): NodeeConfig {
  return readOnly(nodee, environment);
}

/** The settings of ZooKeeper alone, for tools that need no others. @throws ConfigError */
export function readZooKeeperConfig(environment: Environment = process.env): ZooKeeperConfig {
  return readOnly(z.object(zookeeper), environment);
}

function readOnly<T extends z.ZodObject>(settings: T, environment: Environment): z.infer<T> {
  const { values, problems } = readValues(environment, Object.keys(settings.shape));
  const parsed = settings.safeParse(values);
  for (const { path, message } of parsed.error?.issues ?? []) problems.push(`${path.join('.')} ${message}`);
  if (!parsed.success || problems.length > 0) throw wrong(problems);
  return parsed.data;
}

function wrong(problems: readonly string[]): ConfigError {
  return new ConfigError(`These settings are wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
}

function readValues(environment: Environment, names: readonly string[]) {
  const problems: string[] = [];
  const values: Record<string, string> = {};
  for (const name of names) {
    const value = environment[name];
    // An empty variable is an unset one, as in compose files.
    if (value !== undefined && value !== '') values[name] = value;
  }
  for (const name of SECRETS) if (names.includes(name)) readSecretFile(name, environment, values, problems);
  return { values, problems };
}

function readSecretFile(
  name: string,
  environment: Environment,
  values: Record<string, string>,
  problems: string[],
): void {
  const file = environment[`${name}_FILE`];
  if (!file) return;
  if (values[name] !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set; set one of them`);
    return;
  }
  try {
    values[name] = readFileSync(file, 'utf8').trim();
  } catch (error) {
    problems.push(`${name}_FILE cannot be read: ${(error as Error).message}`);
  }
}

/**
 * The variables that a process of the same settings is started with, secrets among them; and those of this one, which say
 * such things as whose certificates are trusted.
 */
export function environmentOf(config: Config, environment: Environment = process.env): Environment {
  const settings = Object.keys(schema.shape).map((name) => {
    const value = config[name as keyof Config];
    return [name, value === undefined ? undefined : String(value)];
  });
  // What holds a secret may have been read from a file.
  const files = SECRETS.map((name) => [`${name}_FILE`, undefined]);
  return { ...environment, ...Object.fromEntries([...settings, ...files]) };
}

/** As `kvitt config print` shows it: secrets hidden. */
export function printableConfig(config: Config): Record<string, string | number | null> {
  const hidden = new Set<string>(SECRETS);
  return Object.fromEntries(
    Object.keys(schema.shape).map((name) => {
      const value = config[name as keyof Config];
      return [name, value === undefined ? null : hidden.has(name) ? '(hidden)' : value];
    }),
  );
}
