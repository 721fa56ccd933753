/** What reports call things, in the words of people in finance. */
import { counted, grouped, plural } from '../html/words.ts';
import { isCurrency } from '../ledger/currencies.ts';
import type { Cause, RuleName } from '../matching/types.ts';
import { money } from '../resources/text.ts';
import type { External, Reconciliation, Resolution } from './types.ts';

interface Words {
  readonly name: string;
  readonly meaning: string;
}

export const CAUSE_WORDS: Readonly<Record<Cause, Words>> = {
  missing_here: {
    name: 'Missing in the ledger',
    meaning:
      'The statement has this movement and the ledger has none like it. Money moved that was never posted, or it was posted for somebody else: find out what it is, then post it.',
  },
  missing_there: {
    name: 'Missing in the statement',
    meaning:
      'The ledger has this movement and the statement of its day does not. It was never carried out, was refused, or went to another account: ask the other side.',
  },
  amount_differs: {
    name: 'Amount differs',
    meaning:
      'Both sides know the movement by the same reference, with different amounts: often a fee that was taken off, a part payment, or a typing error.',
  },
  currency_differs: {
    name: 'Currency differs',
    meaning:
      'Both sides know the movement by the same reference, in different currencies. The amounts cannot be compared.',
  },
  date_differs: {
    name: 'Date differs',
    meaning: 'The same in all but the date, and the dates are further apart than is allowed for this source.',
  },
  duplicate_here: {
    name: 'Once too often in the ledger',
    meaning: 'The ledger has it more often than the statement: something may have been posted twice.',
  },
  duplicate_there: {
    name: 'Once too often in the statement',
    meaning: 'The statement has it more often than the ledger: the other side may have carried something out twice.',
  },
  timing: {
    name: 'Still under way',
    meaning:
      'The ledger has it so shortly before the end of the statement that the next one may have it. It settles by itself then, or else becomes missing in the statement.',
  },
};

export const RULE_WORDS: Readonly<Record<RuleName, Words>> = {
  reference: {
    name: 'Same reference',
    meaning: 'Both sides name the same reference, with the same amount and currency, within the allowed days.',
  },
  reference_contained: {
    name: 'Reference in the text',
    meaning: 'The ledger’s reference stands somewhere in the text of the line; amount, currency and date fit.',
  },
  tolerance: {
    name: 'Amount nearly the same',
    meaning:
      'The reference fits, and the amounts differ by no more than is allowed, or by the fee that the line names.',
  },
  one_to_many: {
    name: 'One line, several movements',
    meaning: 'One line, such as a payout, is the sum of several movements in the ledger.',
  },
  many_to_one: {
    name: 'Several lines, one movement',
    meaning: 'Several lines of one reference or batch add up to one movement in the ledger.',
  },
  many_to_many: {
    name: 'Batch against group',
    meaning: 'The lines of a batch add up to the movements that the ledger has of the same group.',
  },
  amount_date: {
    name: 'Amount and date only',
    meaning:
      'No reference fits, but amount, currency and date do, and nothing else comes into question. Have a look at those that are less sure.',
  },
};

const CONFIDENCE_WORDS: readonly (readonly [from: number, words: string])[] = [
  [0.995, 'certain'],
  [0.95, 'almost certain'],
  [0.9, 'very likely'],
  [0.8, 'likely'],
  [0, 'worth a look'],
];

/** Such as `almost certain (0.98)`. `confidence` from 0 to 1. */
export function confidenceWords(confidence: number): string {
  const [, words] = CONFIDENCE_WORDS.find(([from]) => confidence >= from) ?? ['', 'not known'];
  return `${words} (${confidence.toFixed(2)})`;
}

/** `-1,234.56`; of a currency that there is not, as a damaged ledger may have, `-123,456 minor units`. */
export function moneyText(amount: bigint, currency: string): string {
  return `${grouped(money(amount, currency))}${isCurrency(currency) ? '' : ' minor units'}`;
}

/** `-1,234.56 EUR` */
export function moneyWithCurrency(amount: bigint, currency: string): string {
  return `${moneyText(amount, currency)} ${currency}`;
}

export function resolutionWords({ how, by, reason, transactionId, rule }: Resolution): string {
  switch (how) {
    case 'settled':
      return `settled by itself${rule === null ? '' : ` (${RULE_WORDS[rule].name.toLowerCase()})`}${reason === null ? '' : `: ${reason}`}`;
    case 'reason':
      return `explained by ${by}: ${reason ?? ''}`;
    case 'adjusted':
      return `adjusted by ${by} with ${transactionId ?? 'a transaction'}: ${reason ?? ''}`;
    default:
      return how satisfies never;
  }
}

interface Verdict {
  readonly tone: 'good' | 'bad' | 'unknown';
  readonly word: string;
  readonly sentence: string;
}

/** What there is to know, if only one sentence is read. */
export function verdictOf(reconciliation: Reconciliation): Verdict {
  const { status, kind, ok, failure, step, external, dryRun } = reconciliation;
  if (status === 'failed') {
    const sentence = `It could not be carried out, and what it would have found is not known: ${failure ?? 'the cause is not known'}.`;
    return { tone: 'bad', word: 'Failed', sentence };
  }
  if (status === 'running') {
    const sentence = `It is not finished (${step === null ? 'waiting' : STEP_WORDS[step]}): what stands here is not complete.`;
    return { tone: 'unknown', word: 'Running', sentence };
  }
  if (kind === 'internal') {
    return {
      tone: ok ? 'good' : 'bad',
      word: ok ? 'Sound' : 'NOT sound',
      sentence: `${capitalized(booksSentence(reconciliation))}.`,
    };
  }
  const parts = external === null ? [] : [linesSentence(external, dryRun), breaksSentence(external, dryRun)];
  return {
    tone: ok ? 'good' : 'bad',
    word: ok ? 'Reconciled' : 'NOT reconciled',
    sentence: `${capitalized([...parts, booksSentence(reconciliation)].join('; '))}.`,
  };
}

const STEP_WORDS = {
  verify: 'the ledger is being verified',
  match: 'lines are being matched',
  record: 'matches and breaks are being kept',
  tell: 'its end is being told',
} as const;

function linesSentence({ lines, matchedLines }: External, dryRun: boolean): string {
  if (lines === 0) return 'the statement has no lines';
  const matched = dryRun ? 'would be matched' : 'matched';
  return `${counted(matchedLines)} of ${plural(lines, 'line')} ${matched}`;
}

function breaksSentence({ breaksOpened, openedByCause: { timing } }: External, dryRun: boolean): string {
  if (breaksOpened === 0) return dryRun ? 'no break would be opened' : 'no new breaks';
  const needing = breaksOpened - timing;
  const need = dryRun ? 'would need' : needing > 1 ? 'need' : 'needs';
  const waiting =
    timing === 0 ? '' : `, ${counted(timing)} may still settle by ${timing === 1 ? 'itself' : 'themselves'}`;
  return `${needing === 0 ? 'no break' : plural(needing, 'break')} ${need} somebody${waiting}`;
}

function booksSentence({ internal }: Reconciliation): string {
  if (internal === null) return 'the books were not verified';
  if (internal.ok) return 'the books are sound';
  return `the books are NOT sound: ${plural(internal.breakCount, 'invariant')} broken`;
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
