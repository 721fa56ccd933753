/** The result of a reconciliation as text for a terminal. */
import { clean, money, more, ROWS_MAX, table } from '../resources/text.ts';
import { dayText } from '../statements/statement.ts';
import { renderVerification } from '../verification/report.ts';
import type { Break, External, Reconciliation, StatementFile } from './types.ts';

/** What a terminal is shown after `kvitt reconcile`. Ends with a line end. */
export function renderReconciliation(reconciliation: Reconciliation, opened: readonly Break[]): string {
  const { internal, external, file } = reconciliation;
  const parts: string[] = [];
  if (internal !== null) parts.push(renderVerification(internal));
  if (file !== null) parts.push(renderStatement(reconciliation, file));
  if (external !== null) {
    parts.push(renderCompared(external));
    if (opened.length > 0) parts.push(renderOpened(opened, external.breaksOpened));
    const open = renderCounts('open of this source', external.open);
    if (open !== null) parts.push(open);
  }
  parts.push(`${lastLine(reconciliation)}\n`);
  return parts.join('\n');
}

function renderStatement({ source, config, dryRun }: Reconciliation, { name, format, lines }: StatementFile): string {
  const period = config === null ? '' : `, ${dayText(config.from)} to ${dayText(config.to)}`;
  const said = `${name ?? 'no name'} (${format}), ${lines} ${lines === 1 ? 'line' : 'lines'}${period}`;
  const dry = dryRun ? 'Dry run: nothing of it is kept\n' : '';
  return `Statement of ${clean(source)}: ${clean(said)}\n${dry}`;
}

function renderCompared(external: External): string {
  const { lines, items, matchedLines, matchedItems, byRule, totals, breaksOpened, breaksOverdue, breaksResolved } =
    external;
  const overdue = breaksOverdue === 0 ? '' : `, overdue ${breaksOverdue}`;
  const parts = [
    `matched lines ${matchedLines} of ${lines}, items ${matchedItems} of ${items}; breaks opened ${breaksOpened}, settled ${breaksResolved}${overdue}\n`,
    renderCounts('matches by rule', byRule),
  ];
  if (totals.length > 0) {
    const rows = totals.map(({ currency, statement, ledger, matched }) => [
      currency,
      ...[statement, ledger, statement - ledger, matched].map((amount) => money(amount, currency)),
    ]);
    parts.push(table(['currency', 'statement', 'ledger', 'difference', 'matched'], rows, 'lrrrr'));
  }
  return parts.filter((part) => part !== null).join('\n');
}

/** Those that are not zero; null: all are. */
function renderCounts(what: string, counts: Readonly<Record<string, number>>): string | null {
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  if (rows.length === 0) return null;
  return table(
    [what, 'count'],
    rows.map(([name, count]) => [name, String(count)]),
    'lr',
  );
}

function renderOpened(opened: readonly Break[], count: number): string {
  const rows = opened
    .slice(0, ROWS_MAX)
    .map(({ line, cause, reference, item, message }) => [
      ...[String(line?.line ?? ''), cause, reference ?? '', item?.id ?? '', message],
    ]);
  return (
    table(['line', 'cause', 'reference', 'ledger id', 'message'], rows, 'rllll') + more(rows.length, count, 'breaks')
  );
}

function lastLine({ id, status, step, ok, failure }: Reconciliation): string {
  if (status === 'failed') return clean(`Reconciliation ${id} failed: ${failure ?? 'it is not known why'}`);
  if (status === 'running') return clean(`Reconciliation ${id} is running: ${step ?? 'it waits'}`);
  return clean(`${ok ? 'Reconciled' : 'NOT reconciled'}: ${id}`);
}
