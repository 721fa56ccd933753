/** The rules by which lines and items are matched; a source has some of them, in an order. */
import { z } from 'zod';

const WINDOW_DAYS_MAX = 30;
export const days = z.int().min(0).max(WINDOW_DAYS_MAX);

export const ruleSchema = z.discriminatedUnion('rule', [
  z.strictObject({
    rule: z.literal('reference').meta({ description: 'Same reference, amount and currency, within the date window.' }),
  }),
  z.strictObject({
    rule: z.literal('reference_contained').meta({
      description: 'The ledger’s reference stands somewhere in the line; amount, currency and date as above.',
    }),
    minLength: z.int().min(4).max(140).default(6).meta({ description: 'Shorter references are not looked for.' }),
  }),
  z.strictObject({
    rule: z.literal('tolerance').meta({ description: 'Same or contained reference; the amount nearly so.' }),
    absolute: z.int().min(0).default(0).meta({ description: 'How far amounts may be apart, in minor units.' }),
    percent: z.number().min(0).max(20).default(0).meta({ description: 'The same, of the ledger’s amount.' }),
    fees: z
      .boolean()
      .default(true)
      .meta({ description: 'The ledger has what is left after the fees that the line names.' }),
  }),
  z.strictObject({
    rule: z.literal('one_to_many').meta({ description: 'One line, such as a payout, against many movements.' }),
    windowDays: days.default(14),
  }),
  z.strictObject({
    rule: z.literal('many_to_one').meta({ description: 'Many lines of one reference or batch against one movement.' }),
    windowDays: days.default(14),
  }),
  z.strictObject({
    rule: z
      .literal('many_to_many')
      .meta({ description: 'The lines of a batch against the movements of the same group.' }),
    windowDays: days.default(14),
  }),
  z.strictObject({
    rule: z.literal('amount_date').meta({
      description: 'Same amount and currency within the date window, where only one of each comes into question.',
    }),
    windowDays: days.optional().meta({ description: 'That of the source unless given.' }),
    edits: z.int().min(0).max(3).default(2).meta({
      description: 'Characters that a reference may be damaged by to still tell which of several it is.',
    }),
  }),
]);
export type Rule = z.output<typeof ruleSchema>;
export type RuleOf<Name extends Rule['rule']> = Extract<Rule, { rule: Name }>;

export const DEFAULT_RULES: readonly Rule[] = [
  { rule: 'reference' },
  { rule: 'reference_contained', minLength: 6 },
  { rule: 'tolerance', absolute: 0, percent: 0, fees: true },
  { rule: 'one_to_many', windowDays: 14 },
  { rule: 'many_to_one', windowDays: 14 },
  { rule: 'many_to_many', windowDays: 14 },
  { rule: 'amount_date', edits: 2 },
];
