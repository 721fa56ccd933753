import type { Clock } from '../ledger/ports.ts';
import { type CreateTransaction, type Page, type PageQuery, PaymentsError } from '../payments/types.ts';
import { dayAt } from '../statements/statement.ts';
import type { AdjustmentPoster, AgeingRow, BreakFilter, BreakStore, NoticeSink } from './ports.ts';
import type { Break, Resolution } from './types.ts';

/** The transaction that was to adjust a break was rejected: nothing was moved, and the break is as it was. */
class AdjustmentRejected extends Error {
  override readonly name = 'AdjustmentRejected';
  readonly code = 'adjustment_rejected';
  constructor(
    readonly reason: string,
    readonly transactionId: string,
  ) {
    super(`the ledger rejected the adjusting transaction ${transactionId}: ${reason}; the break is still open`);
  }
}

/** Something about a break that is not open any more. */
class BreakResolved extends Error {
  override readonly name = 'BreakResolved';
  readonly code = 'break_resolved';
}

export interface AgeingBucket {
  readonly source: string;
  readonly cause: Break['cause'];
  readonly currency: string;
  /** Whole days from the day of the break until today. */
  readonly ageDays: number;
  readonly count: number;
  readonly amount: bigint;
}

interface BreaksDeps {
  readonly store: BreakStore;
  readonly adjustments: AdjustmentPoster;
  readonly notices: NoticeSink;
  readonly clock: Clock;
}

export interface ResolveRequest {
  readonly reason: string;
  /** Posted before the break is resolved; once for each break, whoever asks for it and however often. */
  readonly transaction?: CreateTransaction | undefined;
}

/** The work list. Whatever changes a break is told who does it; keeping an audit of it is up to the caller. */
export class Breaks {
  constructor(readonly deps: BreaksDeps) {}

  list(filter: BreakFilter & { readonly olderThanDays?: number | undefined }, page: PageQuery): Promise<Page<Break>> {
    const { olderThanDays, ...rest } = filter;
    const upToDay = olderThanDays === undefined ? undefined : this.#today() - olderThanDays;
    return this.deps.store.list({ ...rest, upToDay }, page);
  }

  /** @throws PaymentsError not_found */
  async get(id: string): Promise<Break> {
    const found = await this.deps.store.get(id);
    if (found === null) throw new PaymentsError('not_found', `there is no break ${id}`);
    return found;
  }

  async ageing(source?: string): Promise<AgeingBucket[]> {
    const today = this.#today();
    return (await this.deps.store.ageing(source)).map(({ day, ...row }: AgeingRow) => ({
      ...row,
      ageDays: Math.max(0, today - day),
    }));
  }

  /** `assignee` null: nobody. @throws PaymentsError not_found @throws BreakResolved */
  async assign(id: string, assignee: string | null): Promise<Break> {
    await this.#isOpen(id);
    const isChanged = await this.deps.store.change(id, { assignee }, new Date(this.deps.clock.now()));
    if (!isChanged) throw resolvedMeanwhile(id);
    return await this.get(id);
  }

  /** @throws PaymentsError not_found */
  async comment(id: string, by: string, text: string): Promise<Break> {
    await this.get(id);
    const isKept = await this.deps.store.comment(id, { by, at: new Date(this.deps.clock.now()), text });
    if (isKept) return await this.get(id);
    throw new PaymentsError('not_found', `break ${id} has as many comments as it may have`);
  }

  /**
   * Says why it may stay, or posts the transaction that adjusts it and says so. The same once more changes nothing.
   *
   * @throws PaymentsError not_found @throws BreakResolved @throws AdjustmentRejected and what posting throws
   */
  async resolve(id: string, by: string, { reason, transaction }: ResolveRequest): Promise<Break> {
    const before = await this.get(id);
    if (before.status === 'resolved') return isSame(before, by, reason) ? await this.#told(before) : refuse(before);
    const transactionId = transaction === undefined ? null : await this.#adjust(before, transaction);
    const resolution: Resolution = {
      ...{ by, at: new Date(this.deps.clock.now()), how: transactionId === null ? 'reason' : 'adjusted', reason },
      ...{ transactionId, reconciliation: null, rule: null },
    };
    const isResolved = await this.deps.store.resolve(id, resolution);
    const now = await this.get(id);
    if (!isResolved && !isSame(now, by, reason)) return refuse(now);
    return await this.#told(now);
  }

  async #told(resolved: Break): Promise<Break> {
    const notice = { type: 'reconciliation.break_resolved', break: resolved } as const;
    await this.deps.notices.append(`${resolved.id}:resolved`, [notice]);
    return resolved;
  }

  /** One that was rejected has used up its key, and another one may be tried. */
  async #adjust({ id, adjustmentsRejected: before }: Break, transaction: CreateTransaction): Promise<string> {
    const posted = await this.deps.adjustments.post(`${id}:${before}`, transaction);
    if (posted.status !== 'rejected') return posted.id;
    await this.deps.store.change(id, { adjustmentsRejected: before + 1 }, new Date(this.deps.clock.now()));
    throw new AdjustmentRejected(posted.rejectionReason ?? 'unknown', posted.id);
  }

  async #isOpen(id: string): Promise<void> {
    const { status } = await this.get(id);
    if (status === 'resolved') throw resolvedMeanwhile(id);
  }

  #today(): number {
    return dayAt(this.deps.clock.now());
  }
}

function isSame({ resolution }: Break, by: string, reason: string): boolean {
  return resolution !== null && resolution.by === by && resolution.reason === reason;
}

function refuse({ id, resolution }: Break): never {
  throw new BreakResolved(`break ${id} was resolved already, by ${resolution?.by} at ${resolution?.at.toISOString()}`);
}

function resolvedMeanwhile(id: string): BreakResolved {
  return new BreakResolved(`break ${id} is resolved, and cannot be worked on any more`);
}
