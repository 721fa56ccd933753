/** Reconciliations and breaks as they are answered, sent and reported: plain snake_case data, amounts as text. */
import type { LedgerItem } from '../matching/types.ts';
import type { BreakResource, ReconciliationResource } from '../resources/schemas.ts';
import { toJson } from '../resources/text.ts';
import { dayText } from '../statements/statement.ts';
import type { StatementInfo } from '../statements/types.ts';
import type { Break, BreakLine, External, KeptMatch, Reconciliation, StatementFile } from './types.ts';

type Plain = Readonly<Record<string, unknown>>;

/** `isBrief`: without the lists, for those who are only told that it ended. */
export function presentReconciliation(
  { config, internal, external, file, preview: _, ...rest }: Reconciliation,
  { isBrief = false } = {},
): ReconciliationResource {
  const { asOf, startedAt, finishedAt, startedBy, scheduledFor, dryRun, isFull, ...same } = rest;
  return {
    object: 'reconciliation',
    ...same,
    started_at: startedAt.toISOString(),
    started_by: startedBy,
    finished_at: finishedAt?.toISOString() ?? null,
    scheduled_for: scheduledFor?.toISOString() ?? null,
    dry_run: dryRun,
    full: isFull,
    as_of: isBrief ? undefined : asOf,
    file: file && presentFile(file, isBrief),
    period: config && { from: dayText(config.from), to: dayText(config.to) },
    internal: internal && (isBrief ? { ok: internal.ok, break_count: internal.breakCount } : toJson(internal)),
    external: external && presentExternal(external),
    counts: external && {
      matched_lines: external.matchedLines,
      matched_items: external.matchedItems,
      breaks_opened: external.breaksOpened,
      breaks_resolved: external.breaksResolved,
      by_cause: { ...external.openedByCause },
    },
  };
}

function presentFile({ name, sha256, format, bytes, lines, statements }: StatementFile, isBrief: boolean) {
  const shared = { name, sha256, format: format as string, bytes, lines };
  return isBrief ? shared : { ...shared, statements: statements.map(presentStatement) };
}

function presentStatement({ from, to, ...info }: StatementInfo): Plain {
  return { ...(toJson(info) as Plain), from: dayOrNull(from), to: dayOrNull(to) };
}

function presentExternal({ from, to, byRule, byCause, openedByCause, open, overTime, ...external }: External): Plain {
  const over_time = overTime.map(({ day, lines, matched }) => ({ date: dayText(day), lines, matched }));
  const counts = { by_rule: byRule, by_cause: byCause, opened_by_cause: openedByCause, open, over_time };
  return { from: dayText(from), to: dayText(to), ...(toJson(external) as Plain), ...counts };
}

/** `isBrief`: without what people wrote about it. */
export function presentBreak(one: Break, { isBrief = false } = {}): BreakResource {
  const { openedAt, updatedAt, amount, day, expectedBy, line, item, comments, resolution, ...same } = one;
  const { adjustmentsRejected: _, ...rest } = same;
  return {
    object: 'break',
    ...rest,
    amount: String(amount),
    date: dayText(day),
    expected_by: dayOrNull(expectedBy),
    opened_at: openedAt.toISOString(),
    updated_at: updatedAt.toISOString(),
    statement_line: line && presentLine(line),
    ledger_item: item && presentItem(item),
    ...(isBrief ? {} : { comments: comments.map(({ by, at, text }) => ({ by, at: at.toISOString(), text })) }),
    resolution: resolution && {
      by: resolution.by,
      at: resolution.at.toISOString(),
      how: resolution.how,
      reason: resolution.reason,
      transaction_id: resolution.transactionId,
      reconciliation: resolution.reconciliation,
      rule: resolution.rule,
    },
  };
}

function presentLine({ day, ...line }: BreakLine): Plain {
  return { ...(toJson(line) as Plain), date: dayText(day) };
}

function presentItem({ at, reconciliation: _, ...item }: LedgerItem & { reconciliation?: string }): Plain {
  return { ...(toJson(item) as Plain), at: new Date(at).toISOString() };
}

export function presentMatch({ position, ...match }: KeptMatch & { readonly position: number }): Plain {
  return { object: 'reconciliation_match', id: String(position), ...(toJson(match) as Plain) };
}

function dayOrNull(day: number | null): string | null {
  return day === null ? null : dayText(day);
}
