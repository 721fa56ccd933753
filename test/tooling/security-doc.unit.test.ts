import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const ROWS = [
  ...readFileSync(new URL('docs/security.md', ROOT), 'utf8').matchAll(/^\| (API\d+) [^|]+\| ([^|]+) \| ([^|]+) \|$/gm),
].map(([, risk, mechanism, tests]) => ({ risk: risk!, mechanism: mechanism!, tests: tests! }));

it('docs/security.md has a row for each of the ten risks', () => {
  expect(ROWS.map(({ risk }) => risk)).toEqual(Array.from({ length: 10 }, (_, index) => `API${index + 1}`));
});

it.each(ROWS)('$risk names a mechanism, and tests that exist', ({ mechanism, tests }) => {
  expect(mechanism.length).toBeGreaterThan(20);
  const files = tests.split(', ').map((file) => /^`(test\/.+\.test\.ts)`$/.exec(file)?.[1]);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect(file && existsSync(new URL(file, ROOT)), tests).toBe(true);
});
