import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { OUTCOMES } from '../../src/reconciliation/outcomes.ts';
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

test('every outcome is documented, and no other', () => {
  expect(namesIn('outcome').sort()).toEqual([...OUTCOMES].sort());
});
