import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { publishedSchemas } from '../../src/events/published.ts';

const FOLDER = fileURLToPath(new URL('../../schemas/events', import.meta.url));

it('publishes the schema of each event as it is (else: npm run schemas)', async () => {
  const names = await readdir(FOLDER);
  const texts = await Promise.all(names.map((name) => readFile(join(FOLDER, name), 'utf8')));
  expect(new Map(names.map((name, i) => [name, texts[i]]))).toEqual(publishedSchemas());
});
