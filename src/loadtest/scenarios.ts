import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { type Scenario, scenarioSchema } from './scenario.ts';
import { day } from './scenario-day.ts';
import { evening } from './scenario-evening.ts';
import { kickOff } from './scenario-kick-off.ts';
import { payments } from './scenario-payments.ts';

/** Those that come with the program. */
export const SCENARIOS: readonly Scenario[] = [payments, evening, kickOff, day].map((one) => scenarioSchema.parse(one));

const MODULES = ['.ts', '.mts', '.js', '.mjs'];

/**
 * By its name, or from a file: JSON, or a module whose default export is a scenario. Throws an Error that says what is
 * wrong with it.
 */
export async function findScenario(nameOrFile: string): Promise<Scenario> {
  const known = SCENARIOS.find(({ name }) => name === nameOrFile);
  if (known !== undefined) return known;
  const extension = extname(nameOrFile);
  if (extension !== '.json' && !MODULES.includes(extension)) {
    const names = SCENARIOS.map(({ name }) => name).join(', ');
    throw new Error(
      `There is no scenario ${nameOrFile}. Give one of ${names}, or a file (.json, ${MODULES.join(', ')}).`,
    );
  }
  const file = resolve(nameOrFile);
  const value: unknown =
    extension === '.json' ? JSON.parse(await readFile(file, 'utf8')) : (await import(pathToFileURL(file).href)).default;
  const parsed = scenarioSchema.safeParse(value);
  if (!parsed.success) throw new Error(`${nameOrFile} is not a scenario:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
