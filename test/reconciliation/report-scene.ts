/** Reconciliations, breaks and matches for reports to be made of, and what reports are made from, over memory. */
import { CAUSES, type Cause, RULES, type RuleName } from '../../src/matching/types.ts';
import { type Page, type PageQuery, PaymentsError } from '../../src/payments/types.ts';
import type { AgeingBucket } from '../../src/reconciliation/breaks.ts';
import { type ReportFormat, renderReport } from '../../src/reconciliation/reports.ts';
import { sourceSchema } from '../../src/reconciliation/source.ts';
import type {
  Break,
  BreakItem,
  BreakLine,
  External,
  KeptMatch,
  Reconciliation,
} from '../../src/reconciliation/types.ts';
import { parseDay } from '../../src/statements/statement.ts';
import type { VerifyReport } from '../../src/verification/verify.ts';

export const DAY_MS = 86_400_000;
/** 2026-11-28 13:30 UTC */
export const NOW = Date.UTC(2026, 10, 28, 13, 30);
export const ID = 'rec_01a212cb-925d-7a96-b27e-b8921a71afd1';

export function day(text: string): number {
  return parseDay(text)!;
}

export function causes(counts: Partial<Record<Cause, number>> = {}): Record<Cause, number> {
  return { ...(Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>), ...counts };
}

export function rules(counts: Partial<Record<RuleName, number>> = {}): Record<RuleName, number> {
  return { ...(Object.fromEntries(RULES.map((rule) => [rule, 0])) as Record<RuleName, number>), ...counts };
}

export function verified(change: Partial<VerifyReport> = {}): VerifyReport {
  return {
    ok: true,
    mode: 'full',
    since: null,
    books: [
      { book: 0, above: 0, blocks: 1_210, entries: 2_420, postings: 4_840, height: 1_210, hash: 'ab12'.repeat(16) },
    ],
    accounts: 42,
    claims: 2_420,
    pending: 0,
    trialBalance: [{ currency: 'EUR', debit: -1_234_567n, credit: 1_234_567n, sum: 0n, accounts: 42 }],
    breaks: [],
    breakCount: 0,
    durationMs: 812,
    ...change,
  };
}

export function external(change: Partial<External> = {}): External {
  return {
    ...{ lines: 3, items: 3, matchedLines: 2, matchedItems: 2, byRule: rules({ reference: 2 }) },
    ...{ byCause: causes({ amount_differs: 1 }), openedByCause: causes({ amount_differs: 1 }) },
    totals: [{ currency: 'EUR', statement: 123_456_049n, ledger: 123_456_050n, matched: 123_455_000n }],
    overTime: [
      { day: day('2026-11-25'), lines: 2, matched: 2 },
      { day: day('2026-11-26'), lines: 1, matched: 0 },
    ],
    ...{ from: day('2026-11-25'), to: day('2026-11-26'), account: null, windowDays: 1 },
    ...{ breaksOpened: 1, breaksOverdue: 0, breaksResolved: 0, open: causes({ amount_differs: 1 }) },
    ...change,
  };
}

/** One that has ended; of a statement of three lines, one of which differs. */
export function reconciliation(change: Partial<Reconciliation> = {}): Reconciliation {
  const [from, to] = [day('2026-11-25'), day('2026-11-26')];
  return {
    ...{
      id: ID,
      source: 'main-bank',
      kind: 'statement',
      status: 'succeeded',
      step: null,
      startedBy: 'anna@example.com',
    },
    ...{
      startedAt: new Date(NOW - 60_000),
      finishedAt: new Date(NOW - 58_000),
      ok: false,
      failure: null,
      dryRun: false,
      isFull: false,
    },
    file: {
      ...{ name: 'november.xml', sha256: 'c0ffee'.padEnd(64, '0'), format: 'camt053', bytes: 4_096, lines: 3 },
      statements: [
        {
          ...{ id: '2026/11', account: 'DE89370400440532013000', currency: 'EUR', from, to, lines: 3 },
          ...{ opening: 100_000n, closing: -250_050n },
        },
      ],
    },
    config: { ...sourceSchema.parse({}), from, to },
    ...{ asOf: [{ book: 0, height: 1_210 }], attempts: 1, internal: verified(), external: external(), preview: null },
    ...{ scheduledFor: null, progress: null },
    ...change,
  };
}

export function line(change: Partial<BreakLine> = {}): BreakLine {
  return {
    ...{ reconciliation: ID, line: 3, day: day('2026-11-26'), amount: 1_049n, currency: 'EUR', direction: 'in' },
    ...{ fee: 0n, references: ['INV-1'], text: 'Invoice INV-1', id: null, batch: null, count: null },
    ...change,
  };
}

export function item(change: Partial<BreakItem> = {}): BreakItem {
  return {
    ...{ reconciliation: ID, id: 'txn_01a212cb-925d-7a96-b27e-000000000001', account: null, kind: 'payment' },
    ...{ payment: null, reference: 'INV-1', group: null, amount: 1_050n, currency: 'EUR', direction: 'in' },
    at: day('2026-11-26') * DAY_MS + 3_600_000,
    ...change,
  };
}

/** One in which the amount differs, the first that {@link reconciliation} opened. */
export function breakOf(change: Partial<Break> = {}): Break {
  const position = change.position ?? 1;
  return {
    ...{
      id: `brk_${String(position).padStart(32, '0')}`,
      source: 'main-bank',
      cause: 'amount_differs',
      status: 'open',
    },
    ...{
      currency: 'EUR',
      amount: 1_049n,
      day: day('2026-11-26'),
      expectedBy: null,
      assignee: null,
      reference: 'INV-1',
    },
    ...{ openedAt: new Date(NOW - 60_000), updatedAt: new Date(NOW - 60_000), line: line(), item: item() },
    message: 'the statement has 10.49 EUR on 2026-11-26, the ledger has 10.50 EUR on 2026-11-26',
    ...{ reconciliation: ID, position, comments: [], adjustmentsRejected: 0, resolution: null },
    ...change,
  };
}

export function matchOf(change: Partial<KeptMatch> = {}): KeptMatch {
  return {
    ...{
      rule: 'reference',
      confidence: 1,
      lines: [1],
      breaks: [],
      items: ['txn_01a212cb-925d-7a96-b27e-000000000002'],
    },
    ...{ amount: 1_000n, currency: 'EUR' },
    ...change,
  };
}

export interface Scene {
  readonly reconciliations?: readonly Reconciliation[];
  readonly breaks?: readonly Break[];
  readonly matches?: readonly KeptMatch[];
  readonly ageing?: readonly AgeingBucket[];
}

/** The report on the first of the reconciliations, and how many pages were read for it. */
export async function reportOf(scene: Scene, format: ReportFormat): Promise<{ text: string; pages: number }> {
  const { reconciliations = [reconciliation()], breaks = [], matches = [], ageing = [] } = scene;
  const positioned = matches.map((match, at) => ({ ...match, position: at + 1 }));
  let pages = 0;
  const page = <T>(all: readonly T[], cursorOf: (one: T) => string, { limit, startingAfter }: PageQuery): Page<T> => {
    pages++;
    const from = startingAfter === undefined ? 0 : all.findIndex((one) => cursorOf(one) === startingAfter) + 1;
    return { data: all.slice(from, from + limit), hasMore: all.length > from + limit };
  };
  const source = {
    async get(id: string) {
      const found = reconciliations.find((one) => one.id === id);
      if (found === undefined) throw new PaymentsError('not_found', `there is no reconciliation ${id}`);
      return found;
    },
    list: async (filter: { source?: string | undefined; status?: string | undefined }, query: PageQuery) => {
      const fits = (one: Reconciliation) => one.source === filter.source && one.status === filter.status;
      return page(reconciliations.filter(fits), ({ id }) => id, query);
    },
    breaks: async (_: string, query: PageQuery) => page(breaks, ({ id }) => id, query),
    matches: async (_: string, query: PageQuery) => page(positioned, ({ position }) => String(position), query),
  };
  const clock = { now: () => NOW };
  const id = reconciliations[0]?.id ?? ID;
  const pieces = await renderReport(source, { ageing: async () => [...ageing] }, id, format, clock);
  let text = '';
  for await (const piece of pieces) text += piece;
  return { text, pages };
}
