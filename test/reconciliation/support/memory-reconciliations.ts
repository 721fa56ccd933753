/** Reconciliations and breaks in memory, by the rules of the ports: what they keep is copied, in and out. */
import { type Page, type PageQuery, PaymentsError } from '../../../src/payments/types.ts';
import type {
  AgeingRow,
  BreakFilter,
  BreakStore,
  DayRange,
  ReconciliationFilter,
  ReconciliationStore,
} from '../../../src/reconciliation/ports.ts';
import type {
  AsOf,
  Break,
  BreakComment,
  BreakMatter,
  KeptMatch,
  Reconciliation,
  Resolution,
} from '../../../src/reconciliation/types.ts';

const DAY_MS = 86_400_000;
const COMMENTS_MAX = 200;

interface SavedMatches extends DayRange {
  readonly reconciliation: string;
  readonly source: string;
  readonly number: number;
  readonly first: number;
  readonly matches: readonly KeptMatch[];
}

export class MemoryBreaks implements BreakStore {
  readonly all = new Map<string, Break>();
  /** What a break was before the reconciliation that changed it last. */
  readonly #previous = new Map<string, { reconciliation: string; matter: BreakMatter }>();

  async get(id: string): Promise<Break | null> {
    return structuredClone(this.all.get(id) ?? null);
  }

  async list(filter: BreakFilter, { limit, startingAfter, endingBefore }: PageQuery): Promise<Page<Break>> {
    const { upToDay = Number.POSITIVE_INFINITY, ...equal } = filter;
    const wanted = Object.entries(equal).filter(([, value]) => value !== undefined);
    const place = (one: Break) => (filter.reconciliation === undefined ? one.day : one.position);
    const order = (a: Break, b: Break) => place(a) - place(b) || (a.id < b.id ? -1 : 1);
    const found = [...this.all.values()]
      .filter((one) => one.day <= upToDay && wanted.every(([key, value]) => one[key as keyof Break] === value))
      .sort(order);
    const cursor = startingAfter ?? endingBefore;
    if (cursor === undefined) return pageOf(found, limit, false);
    const at = this.all.get(cursor);
    if (at === undefined) throw new PaymentsError('invalid_cursor', `there is no break ${cursor}`);
    const isBeyond = (one: Break) =>
      one.id !== at.id && (endingBefore === undefined ? order(one, at) > 0 : order(one, at) < 0);
    return pageOf(found.filter(isBeyond), limit, endingBefore !== undefined);
  }

  async *openBefore(source: string, reconciliation: string, since: Date): AsyncIterable<Break> {
    for (const one of [...this.all.values()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
      const { status, resolution } = one;
      const byPeople = resolution !== null && resolution.reconciliation === null && resolution.at >= since;
      const isOpen = status === 'open' || resolution?.reconciliation === reconciliation || byPeople;
      if (one.source !== source || one.reconciliation === reconciliation || !isOpen) continue;
      const previous = this.#previous.get(one.id);
      yield structuredClone(previous?.reconciliation === reconciliation ? { ...one, ...previous.matter } : one);
    }
  }

  async insert(breaks: readonly Break[]): Promise<void> {
    for (const one of breaks) if (!this.all.has(one.id)) this.all.set(one.id, structuredClone(one));
  }

  async change(id: string, change: Partial<Pick<Break, 'assignee' | 'adjustmentsRejected'>>, at: Date) {
    return this.#change(id, { ...change, updatedAt: at });
  }

  async revise(before: Break, change: BreakMatter, reconciliation: string, at: Date): Promise<boolean> {
    const found = this.all.get(before.id);
    if (found === undefined || !isAboutTheSame(found, before)) return false;
    const { cause, line, item, message, expectedBy, amount, currency, day, reference } = before;
    const matter = { cause, line, item, message, expectedBy, amount, currency, day, reference };
    if (!this.#change(before.id, { ...change, updatedAt: at })) return false;
    this.#previous.set(before.id, structuredClone({ reconciliation, matter }));
    return true;
  }

  async resolve(id: string, resolution: Resolution): Promise<boolean> {
    return this.#change(id, { status: 'resolved', resolution, updatedAt: resolution.at });
  }

  async comment(id: string, comment: BreakComment): Promise<boolean> {
    const found = this.all.get(id);
    if (found === undefined || found.comments.length >= COMMENTS_MAX) return false;
    this.all.set(id, { ...found, comments: [...found.comments, comment], updatedAt: comment.at });
    return true;
  }

  async ageing(source?: string): Promise<AgeingRow[]> {
    const rows = new Map<string, AgeingRow>();
    for (const one of this.all.values()) {
      if (one.status !== 'open' || (source ?? one.source) !== one.source) continue;
      const { source: its, cause, currency, day, amount } = one;
      const key = [its, cause, currency, day].join(' ');
      const row = rows.get(key) ?? { ...{ source: its, cause, currency, day }, count: 0, amount: 0n };
      rows.set(key, { ...row, count: row.count + 1, amount: row.amount + amount });
    }
    return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  }

  #change(id: string, change: Partial<Break>): boolean {
    const found = this.all.get(id);
    if (found?.status !== 'open') return false;
    this.all.set(id, structuredClone({ ...found, ...change }));
    return true;
  }
}

export class MemoryReconciliations implements ReconciliationStore {
  readonly all = new Map<string, Reconciliation>();
  readonly saved = new Map<string, SavedMatches>();

  constructor(readonly breaks: MemoryBreaks) {}

  async insert(reconciliation: Reconciliation): Promise<Reconciliation | null> {
    const { id, source, file, scheduledFor, dryRun } = reconciliation;
    for (const other of this.all.values()) {
      const isSameFile = file !== null && isOf(other, source, file.sha256) && !dryRun;
      const isSameTime = scheduledFor !== null && other.scheduledFor?.getTime() === scheduledFor.getTime();
      if (isSameFile || isSameTime) return structuredClone(other);
    }
    if (this.all.has(id)) throw new Error(`${id} is there already`);
    this.all.set(id, structuredClone(reconciliation));
    return null;
  }

  async get(id: string): Promise<Reconciliation | null> {
    return structuredClone(this.all.get(id) ?? null);
  }

  async findByFile(source: string, sha256: string): Promise<Reconciliation | null> {
    return structuredClone([...this.all.values()].find((one) => isOf(one, source, sha256)) ?? null);
  }

  async update(id: string, change: Partial<Reconciliation>, from: Reconciliation['status'] = 'running') {
    const found = this.all.get(id);
    if (found?.status !== from) return false;
    this.all.set(id, structuredClone({ ...found, ...change, id }));
    return true;
  }

  async decideAsOf(id: string, asOf: AsOf): Promise<AsOf> {
    const found = this.all.get(id);
    if (found === undefined) throw new Error(`there is no ${id}`);
    if (found.asOf !== null) return found.asOf;
    this.all.set(id, { ...found, asOf });
    return asOf;
  }

  async remove(id: string): Promise<void> {
    this.all.delete(id);
  }

  async list({ source, status }: ReconciliationFilter, page: PageQuery): Promise<Page<Reconciliation>> {
    const { limit, startingAfter, endingBefore } = page;
    const found = [...this.all.values()]
      .filter((one) => (source ?? one.source) === one.source && (status ?? one.status) === one.status)
      .filter(({ id }) => startingAfter === undefined || id < startingAfter)
      .filter(({ id }) => endingBefore === undefined || id > endingBefore)
      .sort((a, b) => (a.id > b.id ? -1 : 1));
    return pageOf(found, limit, endingBefore !== undefined);
  }

  async running(): Promise<Reconciliation[]> {
    const found = [...this.all.values()].filter(({ status }) => status === 'running');
    return structuredClone(found.sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  async saveMatches(
    { id, source }: Reconciliation,
    number: number,
    first: number,
    matches: readonly KeptMatch[],
    days: DayRange,
  ): Promise<void> {
    const key = `${id} ${number}`;
    const saved = { reconciliation: id, source, number, first, matches, ...days };
    if (!this.saved.has(key)) this.saved.set(key, structuredClone(saved));
  }

  matchesOf(id: string): (KeptMatch & { readonly position: number })[] {
    return [...this.saved.values()]
      .filter(({ reconciliation }) => reconciliation === id)
      .sort((a, b) => a.first - b.first)
      .flatMap(({ first, matches }) => matches.map((match, i) => ({ position: first + i, ...match })));
  }

  async matches(id: string, { limit, startingAfter, endingBefore }: PageQuery) {
    const found = this.matchesOf(id)
      .filter(({ position }) => startingAfter === undefined || position > Number(startingAfter))
      .filter(({ position }) => endingBefore === undefined || position < Number(endingBefore));
    return pageOf(found, limit, endingBefore !== undefined);
  }

  async *settledItems(source: string, { from, to }: DayRange, except: string): AsyncIterable<readonly string[]> {
    for (const saved of [...this.saved.values()]) {
      const isMeant = saved.source === source && saved.reconciliation !== except;
      if (isMeant && saved.from <= to && saved.to >= from) yield saved.matches.flatMap(({ items }) => items);
    }
    for (const one of [...this.breaks.all.values()]) {
      if (one.source !== source || one.item === null || one.status !== 'resolved') continue;
      const day = Math.floor(one.item.at / DAY_MS);
      if (one.resolution?.reconciliation !== except && day >= from && day <= to) yield [one.item.id];
    }
  }
}

/** `found` in the order of the list; backwards: the last of them. */
function pageOf<T>(found: readonly T[], limit: number, backwards: boolean): Page<T> {
  const data = structuredClone(backwards ? found.slice(-limit) : found.slice(0, limit));
  return { data, hasMore: found.length > limit };
}

function isOf({ source, file, dryRun }: Reconciliation, its: string, sha256: string): boolean {
  return source === its && !dryRun && file?.sha256 === sha256;
}

function isAboutTheSame(one: Break, other: Break): boolean {
  return (
    one.cause === other.cause &&
    one.item?.id === other.item?.id &&
    one.line?.reconciliation === other.line?.reconciliation &&
    one.line?.line === other.line?.line
  );
}
