/** Tools of tests that run on Python: their packages, once from PyPI into the user's cache folder. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../src/mongo/mongod-binary.ts';

const INSTALL_MS_MAX = 300_000;
const INSTALLED = 'complete';

/**
 * The `python` of an environment that holds what the file `requirements` pins; made if there is none yet. Throws an
 * Error that says what to install when it cannot be.
 */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  const digest = createHash('sha256').update(await readFile(requirements));
  const cache = cacheFolder();
  const folder = join(cache, `${name}-${digest.digest('hex').slice(0, 12)}`);
  const python = join(folder, 'bin', 'python');
  if (await runs(python, folder)) return python;
  await rm(folder, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  // A folder beside the final one, so that what was cut off is never taken for a whole one.
  const work = await mkdtemp(join(cache, 'python-'));
  try {
    await install(name, requirements, work);
    await rename(work, folder).catch(async (error: unknown) => {
      // Another process was faster.
      if (!(await runs(python, folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return python;
}

async function install(name: string, requirements: string, folder: string): Promise<void> {
  const run = promisify(execFile);
  const options = { timeout: INSTALL_MS_MAX };
  try {
    await run('python3', ['-m', 'venv', folder], options);
  } catch (error) {
    const needs = 'Python 3.10 or newer with its venv module (python3 and python3-venv on Debian)';
    throw new Error(`${name} needs ${needs}: ${said(error)}`, { cause: error });
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements];
  try {
    await run(join(folder, 'bin', 'python'), pip, options);
  } catch (error) {
    throw new Error(`pip could not install ${name}: ${said(error)}`, { cause: error });
  }
  await mkdir(join(folder, INSTALLED));
}

function said(error: unknown): string {
  const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
  return `${stderr ?? ''}${stdout ?? ''}`.trim() || message;
}

/** Not when the Python that it was made with is gone. */
async function runs(python: string, folder: string): Promise<boolean> {
  try {
    await access(join(folder, INSTALLED));
    await promisify(execFile)(python, ['-c', '']);
    return true;
  } catch {
    return false;
  }
}
