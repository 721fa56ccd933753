/** What is answered, as text for a terminal and as JSON. */
import { isCurrency } from '../ledger/currencies.ts';
import { formatMoney } from '../ledger/money.ts';

/** Rows of a table that a terminal is shown; the JSON has all that were kept. */
export const ROWS_MAX = 50;

/** Says what {@link ROWS_MAX} left out. */
export function more(shown: number, count: number, what: string): string {
  return count > shown ? `… and ${count - shown} more ${what}; --json lists them\n` : '';
}

/** An amount without its currency, which has its own column. In minor units when a damaged ledger has no such currency. */
export function money(amount: bigint, currency: string): string {
  if (!isCurrency(currency)) return String(amount);
  return formatMoney(amount, currency).slice(0, -currency.length - 1);
}

/** Columns side by side; `align` has one letter a column, `l` or `r`. Ends with a line end. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], align: string): string {
  const lines = [head, ...rows].map((row) => row.map(clean));
  const widths = head.map((_, column) => lines.reduce((width, line) => Math.max(width, line[column]!.length), 0));
  const text = lines.map((line) =>
    line.map((cell, column) => (align[column] === 'r' ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))),
  );
  return `${text.map((cells) => cells.join('  ').trimEnd()).join('\n')}\n`;
}

/** Text of files and of the ledger must not command the terminal. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** Any report as JSON: snake_case, `bigint` as text of digits, times in RFC 3339. Ends with a line end. */
export function renderJson(report: unknown): string {
  return `${JSON.stringify(toJson(report), null, 2)}\n`;
}

/** The same as plain data. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [snakeCase(name), toJson(member)]));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
