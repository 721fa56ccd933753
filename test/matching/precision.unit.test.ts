import { describe, expect, test } from 'vitest';
import { Comparison } from '../../src/matching/comparison.ts';
import { DEFAULT_RULES, type Rule } from '../../src/matching/rules.ts';
import { randomFrom } from '../verification/random-model.ts';
import { EXACT, Generator, NOISY, type Noise } from './support/generator.ts';
import { FIRST } from './support/sides.ts';

const SEEDS = Array.from({ length: 10 }, (_, i) => 7 + 31 * i);
const PAYMENTS = 3_000;
const DAYS = 28;
/** Two minor units are what the generator rounds by. */
const RULES: readonly Rule[] = DEFAULT_RULES.map((rule) =>
  rule.rule === 'tolerance' ? { ...rule, absolute: 2 } : rule,
);

interface Score {
  readonly lines: number;
  readonly truePairs: number;
  readonly foundPairs: number;
  readonly rightPairs: number;
}

function compared(made: Generator, rules = RULES, items = made.items): Comparison {
  const options = { rules, windowDays: 1, from: FIRST, to: FIRST + DAYS + 7, timingDays: 0 };
  const comparison = new Comparison(options);
  for (const item of items) comparison.addItem(item);
  for (const line of made.lines) comparison.addLine(line);
  comparison.match();
  return comparison;
}

/** `<line of the file> <id of the item>` of each pair, of which a match of many has many. */
function pairsOf(comparison: Comparison): string[] {
  const pairs: string[] = [];
  for (const { lines, items } of comparison.matches()) {
    for (const line of lines)
      for (const item of items) pairs.push(`${comparison.lines.fileLine(line)} ${comparison.items.id(item)}`);
  }
  return pairs;
}

function score(made: Generator, found: readonly string[]): Score {
  const truth = new Set(made.truth.map(({ line, item }) => `${line} ${item}`));
  const rightPairs = found.filter((pair) => truth.has(pair)).length;
  return { lines: made.lines.length, truePairs: truth.size, foundPairs: found.length, rightPairs };
}

function scoreOf(noise: Noise): { precision: number; recall: number; lines: number } {
  const scores = SEEDS.map((seed) => {
    const made = new Generator(randomFrom(seed), FIRST, DAYS).make(PAYMENTS, noise);
    return score(made, pairsOf(compared(made)));
  });
  const sum = (of: (one: Score) => number) => scores.reduce((total, one) => total + of(one), 0);
  const right = sum(({ rightPairs }) => rightPairs);
  return {
    precision: right / sum(({ foundPairs }) => foundPairs),
    recall: right / sum(({ truePairs }) => truePairs),
    lines: sum(({ lines }) => lines),
  };
}

function print(what: string, { precision, recall, lines }: ReturnType<typeof scoreOf>): void {
  process.stdout.write(
    `matching of ${what}: precision ${precision.toFixed(4)}, recall ${recall.toFixed(4)} over ${lines} lines\n`,
  );
}

describe('statements of which the true matches are known', () => {
  test('with exact references all is matched, and nothing wrongly', () => {
    const result = scoreOf(EXACT);
    print('exact references', result);
    expect(result).toMatchObject({ precision: 1, recall: 1 });
  });

  test('with references that are hidden, damaged or missing, fees, payouts, instalments and duplicates', () => {
    const result = scoreOf(NOISY);
    print('noisy statements', result);
    expect(result.precision).toBeGreaterThanOrEqual(0.99);
    expect(result.recall).toBeGreaterThanOrEqual(0.98);
  });

  test.each(SEEDS.slice(0, 5))('does not depend on the order in which the ledger is read (seed %i)', (seed) => {
    const made = new Generator(randomFrom(seed), FIRST, DAYS).make(1_000, NOISY);
    const shuffled = [...made.items].sort((a, b) => (a.id < b.id ? -1 : 1));
    const first = compared(made);
    const second = compared(made, RULES, shuffled);
    expect(pairsOf(second).sort()).toEqual(pairsOf(first).sort());
    const findingsOf = (comparison: Comparison) =>
      [...comparison.findings()].map(({ cause, line, item }) => {
        return `${cause} ${line} ${item === null ? '-' : comparison.items.id(item)}`;
      });
    expect(findingsOf(second)).toEqual(findingsOf(first));
  });

  test.each(SEEDS.slice(0, 5))('every line and every item ends in one place (seed %i)', (seed) => {
    const made = new Generator(randomFrom(seed), FIRST, DAYS).make(1_000, NOISY);
    const comparison = compared(made);
    const [lines, items] = [[] as number[], [] as number[]];
    for (const match of comparison.matches()) {
      lines.push(...match.lines);
      items.push(...match.items);
      const sums = [match.lines, match.items].map((side) => side.length);
      expect(Math.min(...sums)).toBeGreaterThan(0);
    }
    for (const { line, item } of comparison.findings()) {
      if (line !== null) lines.push(line);
      if (item !== null) items.push(item);
    }
    expect(lines.sort((a, b) => a - b)).toEqual(made.lines.map((_, i) => i));
    expect(items.sort((a, b) => a - b)).toEqual(made.items.map((_, i) => i));
  });
});
