import type { Collection, Db, Filter } from 'mongodb';
import type { Page, PageQuery } from '../payments/types.ts';
import type { DayRange, ReconciliationFilter, ReconciliationStore } from '../reconciliation/ports.ts';
import type { AsOf, KeptMatch, Reconciliation } from '../reconciliation/types.ts';
import { isDuplicate } from './duplicates.ts';
import { idPage } from './id-pages.ts';

type ReconciliationDocument = Omit<Reconciliation, 'id'> & { _id: string };

/** Some matches of a reconciliation: its positions `first` to `last`. `from`, `to`: days of their items. */
interface MatchesDocument extends DayRange {
  _id: { reconciliation: string; number: number };
  reconciliation: string;
  source: string;
  first: number;
  last: number;
  matches: KeptMatch[];
}

const BREAKS = 'breaks';
const DAY_MS = 86_400_000;

export class MongoReconciliations implements ReconciliationStore {
  readonly #reconciliations: Collection<ReconciliationDocument>;
  readonly #matches: Collection<MatchesDocument>;

  constructor(readonly db: Db) {
    this.#reconciliations = db.collection('reconciliations');
    this.#matches = db.collection('reconciliation_matches');
  }

  async insert({ id, ...reconciliation }: Reconciliation): Promise<Reconciliation | null> {
    try {
      await this.#reconciliations.insertOne({ _id: id, ...reconciliation });
      return null;
    } catch (error) {
      const { source, file, scheduledFor } = reconciliation;
      if (!isDuplicate(error)) throw error;
      const other = file
        ? await this.findByFile(source, file.sha256)
        : fromDocument(await this.#reconciliations.findOne({ scheduledFor }));
      if (other === null) throw error;
      return other;
    }
  }

  async get(id: string): Promise<Reconciliation | null> {
    return fromDocument(await this.#reconciliations.findOne({ _id: id }));
  }

  async findByFile(source: string, sha256: string): Promise<Reconciliation | null> {
    return fromDocument(await this.#reconciliations.findOne({ source, 'file.sha256': sha256, dryRun: false }));
  }

  async update(
    id: string,
    change: Partial<Reconciliation>,
    from: Reconciliation['status'] = 'running',
  ): Promise<boolean> {
    const { id: _, ...fields } = change;
    const $set = fields as Partial<ReconciliationDocument>;
    const { matchedCount } = await this.#reconciliations.updateOne({ _id: id, status: from }, { $set });
    return matchedCount > 0;
  }

  async decideAsOf(id: string, asOf: AsOf): Promise<AsOf> {
    await this.#reconciliations.updateOne({ _id: id, asOf: null }, { $set: { asOf } });
    return (await this.get(id))?.asOf ?? asOf;
  }

  async remove(id: string): Promise<void> {
    await this.#reconciliations.deleteOne({ _id: id });
  }

  async list({ source, status }: ReconciliationFilter, page: PageQuery): Promise<Page<Reconciliation>> {
    const filter: Filter<ReconciliationDocument> = {
      ...(source === undefined ? {} : { source }),
      ...(status === undefined ? {} : { status }),
    };
    const { data, hasMore } = await idPage(this.#reconciliations, filter, page, -1);
    return { data: data.map((one) => fromDocument(one)!), hasMore };
  }

  async running(): Promise<Reconciliation[]> {
    const found = await this.#reconciliations.find({ status: 'running' }).sort({ _id: 1 }).toArray();
    return found.map((one) => fromDocument(one)!);
  }

  async saveMatches(
    { id, source }: Reconciliation,
    number: number,
    first: number,
    matches: readonly KeptMatch[],
    days: DayRange,
  ): Promise<void> {
    const _id = { reconciliation: id, number };
    const last = first + matches.length - 1;
    try {
      await this.#matches.insertOne({ _id, reconciliation: id, source, first, last, ...days, matches: [...matches] });
    } catch (error) {
      // Whoever did it before has found the same.
      if (!isDuplicate(error)) throw error;
    }
  }

  async matches(id: string, page: PageQuery): Promise<Page<KeptMatch & { readonly position: number }>> {
    const { limit, startingAfter, endingBefore } = page;
    const backwards = endingBefore !== undefined;
    const after = Number(startingAfter ?? 0);
    const before = Number(endingBefore ?? Number.MAX_SAFE_INTEGER);
    const wanted = backwards ? { first: { $lt: before } } : { last: { $gt: after } };
    const found: (KeptMatch & { position: number })[] = [];
    const documents = this.#matches.find({ reconciliation: id, ...wanted }).sort({ first: backwards ? -1 : 1 });
    for await (const { first, matches } of documents) {
      const some = matches
        .map((match, i) => ({ position: first + i, ...match }))
        .filter(({ position }) => position > after && position < before);
      found.push(...(backwards ? some.reverse() : some));
      if (found.length > limit) break;
    }
    const data = found.slice(0, limit);
    return { data: backwards ? data.reverse() : data, hasMore: found.length > limit };
  }

  async *settledItems(source: string, { from, to }: DayRange, except: string): AsyncIterable<readonly string[]> {
    const overlapping = { source, to: { $gte: from }, from: { $lte: to }, reconciliation: { $ne: except } };
    for await (const { matches } of this.#matches.find(overlapping, { projection: { 'matches.items': 1 } })) {
      yield matches.flatMap(({ items }) => items);
    }
    const resolved = { source, status: 'resolved', 'item.at': { $gte: from * DAY_MS, $lt: (to + 1) * DAY_MS } };
    const breaks = this.db
      .collection<{ item: { id: string }; resolution: { reconciliation: string | null } }>(BREAKS)
      .find({ ...resolved, 'resolution.reconciliation': { $ne: except } }, { projection: { 'item.id': 1 } });
    for await (const { item } of breaks) yield [item.id];
  }
}

function fromDocument(found: ReconciliationDocument | null): Reconciliation | null {
  if (found === null) return null;
  const { _id, ...reconciliation } = found;
  return { id: _id, ...reconciliation };
}
