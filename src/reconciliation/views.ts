import type { CreateTransaction, Page, PageQuery } from '../payments/types.ts';
import type { BreakResource, ReconciliationResource } from '../resources/schemas.ts';
import { toJson } from '../resources/text.ts';
import type { StatementFormat } from '../statements/reader.ts';
import { parseDay } from '../statements/statement.ts';
import type { Breaks } from './breaks.ts';
import type { BreakFilter, ReconciliationFilter } from './ports.ts';
import { presentBreak, presentMatch, presentReconciliation } from './present.ts';
import type { Reconciliations } from './reconciliations.ts';
import { type ReportFormat, renderReport } from './reports.ts';

const UPLOAD_BYTES_MAX = 2 ** 30;

/** As the query of the upload has them; days as `YYYY-MM-DD`. */
export interface StartQuery {
  readonly source?: string | undefined;
  readonly format?: StatementFormat | undefined;
  readonly name?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly windowDays?: number | undefined;
  readonly timingDays?: number | undefined;
  readonly account?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly isFull?: boolean | undefined;
}

type Plain = Readonly<Record<string, unknown>>;

/** {@link Reconciliations} and {@link Breaks}, with plain data in and out: what the HTTP room is given. */
export class ReconciliationViews {
  constructor(
    readonly reconciliations: Reconciliations,
    readonly breaks: Breaks,
  ) {}

  /** `isKnown`: the same file came before. */
  async start(
    statement: AsyncIterable<Uint8Array>,
    { from, to, ...query }: StartQuery,
    startedBy: string,
  ): Promise<{ reconciliation: ReconciliationResource; isKnown: boolean }> {
    const days = { from: dayFrom(from), to: dayFrom(to) };
    const options = { ...query, ...days, startedBy, bytesMax: UPLOAD_BYTES_MAX };
    const { reconciliation, isKnown } = await this.reconciliations.import(statement, options);
    return { reconciliation: presentReconciliation(reconciliation), isKnown };
  }

  async begin(startedBy: string, isFull: boolean): Promise<ReconciliationResource> {
    return presentReconciliation(await this.reconciliations.begin(startedBy, isFull));
  }

  async get(id: string): Promise<ReconciliationResource> {
    return presentReconciliation(await this.reconciliations.get(id));
  }

  async list(filter: ReconciliationFilter, page: PageQuery): Promise<Page<ReconciliationResource>> {
    return mapped(await this.reconciliations.list(filter, page), (one) =>
      presentReconciliation(one, { isBrief: true }),
    );
  }

  async items(id: string, page: PageQuery): Promise<Page<BreakResource>> {
    return mapped(await this.reconciliations.breaks(id, page), (one) => presentBreak(one));
  }

  async matches(id: string, page: PageQuery): Promise<Page<Plain>> {
    return mapped(await this.reconciliations.matches(id, page), presentMatch);
  }

  /** In pieces. */
  report(id: string, format: ReportFormat): Promise<AsyncIterable<string>> {
    return renderReport(this.reconciliations, this.breaks, id, format);
  }

  async listBreaks(filter: BreakFilter & { olderThanDays?: number | undefined }, page: PageQuery) {
    return mapped(await this.breaks.list(filter, page), (one) => presentBreak(one));
  }

  async getBreak(id: string): Promise<BreakResource> {
    return presentBreak(await this.breaks.get(id));
  }

  async assign(id: string, assignee: string | null): Promise<BreakResource> {
    return presentBreak(await this.breaks.assign(id, assignee));
  }

  async comment(id: string, by: string, text: string): Promise<BreakResource> {
    return presentBreak(await this.breaks.comment(id, by, text));
  }

  async resolve(id: string, by: string, reason: string, transaction?: CreateTransaction): Promise<BreakResource> {
    return presentBreak(await this.breaks.resolve(id, by, { reason, transaction }));
  }

  async ageing(source?: string): Promise<Plain> {
    const data = (await this.breaks.ageing(source)).map((row) => toJson(row) as Plain);
    return { object: 'break_ageing', data };
  }
}

function mapped<T, U>({ data, hasMore }: Page<T>, present: (one: T) => U): Page<U> {
  return { data: data.map((one) => present(one)), hasMore };
}

function dayFrom(text: string | undefined): number | undefined {
  return text === undefined ? undefined : (parseDay(text) ?? undefined);
}
