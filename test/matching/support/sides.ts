import { uuidv7 } from 'uuidv7';
import { Comparison, type ComparisonOptions } from '../../../src/matching/comparison.ts';
import type { Rule } from '../../../src/matching/rules.ts';
import type { LedgerItem } from '../../../src/matching/types.ts';
import { parseDay } from '../../../src/statements/statement.ts';
import type { StatementLine } from '../../../src/statements/types.ts';

export const FIRST = parseDay('2026-03-01')!;
export const LAST = parseDay('2026-03-31')!;
export const OPTIONS: ComparisonOptions = { windowDays: 1, from: FIRST, to: LAST, timingDays: 0 };

export const EXACT: readonly Rule[] = [{ rule: 'reference' }];

/** Some lines and items, and what comes of comparing them. */
export class Sides {
  readonly lines: StatementLine[] = [];
  readonly items: { item: LedgerItem; isSettled: boolean }[] = [];

  there(reference: string | null, more: Partial<StatementLine> = {}): this {
    this.lines.push({
      line: this.lines.length + 2,
      statement: 0,
      day: FIRST,
      valueDay: null,
      amount: 1_000n,
      currency: 'EUR',
      direction: null,
      fee: 0n,
      references: reference === null ? [] : [reference],
      text: '',
      id: null,
      batch: null,
      count: null,
      isReversal: false,
      ...more,
    });
    return this;
  }

  here(
    reference: string | null,
    { day = FIRST, isSettled = false, ...more }: Partial<LedgerItem> & { day?: number; isSettled?: boolean } = {},
  ): this {
    const uuid = uuidv7();
    const item: LedgerItem = {
      id: `txn_${uuid}`,
      account: null,
      kind: 'payment',
      payment: `pay_${uuid}`,
      reference,
      group: null,
      amount: 1_000n,
      currency: 'EUR',
      direction: null,
      // At the end of the day: times within a day must not matter.
      at: (day + 1) * 86_400_000 - 1,
      ...more,
    };
    this.items.push({ item, isSettled });
    return this;
  }

  compare(options: Partial<ComparisonOptions> = {}, items = this.items) {
    const comparison = new Comparison({ ...OPTIONS, ...options });
    for (const { item, isSettled } of items) comparison.addItem(item, isSettled);
    for (const line of this.lines) comparison.addLine(line);
    const compared = comparison.match();
    return { comparison, compared };
  }

  /** `<cause> <reference>` of each finding, sorted. */
  findings(options?: Partial<ComparisonOptions>): string[] {
    const { comparison } = this.compare(options);
    return [...comparison.findings()]
      .map(({ cause, line, item }) => {
        const [reference] = line === null ? [] : comparison.line(line).references;
        return `${cause} ${reference ?? comparison.items.names.get(comparison.items.name(item!))}`;
      })
      .sort();
  }

  /** `<rule> <lines of the file> = <references of items>` of each match, sorted. */
  matches(options?: Partial<ComparisonOptions>, items = this.items): string[] {
    const { comparison } = this.compare(options, items);
    return [...comparison.matches()]
      .map(({ rule, lines, items: matched }) => {
        const ours = lines.map((line) => comparison.line(line).line).sort((a, b) => a - b);
        const theirs = matched.map((item) => comparison.items.get(item).reference ?? '-').sort();
        return `${rule} ${ours.join('+')} = ${theirs.join('+')}`;
      })
      .sort();
  }
}
