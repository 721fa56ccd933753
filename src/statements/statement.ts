/** What is wrong with a statement, and how days are written and read. */
type StatementErrorCode = 'statement_invalid' | 'statement_too_large';

/** The statement cannot be used. Nothing was compared and nothing was kept. */
export class StatementError extends Error {
  override readonly name = 'StatementError';
  readonly code: StatementErrorCode;
  constructor(
    /** What is wrong and what would be right, for people; without the line. */
    readonly reason: string,
    /** Line of the file, from 1; null when it is no single line's fault. */
    readonly line: number | null = null,
    options?: ErrorOptions & { readonly code?: StatementErrorCode },
  ) {
    super(line === null ? reason : `line ${line}: ${reason}`, options);
    this.code = options?.code ?? 'statement_invalid';
  }
}

export const DAY_MS = 86_400_000;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const DATE_TIME =
  /^(\d{4}-\d{2}-\d{2})[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** `2026-02-28`, or an RFC 3339 time, as its UTC day since 1970-01-01; null for anything else, such as February 30. */
export function parseDay(text: string): number | null {
  const time = DATE_TIME.exec(text);
  const date = DATE.exec(time === null ? text : time[1]!);
  if (date === null) return null;
  const [year, month, day] = [Number(date[1]), Number(date[2]), Number(date[3])];
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (year < 1970 || midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return null;
  return dayOf(time === null ? midnight : new Date(text.replace(' ', 'T')));
}

/** The UTC day of a time in milliseconds since the epoch, in days since 1970-01-01. */
export function dayAt(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/** The UTC day of a time, in days since 1970-01-01. */
export function dayOf(time: Date): number {
  return dayAt(time.getTime());
}

/** `YYYY-MM-DD` */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Text of a file as part of a message: short, and without characters that a terminal would obey. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
