/** What the log may say of an error: its own words, and none of the request's. */
const HIDDEN = '(hidden)';
/** More than any request that is let through has. */
const VALUES_MAX = 1_000;

interface Asked {
  readonly body: unknown;
  readonly query: unknown;
  readonly params: unknown;
  readonly headers: unknown;
}

/** The error as it is, but for whatever its text and those of its causes quote of the request. */
export function withoutValues(error: unknown, { body, query, params, headers }: Asked): unknown {
  const { authorization, 'idempotency-key': key } = (headers ?? {}) as Record<string, unknown>;
  const values = valuesOf([body, query, params, key, authorization]);
  if (values.length === 0) return error;
  // The longer first: one may be a part of another.
  const any = values.sort((a, b) => b.length - a.length).map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return hide(error, new RegExp(`(?<!\\w)(?:${any.join('|')})(?!\\w)`, 'g'));
}

function hide(error: unknown, values: RegExp): unknown {
  if (!(error instanceof Error)) return error;
  // Its kind, its code and where it was thrown stay as they are.
  return Object.create(error, {
    message: { value: error.message.replace(values, HIDDEN) },
    ...(error.cause === undefined ? {} : { cause: { value: hide(error.cause, values) } }),
  });
}

function valuesOf(root: unknown): string[] {
  const found = new Set<string>();
  const rest = [root];
  while (rest.length > 0 && found.size < VALUES_MAX) {
    const value = rest.pop();
    if (typeof value === 'object' && value !== null) rest.push(...Object.values(value));
    else if (['string', 'number', 'bigint'].includes(typeof value) && value !== '') found.add(String(value));
  }
  return [...found];
}
