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
  const begun = mode === 'full' ? 'in full' : `what was added since ${since?.toISOString()}`;
  const entries = books.reduce((sum, book) => sum + book.entries, 0);
  const parts = [
    `Ledger: ${ok ? `verified ${begun}, nothing broken` : `verified ${begun}, ${breakCount} ${breakCount === 1 ? 'break' : 'breaks'} found`}`,
    `entries ${entries}, accounts ${accounts}, claims ${claims} (pending ${pending}), ${(durationMs / 1000).toFixed(1)} s\n`,
    table(
      ['book', 'above', 'blocks', 'entries', 'postings', 'height', 'hash'],
      books.map((book) => [
        ...[book.book, book.above, book.blocks, book.entries, book.postings, book.height].map(String),
        book.hash === null ? '?' : `${book.hash.slice(0, HASH_SHOWN)}…`,
      ]),
      'rrrrrrl',
    ),
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
