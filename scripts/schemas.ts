/** Writes the published JSON Schemas of events anew: `npm run schemas`. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishedSchemas } from '../src/events/published.ts';

const FOLDER = fileURLToPath(new URL('../schemas/events', import.meta.url));

const schemas = publishedSchemas();
await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
for (const [name, text] of schemas) await writeFile(join(FOLDER, name), text);
console.info(`${schemas.size} schemas written to ${FOLDER}`);
