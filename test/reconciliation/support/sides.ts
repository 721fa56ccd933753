/** Lines of statements and items of the ledger. */
import { createHash } from 'node:crypto';
import type { LedgerItem } from '../../../src/matching/types.ts';
import { csvMapping } from '../../../src/statements/mapping.ts';
import { dayText, parseDay } from '../../../src/statements/statement.ts';

const DAY_MS = 86_400_000;
/** The first day of all. */
export const DAY = parseDay('2026-03-02')!;

/** What came in is above zero. */
export const MAPPING = csvMapping.parse({
  amount: { kind: 'signed', column: 'amount' },
  currency: { column: 'currency' },
  date: 'date',
  references: ['reference'],
  text: ['text'],
  id: 'id',
});

export interface Line {
  readonly reference?: string;
  /** Minor units; below zero: it went out. */
  readonly amount: number;
  readonly day: number;
  readonly currency?: string;
  readonly text?: string;
  readonly id?: string;
}

export function csvOf(lines: readonly Line[]): string {
  const rows = lines.map(({ reference = '', amount, day, currency = 'EUR', text = '', id = '' }) =>
    [reference, (amount / 100).toFixed(2), currency, dayText(day), text, id].join(','),
  );
  return `${['reference,amount,currency,date,text,id', ...rows].join('\n')}\n`;
}

/** `amount` below zero: it went out. The id follows from the name. */
export function anItem(name: string, amount: number, day: number, more: Partial<LedgerItem> = {}): LedgerItem {
  const hex = createHash('sha256').update(name).digest('hex');
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  return {
    id: `txn_${uuid}`,
    account: 'world:EUR',
    kind: 'payment',
    payment: `pay_${uuid}`,
    reference: name,
    group: null,
    amount: BigInt(Math.abs(amount)),
    currency: 'EUR',
    direction: amount < 0 ? 'out' : 'in',
    at: day * DAY_MS + 43_200_000,
    ...more,
  };
}
