/** Reports as text for a terminal and as JSON. */
import { isCurrency } from '../ledger/currencies.ts';
import { formatMoney } from '../ledger/money.ts';
import type { Break } from './breaks.ts';
import { type MatchSummary, OUTCOMES, type ReconciliationItem } from './outcomes.ts';
import type { Reconciled } from './reconcile.ts';
import type { VerifyReport } from './verify.ts';

/** Lines of breaks or differences that a terminal is shown; the JSON has all that were kept. */
const ROWS_MAX = 50;
/** Hex digits of a hash that a person compares. */
const HASH_SHOWN = 16;

/** The result of `kvitt reconcile`. Ends with a line end. */
export function renderReconciliation({ report, items }: Reconciled): string {
  const { id, status, failure, internal, external } = report;
  if (status === 'failed') return `Reconciliation ${id} failed: ${clean(failure ?? '')}\n`;
  const parts = [internal === null ? '' : renderVerification(internal)];
  if (external !== null) parts.push(renderMatch(external, items));
  parts.push(`${report.ok ? 'Reconciled' : 'NOT reconciled'}: ${id}\n`);
  return parts.join('\n');
}

/** The result of `kvitt verify`. Ends with a line end. */
export function renderVerification(report: VerifyReport): string {
  const { ok, books, accounts, claims, pending, trialBalance, breaks, breakCount, durationMs } = report;
  const entries = books.reduce((sum, book) => sum + book.entries, 0);
  const parts = [
    `Ledger: ${ok ? 'verified, nothing broken' : `${breakCount} ${breakCount === 1 ? 'break' : 'breaks'} found`}`,
    `entries ${entries}, accounts ${accounts}, claims ${claims} (pending ${pending}), ${(durationMs / 1000).toFixed(1)} s\n`,
    table(
      ['book', 'blocks', 'entries', 'postings', 'height', 'hash'],
      books.map((book) => [
        ...[book.book, book.blocks, book.entries, book.postings, book.height].map(String),
        book.hash === null ? '?' : `${book.hash.slice(0, HASH_SHOWN)}…`,
      ]),
      'rrrrrl',
    ),
    table(
      ['currency', 'accounts', 'debit', 'credit', 'sum'],
      trialBalance.map(({ currency, accounts, debit, credit, sum }) => [
        currency,
        String(accounts),
        ...[debit, credit, sum].map((amount) => money(amount, currency)),
      ]),
      'lrrrr',
    ),
  ];
  if (breaks.length > 0) parts.push(renderBreaks(breaks, breakCount));
  return parts.join('\n');
}

function renderBreaks(breaks: readonly Break[], count: number): string {
  const rows = breaks.slice(0, ROWS_MAX).map((one) => {
    const sides = one.expected === null ? '' : ` (expected ${one.expected}, found ${one.actual})`;
    return [one.kind, String(one.book ?? ''), String(one.height ?? ''), one.message + sides];
  });
  return table(['break', 'book', 'height', 'what'], rows, 'lrrl') + more(rows.length, count, 'breaks');
}

function renderMatch(summary: MatchSummary, items: readonly ReconciliationItem[]): string {
  const { from, to, windowDays, account, records, payments, counts, differences, totals } = summary;
  const only = account === null ? '' : `, only payments of ${account}`;
  const parts = [
    `Statement: ${differences === 0 ? 'all matched' : `${differences} ${differences === 1 ? 'difference' : 'differences'}`}`,
    `${from} to ${to}, dates within ${windowDays} d${clean(only)}: ${records} records, ${payments} payments\n`,
    table(
      ['outcome', 'count'],
      OUTCOMES.map((outcome) => [outcome, String(counts[outcome])]),
      'lr',
    ),
    table(
      ['currency', 'statement', 'ledger', 'difference', 'matched'],
      totals.map(({ currency, statement, ledger, difference, matched }) => [
        currency,
        ...[statement, ledger, difference, matched].map((amount) => money(amount, currency)),
      ]),
      'lrrrr',
    ),
  ];
  if (items.length > 0) parts.push(renderItems(items, differences));
  return parts.join('\n');
}

function renderItems(items: readonly ReconciliationItem[], count: number): string {
  const rows = items
    .slice(0, ROWS_MAX)
    .map(({ outcome, reference, statement, payment, message }) => [
      statement === null ? '' : String(statement.line),
      outcome,
      reference,
      payment?.id ?? '',
      message,
    ]);
  return (
    table(['line', 'outcome', 'reference', 'payment', 'what'], rows, 'rllll') + more(rows.length, count, 'differences')
  );
}

function more(shown: number, count: number, what: string): string {
  return count > shown ? `… and ${count - shown} more ${what}; --json lists them\n` : '';
}

/** An amount without its currency, which has its own column. In minor units when a damaged ledger has no such currency. */
function money(amount: bigint, currency: string): string {
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
function clean(text: string): string {
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
