import { type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino';

/** Fields that hold what is nobody's business who reads the log. */
const PRIVATE = [
  ...['authorization', 'headers', 'key', 'keys', 'apiKey', 'idempotencyKey', 'idempotency-key', 'secret', 'password'],
  ...['account', 'accounts', 'source', 'destination', 'amount', 'amounts', 'posted', 'held', 'available'],
  ...['reference', 'description', 'metadata', 'details', 'postings', 'legs', 'command', 'entry', 'body', 'payload'],
];
const HIDDEN = '(hidden)';
/** Of the fields of an error, those that say where it comes from and nothing of what was asked for. */
const ERROR_FIELDS = ['code', 'codeName', 'syscall', 'errorLabels', 'statusCode'] as const;
const CAUSES_MAX = 5;
/** Texts of these quote what somebody sent; their code says what went wrong. */
const QUOTING: ReadonlySet<string> = new Set([
  'LedgerError',
  'PaymentsError',
  'ProblemError',
  'StatementError',
  'ZodError',
]);
/** What messages of others are known to quote. */
const QUOTED: readonly (readonly [RegExp, string])[] = [
  [/kvitt_[0-9A-Za-z]{8,}/g, HIDDEN],
  [/\bBearer\s+\S+/gi, `Bearer ${HIDDEN}`],
  [/(mongodb(?:\+srv)?:\/\/)[^/\s]*@/gi, `$1${HIDDEN}@`],
  // MongoDB names the values of a unique index that were there already.
  [/dup key: .*/gs, `dup key: ${HIDDEN}`],
  // JavaScript names what it could not read: of JSON, of numbers.
  [/Unexpected (?:token|end|non-whitespace|string|number).*JSON.*/gs, `no JSON ${HIDDEN}`],
  [/"[^"]*"|`[^`]*`|(?<!\w)'[^']*'(?!\w)/g, HIDDEN],
  [/Cannot convert .* to a BigInt/gs, `Cannot convert ${HIDDEN} to a BigInt`],
  [/\b(accounts?|amount|reference|cursor) (?!(?:is|are|cannot|could|has|have)\b)\S+/gi, `$1 ${HIDDEN}`],
];

/**
 * JSON lines without what is private: no key, no account, amount, reference, metadata or body of a request, at no level.
 * Fields of these names are hidden wherever they stand, and of an error only its kind, its place and a text that
 * quotes nothing.
 */
export function logOptions(level: string): LoggerOptions {
  return {
    level,
    base: { service: 'kvitt' },
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: PRIVATE.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]), censor: HIDDEN },
    serializers: {
      err: (error: unknown) => describeError(error, CAUSES_MAX),
      error: (error: unknown) => describeError(error, CAUSES_MAX),
      // Their URLs name accounts.
      req: ({ id, method }: { id?: unknown; method?: unknown }) => ({ id, method }),
      res: ({ statusCode }: { statusCode?: unknown }) => ({ statusCode }),
    },
  };
}

/** On standard error, so that what a command answers on standard output stays clean. */
export function createLog(level: string): Logger {
  const destination = pino.destination(2);
  // A terminal that is gone must not keep the process from ending: there is nobody left to tell.
  destination.on('error', () => undefined);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return pino(logOptions(level), destination);
}

function describeError(error: unknown, causesMax: number): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const all = error as Error & Record<string, unknown>;
  const fields = ERROR_FIELDS.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]);
  return {
    type: error.name,
    message: QUOTING.has(error.name) ? String(all.code ?? HIDDEN) : withoutQuotes(error.message),
    ...Object.fromEntries(fields),
    // Its head is the message once more.
    stack: (error.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .join('\n'),
    ...(error.cause === undefined || causesMax === 0 ? {} : { cause: describeError(error.cause, causesMax - 1) }),
  };
}

function withoutQuotes(message: string): string {
  return QUOTED.reduce((text, [quoted, instead]) => text.replace(quoted, instead), message);
}
