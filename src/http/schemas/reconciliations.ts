/** Queries and bodies of reconciliations and breaks. */
import { z } from 'zod';
import { currency, description } from '../../payments/schema.ts';
import { BREAK_CAUSES } from '../../resources/schemas.ts';
import { pageFields, toPageChecked } from './queries.ts';
import { createTransactionBody } from './requests.ts';

const FORMATS = ['camt053', 'mt940', 'csv', 'psp'] as const;
const REPORT_FORMATS = ['json', 'csv', 'html'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];
export const REPORT_TYPES: Readonly<Record<ReportFormat, string>> = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  html: 'text/html; charset=utf-8',
};

const REASON_MAX = 500;
const TEXT_MAX = 2_000;

const day = z.iso.date('must be a date such as 2026-01-31').optional();
const dayCount = z
  .string()
  .regex(/^(?:[12]?[0-9]|30)$/, 'must be 0 to 30')
  .transform(Number)
  .optional();
const source = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, 'must be the name of a source')
  .optional();
const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((text) => text === 'true')
  .optional();
const who = z
  .string()
  .min(1, 'must name somebody')
  .max(100)
  .regex(/^[ -~\u00a0-\uffff]*$/, 'must have no control characters');

export const reconciliationParams = z.strictObject({ id: z.string().regex(/^rec_[0-9A-Za-z-]{1,64}$/) });
export const breakParams = z.strictObject({ id: z.string().regex(/^brk_[0-9A-Za-z-]{1,64}$/) });

export const startQuery = z.strictObject({
  source: source.meta({ description: 'Whose statement it is, as the settings name it; `default` unless given.' }),
  format: z
    .enum(FORMATS, `must be one of ${FORMATS.join(', ')}`)
    .optional()
    .meta({
      description: 'Told from the file unless given.',
    }),
  name: who.optional().meta({ description: 'Name of the file, for people.' }),
  from: day.meta({ description: 'First day of the period; that of the statement unless given.' }),
  to: day.meta({ description: 'Last day of the period.' }),
  window_days: dayCount.meta({
    description: 'How many days the dates of the same money may be apart; that of the source unless given.',
  }),
  timing_days: dayCount.meta({
    description: 'What the ledger has so few days before the end may be in the next statement.',
  }),
  account: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9:_.-]{0,127}\*?$/, 'must be the id of an account, or its beginning and *')
    .optional()
    .meta({ description: 'Only what is posted to this account; `world:*` means all that begin with `world:`.' }),
  full: flag.meta({
    description: 'true: all of the ledger is verified; else what is new, and all of it once a week.',
  }),
  dry_run: flag.meta({ description: 'true: only to see what would come of it. No match and no break is kept.' }),
});

/** {@link startQuery} in the words of the room. */
export interface StartQuery {
  source?: string | undefined;
  format?: (typeof FORMATS)[number] | undefined;
  name?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  windowDays?: number | undefined;
  timingDays?: number | undefined;
  account?: string | undefined;
  dryRun?: boolean | undefined;
  isFull?: boolean | undefined;
}

export function toStart(query: z.output<typeof startQuery>): StartQuery {
  const { window_days: windowDays, timing_days: timingDays, dry_run: dryRun, full: isFull, ...same } = query;
  return { ...same, windowDays, timingDays, dryRun, isFull };
}

export const reconciliationsQuery = toPageChecked({
  ...pageFields,
  source,
  status: z.enum(['running', 'succeeded', 'failed'], 'must be running, succeeded or failed').optional(),
});

export const reportQuery = z.strictObject({
  format: z.enum(REPORT_FORMATS, `must be one of ${REPORT_FORMATS.join(', ')}`).default('html'),
});

export const matchResource = z
  .looseObject({
    object: z.literal('reconciliation_match'),
    id: z.string().meta({ description: 'Its position, from 1.' }),
    rule: z.string(),
    confidence: z.number().meta({ description: 'How sure it is: above 0, at most 1.' }),
    lines: z.array(z.int()).meta({ description: 'Lines of the file.' }),
    breaks: z.array(z.string()).meta({ description: 'Of lines of earlier statements: the breaks they were in.' }),
    items: z.array(z.string()).meta({ description: 'Transactions of the ledger.' }),
    amount: z.string(),
    currency: z.string(),
  })
  .meta({ id: 'ReconciliationMatch' });

export const breaksQuery = toPageChecked({
  ...pageFields,
  source,
  status: z.enum(['open', 'resolved'], 'must be open or resolved').optional(),
  cause: z.enum(BREAK_CAUSES, `must be one of ${BREAK_CAUSES.join(', ')}`).optional(),
  currency: currency.optional(),
  assignee: who.optional(),
  unassigned: flag.meta({ description: 'true: those that nobody looks into.' }),
  older_than_days: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a number of days')
    .transform(Number)
    .optional(),
});

export const ageingQuery = z.strictObject({ source });

export const ageingResource = z
  .strictObject({
    object: z.literal('break_ageing'),
    data: z.array(
      z.strictObject({
        source: z.string(),
        cause: z.enum(BREAK_CAUSES),
        currency: z.string(),
        age_days: z.int(),
        count: z.int(),
        amount: z.string(),
      }),
    ),
  })
  .meta({ id: 'BreakAgeing' });

export const assignBody = z.strictObject({
  assignee: who.nullable().meta({ description: 'Who looks into it; null: nobody.' }),
});

export const commentBody = z.strictObject({ text: z.string().trim().min(1, 'must say something').max(TEXT_MAX) });

export const resolveBody = z.strictObject({
  reason: description
    .min(1, 'must say why')
    .max(REASON_MAX)
    .meta({ description: 'Why it may stay, or what the transaction is for.' }),
  transaction: createTransactionBody
    .optional()
    .meta({ description: 'Posted first; once for a break, however often it is asked for.' }),
});
