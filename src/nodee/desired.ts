/** What is wanted of a host, as it is read from its configuration and kept for when ZooKeeper is away. */
import { join } from 'node:path';
import { z } from 'zod';
import { Coordinate } from '../cloudname/coordinate.ts';
import { parseJson, readIfThere, writeDurably } from './files.ts';
import { type HostDesired, hostDesired } from './types.ts';

const FILE = 'desired.json';
/** Of a text that may be as long as what it tells of. */
const PROBLEM_LENGTH_MAX = 500;

/** @throws Error that says what is wrong with it */
export function readDesired(text: string): HostDesired {
  const value = parseJson(text);
  if (value === undefined) throw new Error('it is not JSON');
  const parsed = hostDesired.safeParse(value);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error).slice(0, PROBLEM_LENGTH_MAX));
  const coordinates = parsed.data.processes.map(({ coordinate }) => String(Coordinate.parse(coordinate)));
  const twice = coordinates.find((coordinate, index) => coordinates.indexOf(coordinate) !== index);
  if (twice !== undefined) throw new Error(`${twice} is in it twice`);
  return parsed.data;
}

/** Null: none was kept, or it cannot be read, as after a change of its form. */
export async function loadDesired(folder: string): Promise<HostDesired | null> {
  const text = await readIfThere(join(folder, FILE));
  try {
    return text === null ? null : readDesired(text);
  } catch {
    return null;
  }
}

export async function keepDesired(folder: string, desired: HostDesired): Promise<void> {
  await writeDurably(join(folder, FILE), JSON.stringify(desired));
}
