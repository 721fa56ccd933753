/**
 * Where a `mongod` is found on this machine. The set-up script fetches one into {@link cacheFolder} when this finds
 * none; the embedded replica set uses what this finds.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** Older servers lack settings that safety needs. */
const MAJOR_VERSION_MIN = 6;
const VERSION_TIMEOUT_MS = 15_000;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Mongod {
  readonly path: string;
  /** For example `6.0.5`. */
  readonly version: string;
}

/** A place that was looked at in vain, and why. */
export interface Miss {
  readonly place: string;
  readonly reason: string;
}

export interface Search {
  readonly found: Mongod | null;
  readonly misses: readonly Miss[];
}

/** The folder outside the checkout that keeps fetched binaries, as `mongod-<version>`. */
export function cacheFolder(environment: Environment = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kvitt');
}

/** Runs `mongod --version`. Throws an Error that says why the file cannot be used. */
export async function inspectMongod(path: string): Promise<Mongod> {
  const output = await promisify(execFile)(path, ['--version'], { timeout: VERSION_TIMEOUT_MS }).catch((error) => {
    const detail = String(error.stderr || error.message).trim();
    throw new Error(`it does not run: ${detail.split('\n')[0]}`);
  });
  const version = /db version v(\d+\.\d+\.\d+)/.exec(output.stdout)?.[1];
  if (!version) throw new Error('it does not say a version; is it a mongod?');
  if (Number.parseInt(version, 10) < MAJOR_VERSION_MIN) {
    throw new Error(`it is version ${version}; ${MAJOR_VERSION_MIN}.0 or newer is needed`);
  }
  return { path, version };
}

/**
 * Looks in this order: `MONGOD_BINARY`, `MONGOMS_SYSTEM_BINARY`, `mongod` on PATH, the cache folder. A setting that
 * does not work ends the search: another mongod than the named one would be a surprise.
 */
export async function findMongod(environment: Environment = process.env): Promise<Search> {
  const misses: Miss[] = [];
  for (const setting of ['MONGOD_BINARY', 'MONGOMS_SYSTEM_BINARY']) {
    const path = environment[setting];
    if (!path) {
      misses.push({ place: setting, reason: 'not set' });
      continue;
    }
    const found = await inspectMongod(path).catch((error: Error) => {
      throw new Error(`${setting} is ${path}, but ${error.message}. Correct it or unset it.`, { cause: error });
    });
    return { found, misses };
  }
  for (const { place, paths } of await searchedPlaces(environment)) {
    if (paths.length === 0) misses.push({ place, reason: 'no mongod there' });
    for (const path of paths) {
      const found = await inspectMongod(path).catch((error: Error) => {
        misses.push({ place: path, reason: error.message });
        return null;
      });
      if (found) return { found, misses };
    }
  }
  return { found: null, misses };
}

/** {@link findMongod}, or an Error that names every place. */
export async function requireMongod(environment: Environment = process.env): Promise<Mongod> {
  const { found, misses } = await findMongod(environment);
  if (found) return found;
  throw new Error(describeMisses(misses));
}

/** What was tried and what to do now, on several lines. */
export function describeMisses(misses: readonly Miss[]): string {
  return [
    'No usable mongod was found. Looked at:',
    ...misses.map(({ place, reason }) => `  - ${place}: ${reason}`),
    `Install MongoDB ${MAJOR_VERSION_MIN}.0 or newer and set MONGOD_BINARY to its mongod (or put it on PATH),`,
    'run "npm run setup" where the network can be reached,',
    'or set MONGODB_URI to a replica set of your own to serve without an embedded one.',
  ].join('\n');
}

async function searchedPlaces(environment: Environment): Promise<{ place: string; paths: string[] }[]> {
  const onPath = (environment.PATH ?? '').split(delimiter).filter(Boolean);
  const executables: string[] = [];
  for (const folder of onPath) {
    const path = join(folder, 'mongod');
    if (await isExecutable(path)) executables.push(path);
  }
  const folder = cacheFolder(environment);
  const kept = (await readdir(folder).catch(() => [])).filter((name) => /^mongod-\d+\.\d+\.\d+$/.test(name));
  kept.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return [
    { place: 'PATH', paths: executables },
    { place: folder, paths: kept.map((name) => join(folder, name)) },
  ];
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
