import type { Collection, Db } from 'mongodb';
import type { Page, PageQuery } from '../payments/types.ts';
import type { ReconciliationItem } from '../reconciliation/outcomes.ts';
import type { ReconciliationsPort } from '../reconciliation/ports.ts';
import type { ReconciliationReport } from '../reconciliation/reconcile.ts';

type ReportDocument = Omit<ReconciliationReport, 'id'> & { _id: string };
type ItemDocument = ReconciliationItem & { reconciliation: string };

export class MongoReconciliations implements ReconciliationsPort {
  readonly #reports: Collection<ReportDocument>;
  readonly #items: Collection<ItemDocument>;

  constructor(db: Db) {
    this.#reports = db.collection('reconciliations');
    this.#items = db.collection('reconciliation_items');
  }

  async save({ id, ...report }: ReconciliationReport): Promise<void> {
    await this.#reports.replaceOne({ _id: id }, report, { upsert: true });
  }

  async saveItems(id: string, items: readonly ReconciliationItem[]): Promise<void> {
    if (items.length > 0) await this.#items.insertMany(items.map((item) => ({ ...item, reconciliation: id })));
  }

  async get(id: string): Promise<ReconciliationReport | null> {
    const found = await this.#reports.findOne({ _id: id });
    if (!found) return null;
    const { _id, ...report } = found;
    return { id: _id, ...report };
  }

  async items(id: string, { limit, startingAfter, endingBefore }: PageQuery): Promise<Page<ReconciliationItem>> {
    const backwards = endingBefore !== undefined;
    const beyond =
      startingAfter !== undefined
        ? { position: { $gt: Number(startingAfter) } }
        : backwards
          ? { position: { $lt: Number(endingBefore) } }
          : {};
    const found = await this.#items
      .find({ reconciliation: id, ...beyond }, { projection: { _id: 0, reconciliation: 0 } })
      .sort({ position: backwards ? -1 : 1 })
      .limit(limit + 1)
      .toArray();
    const data = found.slice(0, limit) as ReconciliationItem[];
    return { data: backwards ? data.reverse() : data, hasMore: found.length > limit };
  }
}
