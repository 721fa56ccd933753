/** What is to run: the specification of one process, as it is written down and as it is kept in ZooKeeper. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { artifactRef } from '../artifacts/artifact.ts';
import { BYTE_UNITS, quantityOf, SECOND_UNITS } from './units.ts';

const BYTES = 'must be a number of bytes, or such as 256MiB or 1.5GiB';
const DURATION = 'must be a number of seconds, or such as 500ms, 30s or 5m';

/** A count of bytes, or a text such as 256MiB. */
const bytes = z
  .union([z.number().int().positive(), z.string().regex(/^\d{1,9}(\.\d{1,3})?(KiB|MiB|GiB|TiB)$/, BYTES)], BYTES)
  .transform((value) => (typeof value === 'number' ? value : Math.round(quantityOf(value, BYTE_UNITS))))
  .refine(Number.isSafeInteger, 'is too large');

/** Seconds, or a text such as 500ms, 30s, 5m, 1h. */
export const seconds = (min: number, max: number) =>
  z
    .union([z.number(), z.string().regex(/^\d{1,6}(\.\d{1,3})?(ms|s|m|h)$/, DURATION)], DURATION)
    .transform((value) => (typeof value === 'number' ? value : quantityOf(value, SECOND_UNITS)))
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max} seconds`);

/** Without a NUL, which no program can be given. */
const argument = z
  .string()
  .max(32_768)
  .regex(/^[^\0]*$/, 'must hold no NUL');
const command = z.array(argument).min(1).max(1_000);
const PORT_NAME = /^[a-z][a-z0-9_]{0,31}$/;
const portName = z.string().regex(PORT_NAME, 'must be a-z, 0-9 and _, beginning with a letter');

const health = z
  .strictObject({
    /** GET of this path answers 2xx. */
    http: z.string().startsWith('/').optional(),
    /** This port is asked, or takes a connection when there is neither a path nor a command. */
    port: portName.optional(),
    /** This command ends with 0. */
    command: command.optional(),
    every: seconds(0.05, 3_600).default(2),
    timeout: seconds(0.05, 600).default(2),
    /** So many in a row, and a process that was healthy is restarted. */
    failures: z.number().int().min(1).max(100).default(3),
    /** So long it may take until it is healthy for the first time. */
    startup: seconds(0.1, 3_600).default(60),
  })
  .refine(
    ({ command, port }) => (command === undefined) !== (port === undefined),
    'must have either a port or a command',
  )
  .refine(({ http, port }) => http === undefined || port !== undefined, 'must name the port to be asked');

/** All of a process but where it runs. */
export const processTemplate = z.strictObject({
  artifact: artifactRef,
  /**
   * Program and arguments, run in the unpacked artifact. `${port.<name>}`, `${artifact}` (its folder), `${work}` (a folder
   * of the process's own that outlives it), `${coordinate}`, `${instance}`, `${host}` and `${zookeeper}` are replaced, also
   * in `env`, `before`, `after` and the command of `health`. `$${` stands for `${`.
   */
  command,
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), argument).default({}),
  /** By name; null: the agent chooses a free one. Also in the environment, as `PORT_<NAME>`. */
  ports: z.record(portName, z.number().int().min(1).max(65_535).nullable()).default({}),
  /** Its name or number; null: whoever the agent is, which must not be root, unless that is allowed. */
  user: z
    .union([
      z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
      z
        .number()
        .int()
        .min(0)
        .max(2 ** 31),
    ])
    .nullable()
    .default(null),
  limits: z
    .strictObject({
      /** Bytes. */
      memory: bytes.optional(),
      /** Cores, such as 0.5. */
      cpu: z.number().min(0.01).max(1_024).optional(),
      /** Open files of each process. */
      files: z.number().int().min(16).max(10_000_000).optional(),
    })
    .default({}),
  /** What it is expected to use, in bytes: under memory pressure, who uses more is ended first. */
  memory: z.strictObject({ expected: bytes.optional(), peak: bytes.optional() }).default({}),
  /** Who is worth least is ended first. */
  value: z.number().int().min(0).max(1_000).default(100),
  restart: z
    .strictObject({
      /** So many times within `period`, and it is left alone until somebody says otherwise. */
      max: z.number().int().min(0).max(1_000).default(5),
      period: seconds(1, 86_400).default(300),
      /** Before the first restart; twice as long before each further one, up to `ceiling`. */
      backoff: seconds(0.05, 3_600).default(1),
      ceiling: seconds(0.05, 3_600).default(30),
    })
    .prefault({}),
  health: health.nullable().default(null),
  /** Run to its end before the process is started; ends with 0, or that counts as a failed start. */
  before: command.nullable().default(null),
  /** Run before the process is told to end. */
  after: command.nullable().default(null),
  /** How long `before` and `after` may each take. */
  patience: seconds(0.1, 3_600).default(60),
  /** Between TERM and KILL. */
  grace: seconds(0, 3_600).default(15),
  /** Who claims the coordinate in Cloudname, and publishes the endpoints: the agent, or the process itself. */
  claim: z.enum(['agent', 'process']).default('agent'),
  /** What becomes of it when its host may have lost its place in ZooKeeper, so that it may be started elsewhere. */
  cutoff: z.enum(['run', 'kill']).default('run'),
  /** `roll`: a new version is healthy before the old one ends. `replace`: the old one ends first, as with `cutoff: kill`. */
  update: z.enum(['roll', 'replace']).default('roll'),
});

/** One process. What is parsed can be written as JSON, and parsed again to the same. */
export const processSpec = processTemplate.extend({
  /** `instance.service.user.cell`; short enough for the name of a folder. */
  coordinate: z
    .string()
    .max(200)
    .regex(
      /^(0|[1-9][0-9]{0,9})(\.[a-z][a-z0-9_-]*){3}$/,
      'must be instance.service.user.cell, such as 1.kvitt.ann.oslo',
    ),
  /** False: it is known here, and does not run. */
  run: z.boolean().default(true),
  /** Another number is another specification: it is rolled, or replaced, though nothing else changed. */
  revision: z.number().int().min(0).default(0),
});

export type ProcessSpec = Readonly<z.infer<typeof processSpec>>;

/** Does it end before the next one is started? What must run in one place only never runs beside another, either. */
export function isReplacedBy(old: ProcessSpec, next: ProcessSpec): boolean {
  return next.update === 'replace' || old.cutoff === 'kill';
}

/** Specifications, and parts of them that instances of a service share, do not change once they are made. */
const hashes = new WeakMap<ProcessSpec, string>();
const texts = new WeakMap<object, string>();

/** Which specification it is, whether it is to run or not: 16 hex digits. */
export function specHash(spec: ProcessSpec): string {
  const known = hashes.get(spec);
  if (known !== undefined) return known;
  const { run: _, ...rest } = spec;
  const hash = createHash('sha256').update(canonical(rest)).digest('hex').slice(0, 16);
  hashes.set(spec, hash);
  return hash;
}

/** As JSON, with members in the order of their names. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = Array.isArray(value) ? `[${value.map(canonical).join()}]` : `{${members(value).join()}}`;
  texts.set(value, text);
  return text;
}

function members(value: object): string[] {
  const all = Object.entries(value).filter(([, member]) => member !== undefined);
  return all
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
}
