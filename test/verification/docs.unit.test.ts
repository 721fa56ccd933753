import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CAUSES, RULES } from '../../src/matching/types.ts';
import { BREAK_KINDS } from '../../src/verification/breaks.ts';

const DOCUMENT = readFileSync(new URL('../../docs/reconciliation.md', import.meta.url), 'utf8');

/** The names in the first column of the table with this head. */
function namesIn(head: string): string[] {
  const table = DOCUMENT.slice(DOCUMENT.indexOf(`| ${head} |`)).split('\n\n', 1)[0]!;
  return [...table.matchAll(/^\| (`.+?`) \|/gm)].flatMap(([, names]) => names!.replaceAll('`', '').split(', '));
}

test('every kind of break is documented, and no other', () => {
  expect(namesIn('break').sort()).toEqual([...BREAK_KINDS].sort());
});

test('every cause of a break is documented, and no other', () => {
  expect(namesIn('cause').sort()).toEqual([...CAUSES].sort());
});

test('every rule is documented, and no other', () => {
  expect(namesIn('rule')).toEqual([...RULES]);
});
