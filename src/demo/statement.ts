import { minorUnitDigits } from '../ledger/currencies.ts';
import type { PlannedPayment } from './plan.ts';

export interface PlantedStatement {
  readonly csv: string;
  /** `<cause> <reference>` of each break, sorted. */
  readonly planted: readonly string[];
  readonly records: number;
}

const EACH_LEFT_OUT = 250;
const EACH_CHANGED = 190;
const INVENTED = 3;

/** What a bank would send about the payments that were posted, with some differences planted in it. */
export function statementWithDifferences(posted: readonly PlannedPayment[], date: string): PlantedStatement {
  const planted: string[] = [];
  const lines: string[] = [];
  for (const [i, { body }] of posted.entries()) {
    if (i % EACH_LEFT_OUT === 100) {
      // Of today: the next statement may have it.
      planted.push(`timing ${body.reference}`);
      continue;
    }
    const isChanged = i % EACH_CHANGED === 50;
    if (isChanged) planted.push(`amount_differs ${body.reference}`);
    lines.push(line(body.reference, body.amount + (isChanged ? 1 : 0), body.currency, date));
  }
  for (let i = 0; i < INVENTED; i++) {
    planted.push(`missing_here invented-${i}`);
    lines.push(line(`invented-${i}`, 4200 + i, 'EUR', date));
  }
  const csv = `reference,amount,currency,date\n${lines.join('\n')}\n`;
  return { csv, planted: planted.sort(), records: lines.length };
}

function line(reference: string, amount: number, currency: string, date: string): string {
  const digits = minorUnitDigits(currency);
  const text = String(amount).padStart(digits + 1, '0');
  const major = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
  return [reference, major, currency, date].join(',');
}
