/** The service compiled, as it is in the container: it starts in half the time. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Below the checkout, so that the packages are found from there. */
const CACHE = join(ROOT, 'node_modules/.cache');
const NAME = 'kvitt-build-';
const SOURCES = ['src', 'migrations'];
const SETTINGS = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
const KEPT_MS = 86_400_000;
let compiled: Promise<Build> | undefined;

export interface Build {
  /** What Node.js is given to run the command `kvitt`. */
  readonly program: readonly string[];
  /** With the modules, at their places. */
  readonly folder: string;
}

/** Is compiled once, whoever asks for it in whichever process, and again only when it has changed. */
export function compile(): Promise<Build> {
  compiled ??= find();
  return compiled;
}

async function find(): Promise<Build> {
  const folder = join(CACHE, NAME + (await fingerprint()));
  if (!existsSync(folder)) await compileInto(folder);
  return { folder, program: ['--enable-source-maps', join(folder, 'src/cli.js')] };
}

async function compileInto(folder: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  await removeOld();
  const unfinished = await mkdtemp(join(CACHE, `${NAME}unfinished-`));
  const build = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', unfinished];
  await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...build]);
  try {
    await rename(unfinished, folder);
  } catch (error) {
    // Another process was quicker.
    if (!existsSync(folder)) throw error;
    await rm(unfinished, { recursive: true });
  }
}

/** Of all that it is compiled from. */
async function fingerprint(): Promise<string> {
  const found = await Promise.all(SOURCES.map((name) => readdir(join(ROOT, name), { recursive: true })));
  const sources = found.flatMap((names, n) => names.map((name) => join(SOURCES[n]!, name)));
  const hash = createHash('sha256');
  for (const name of [...SETTINGS, ...sources.filter((one) => one.endsWith('.ts')).sort()]) {
    hash.update(`${name}\n`).update(await readFile(join(ROOT, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function removeOld(): Promise<void> {
  const names = (await readdir(CACHE)).filter((name) => name.startsWith(NAME));
  for (const path of names.map((name) => join(CACHE, name))) {
    const found = await stat(path).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}
