/** A report as one table for a spreadsheet: RFC 4180, UTF-8 with a byte order mark, without which Excel reads Latin-1. */
import { money } from '../resources/text.ts';
import { dayOf, dayText } from '../statements/statement.ts';
import {
  ageDays,
  breakPages,
  differenceOf,
  matchPages,
  type PositionedMatch,
  type ReportSources,
} from './report-sources.ts';
import type { Break, Reconciliation, Resolution } from './types.ts';

const BYTE_ORDER_MARK = '\ufeff';

/**
 * `id` is that of a break, or the position of a match: its rows belong together. Amounts are in major units and without
 * sign (`direction` says which way the money went), `difference` is statement less ledger, days are `YYYY-MM-DD`.
 */
const COLUMNS = [
  'kind',
  'id',
  'rule',
  'confidence',
  'cause',
  'status',
  'reference',
  'direction',
  'statement_line',
  'statement_date',
  'statement_amount',
  'currency',
  'ledger_id',
  'ledger_date',
  'ledger_amount',
  'ledger_currency',
  'difference',
  'message',
  'assignee',
  'age_days',
  'resolution',
] as const;

/** Words are quoted and guarded; numbers, dates and empty cells stand as they are. */
type Cell = { readonly text: string } | { readonly plain: string | number } | null;
type Row = Readonly<Partial<Record<(typeof COLUMNS)[number], Cell>>>;

export async function* renderCsv(sources: ReportSources, { id }: Reconciliation): AsyncGenerator<string> {
  yield `${BYTE_ORDER_MARK}${COLUMNS.join(',')}\r\n`;
  for await (const page of breakPages(sources, id)) {
    for (const one of page) yield csvRow(breakRow(one, sources));
  }
  for await (const page of matchPages(sources, id)) {
    for (const match of page) yield* matchRows(match);
  }
}

function breakRow(one: Break, { clock }: ReportSources): Row {
  const { line, item } = one;
  const difference = differenceOf(one);
  return {
    kind: text('break'),
    id: text(one.id),
    cause: text(one.cause),
    status: text(one.status),
    reference: text(one.reference),
    direction: text(line?.direction ?? item?.direction ?? null),
    statement_line: line && { plain: line.line },
    statement_date: line && { plain: dayText(line.day) },
    statement_amount: line && amount(line.amount, line.currency),
    currency: text(one.currency),
    ledger_id: text(item?.id ?? null),
    ledger_date: item && { plain: dayText(dayOf(new Date(item.at))) },
    ledger_amount: item && amount(item.amount, item.currency),
    ledger_currency: text(item?.currency ?? null),
    difference: difference === null ? null : amount(difference, one.currency),
    message: text(one.message),
    assignee: text(one.assignee),
    age_days: { plain: ageDays(one, clock) },
    resolution: text(one.resolution && resolutionText(one.resolution)),
  };
}

/**
 * A row for each line or item of the longer side, so that lines and items can be looked up. The sum of the lines stands in
 * the first row only, so that the column can be added up; what each of several is, and what the items are, is not kept.
 */
function* matchRows({ position, rule, confidence, lines, breaks, items, amount: sum, currency }: PositionedMatch) {
  const rows = Math.max(lines.length + breaks.length, items.length);
  for (let at = 0; at < rows; at++) {
    const line = lines[at];
    const before = line === undefined ? breaks[at - lines.length] : undefined;
    const item = items[at];
    yield csvRow({
      kind: text('matched'),
      id: { plain: position },
      rule: text(rule),
      confidence: { plain: confidenceText(confidence) },
      statement_line: line === undefined ? null : { plain: line },
      statement_amount: at === 0 ? amount(sum, currency) : null,
      currency: text(currency),
      ledger_id: text(item ?? null),
      ledger_currency: text(item === undefined ? null : currency),
      message: text(before === undefined ? null : `a line of an earlier statement: until then break ${before}`),
    });
  }
}

function confidenceText(confidence: number): string {
  return confidence.toFixed(2);
}

function resolutionText({ how, by, at, reason, transactionId, rule }: Resolution): string {
  const parts = [reason, rule && `by rule ${rule}`, transactionId && `transaction ${transactionId}`];
  return [`${how} by ${by} on ${dayText(dayOf(at))}`, ...parts.filter((part) => part !== null)].join('; ');
}

function text(value: string | null): Cell {
  return value === null ? null : { text: value };
}

function amount(value: bigint, currency: string): Cell {
  return { plain: money(value, currency) };
}

function csvRow(row: Row): string {
  return `${COLUMNS.map((column) => cellText(row[column] ?? null)).join(',')}\r\n`;
}

function cellText(cell: Cell): string {
  if (cell === null) return '';
  if ('plain' in cell) return String(cell.plain);
  const guarded = isFormula(cell.text) ? `'${cell.text}` : cell.text;
  return /[",;\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

/** Would a spreadsheet run it? Those of full width are read as the others by some. */
function isFormula(value: string): boolean {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(value);
}
