export type Status = 'ok' | 'warn' | 'fail';

export interface Check {
  readonly name: string;
  readonly status: Status;
  /** What was found. */
  readonly found: string;
  /** What to do; null when all is well. */
  readonly next: string | null;
}

export function ok(name: string, found: string): Check {
  return { name, status: 'ok', found, next: null };
}

export function warn(name: string, found: string, next: string): Check {
  return { name, status: 'warn', found, next };
}

export function fail(name: string, found: string, next: string): Check {
  return { name, status: 'fail', found, next };
}

export function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The AWS SDK and Node wrap several tries into one error without a text of its own.
  const { code, message } = error as Error & { code?: unknown };
  return message || (code === undefined ? error.name : String(code));
}
