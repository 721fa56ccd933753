/**
 * `npm run release`: the service with the packages that it needs, as an artifact for Nodee, in dist/release. Packs what
 * is installed, and needs no network.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { pack } from '../src/artifacts/pack.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What only people and compilers read. */
const LEFT_OUT: ReadonlySet<string> = new Set(['.map', '.md', '.markdown', '.ts', '.mts', '.cts', '.flow']);
/** Optional to packages of ours, and there only because this project is compiled with it. */
const NOT_NEEDED = /^node_modules\/(typescript|@typescript\/.*)$/;

interface Locked {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

const { values } = parseArgs({ options: { out: { type: 'string' }, version: { type: 'string' } } });
const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { name: string; version: string };
const version = values.version ?? manifest.version;
const out = values.out ?? join(ROOT, 'dist', 'release', `${manifest.name}-${version}.tar.gz`);
const staging = await mkdtemp(join(tmpdir(), 'kvitt-release-'));
try {
  await compile(join(staging, 'dist'));
  await copyPackages(staging);
  await writeFile(join(staging, 'package.json'), `${JSON.stringify({ ...manifest, version }, null, 2)}\n`);
  await mkdir(join(out, '..'), { recursive: true });
  const { ref } = await pack(staging, out, `no.kvitt:${manifest.name}:${version}`);
  process.stderr.write(`${out}\n`);
  process.stdout.write(`${JSON.stringify(ref, null, 2)}\n`);
} finally {
  await rm(staging, { recursive: true, force: true });
}

async function compile(folder: string): Promise<void> {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', folder, '--sourceMap', 'false'];
  await promisify(execFile)(process.execPath, args);
}

/** Those that the lock file does not call packages for development. */
async function copyPackages(folder: string): Promise<void> {
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as Locked;
  const needed = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional && !NOT_NEEDED.test(path))
    .map(([path]) => path);
  for (const path of needed) {
    await cp(join(ROOT, path), join(folder, path), {
      recursive: true,
      // Packages within packages have lines of their own in the lock file; `.bin` holds links.
      filter: (source) =>
        !LEFT_OUT.has(extname(source)) && !source.slice(join(ROOT, path).length).includes('/node_modules'),
    }).catch((error: NodeJS.ErrnoException) => {
      // Optional, for another platform.
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
