/** The report of a reconciliation, for people and for what they read it with. */
import type { Clock } from '../ledger/ports.ts';
import { toJson } from '../resources/text.ts';
import type { Breaks } from './breaks.ts';
import { presentBreak, presentMatch, presentReconciliation } from './present.ts';
import type { Reconciliations } from './reconciliations.ts';
import { renderCsv } from './report-csv.ts';
import { renderHtml } from './report-html.ts';
import { breakPages, matchPages, type ReportSources } from './report-sources.ts';
import type { Reconciliation } from './types.ts';

export const REPORT_FORMATS = ['json', 'csv', 'html'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** Characters that are given out together: a piece for each row would cost more than the row. */
const PIECE = 65_536;

type Render = (sources: ReportSources, reconciliation: Reconciliation) => AsyncIterable<string>;
const RENDER: Readonly<Record<ReportFormat, Render>> = {
  json: (sources, reconciliation) => together(renderJsonReport(sources, reconciliation)),
  csv: (sources, reconciliation) => together(renderCsv(sources, reconciliation)),
  html: renderHtml,
};

/**
 * In pieces: a report may list 100,000 breaks and a million matches. What is read later may be newer than what was read
 * first, as breaks are worked on meanwhile. What fails on the way is thrown from the pieces.
 *
 * @throws PaymentsError not_found
 */
export async function renderReport(
  reconciliations: Pick<Reconciliations, 'get' | 'list' | 'breaks' | 'matches'>,
  breaks: Pick<Breaks, 'ageing'>,
  id: string,
  format: ReportFormat,
  clock: Clock = Date,
): Promise<AsyncIterable<string>> {
  const reconciliation = await reconciliations.get(id);
  return RENDER[format]({ reconciliations, breaks, clock }, reconciliation);
}

/** `{"reconciliation": {…}, "breaks": […], "matches": […], "ageing": […]}`, as the interface for programs has them. */
async function* renderJsonReport(sources: ReportSources, reconciliation: Reconciliation): AsyncGenerator<string> {
  const { id, source } = reconciliation;
  yield `{"reconciliation":${JSON.stringify(presentReconciliation(reconciliation))},"breaks":[`;
  yield* members(breakPages(sources, id), presentBreak);
  yield '],"matches":[';
  yield* members(matchPages(sources, id), presentMatch);
  yield `],"ageing":${JSON.stringify(toJson(await sources.breaks.ageing(source)))}}\n`;
}

async function* members<T>(pages: AsyncIterable<readonly T[]>, present: (one: T) => unknown): AsyncGenerator<string> {
  let separator = '';
  for await (const page of pages) {
    for (const one of page) {
      yield `${separator}${JSON.stringify(present(one))}`;
      separator = ',\n';
    }
  }
}

async function* together(rows: AsyncIterable<string>): AsyncGenerator<string> {
  let piece = '';
  for await (const row of rows) {
    piece += row;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
