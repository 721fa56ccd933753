/** Reconciliations as the API answers them: plain snake_case data, amounts as text. */
import type { Page, PageQuery } from '../payments/types.ts';
import { toJson } from '../resources/text.ts';
import { parseDay } from '../statements/statement.ts';
import type { Reconciliations } from './reconciliations.ts';

/** As the query of the upload has them; days as `YYYY-MM-DD`. */
export interface StartQuery {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly windowDays?: number | undefined;
  readonly account?: string | undefined;
}

type Plain = Readonly<Record<string, unknown>>;

/** {@link Reconciliations}, with plain data in and out: what the HTTP room is given. Throws what they throw. */
export class ReconciliationViews {
  constructor(readonly reconciliations: Reconciliations) {}

  async start(csv: AsyncIterable<Uint8Array>, { from, to, windowDays, account }: StartQuery): Promise<Plain> {
    const options = { from: dayFrom(from), to: dayFrom(to), windowDays, account };
    return resource('reconciliation', await this.reconciliations.start(csv, options));
  }

  async get(id: string): Promise<Plain> {
    return resource('reconciliation', await this.reconciliations.get(id));
  }

  /** An item's id is its position, and so the cursor. */
  async items(id: string, page: PageQuery): Promise<Page<Plain>> {
    const { data, hasMore } = await this.reconciliations.items(id, page);
    const present = (item: (typeof data)[number]) =>
      resource('reconciliation_item', { id: String(item.position), ...item });
    return { data: data.map(present), hasMore };
  }
}

function resource(object: string, value: object): Plain {
  return { object, ...(toJson(value) as Plain) };
}

function dayFrom(text: string | undefined): number | undefined {
  return text === undefined ? undefined : (parseDay(text) ?? undefined);
}
