/** The result of verification as text for a terminal. */

import type { TrialBalanceRow } from '../payments/types.ts';
import { money, more, ROWS_MAX, table } from '../resources/text.ts';
import type { Break } from './breaks.ts';
import type { VerifyReport } from './verify.ts';

/** Hex digits of a hash that a person compares. */
const HASH_SHOWN = 16;

/** The result of `kvitt verify`. Ends with a line end. */
export function renderVerification(report: VerifyReport): string {
  const { ok, books, accounts, claims, pending, trialBalance, breaks, breakCount, durationMs, mode, since } = report;
  const entries = books.reduce((sum, book) => sum + book.entries, 0);
  const what = mode === 'full' ? '' : ` since ${since?.toISOString()}`;
  const found = breakCount === 1 ? '1 break' : `${breakCount} breaks`;
  const parts = [
    `Ledger: ${ok ? `verified${what}, nothing broken` : `${found} found${what}`}`,
    `entries ${entries}, accounts ${accounts}, claims ${claims} (pending ${pending}), ${(durationMs / 1000).toFixed(1)} s\n`,
    mode === 'full' ? renderBooks(books) : renderIncrements(books),
  ];
  if (trialBalance !== null) parts.push(renderTrialBalance(trialBalance));
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

function renderBooks(books: VerifyReport['books']): string {
  const rows = books.map(({ book, blocks, entries, postings, height, hash }) => [
    ...[book, blocks, entries, postings, height].map(String),
    shown(hash),
  ]);
  return table(['book', 'blocks', 'entries', 'postings', 'height', 'hash'], rows, 'rrrrrl');
}

/** With the height above which each was verified. */
function renderIncrements(books: VerifyReport['books']): string {
  const rows = books.map(({ book, above, blocks, entries, postings, height, hash }) => [
    ...[book, above, blocks, entries, postings, height].map(String),
    shown(hash),
  ]);
  return table(['book', 'above', 'blocks', 'entries', 'postings', 'height', 'hash'], rows, 'rrrrrrl');
}

function shown(hash: string | null): string {
  return hash === null ? '?' : `${hash.slice(0, HASH_SHOWN)}…`;
}

function renderTrialBalance(trialBalance: readonly TrialBalanceRow[]): string {
  return table(
    ['currency', 'accounts', 'debit', 'credit', 'sum'],
    trialBalance.map(({ currency, accounts, debit, credit, sum }) => [
      currency,
      String(accounts),
      ...[debit, credit, sum].map((amount) => money(amount, currency)),
    ]),
    'lrrrr',
  );
}
