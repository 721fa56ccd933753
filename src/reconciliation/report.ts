/** The result of a reconciliation as text for a terminal. */
import { clean, money, more, ROWS_MAX, table } from '../resources/text.ts';
import { renderVerification } from '../verification/report.ts';
import { type MatchSummary, OUTCOMES, type ReconciliationItem } from './outcomes.ts';
import type { Reconciled } from './reconcile.ts';

/** The result of `kvitt reconcile`. Ends with a line end. */
export function renderReconciliation({ report, items }: Reconciled): string {
  const { id, status, failure, internal, external } = report;
  if (status === 'failed') return `Reconciliation ${id} failed: ${clean(failure ?? '')}\n`;
  const parts = [internal === null ? '' : renderVerification(internal)];
  if (external !== null) parts.push(renderMatch(external, items));
  parts.push(`${report.ok ? 'Reconciled' : 'NOT reconciled'}: ${id}\n`);
  return parts.join('\n');
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
