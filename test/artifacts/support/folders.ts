import { createHash } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import type { ArtifactRef } from '../../../src/artifacts/artifact.ts';

const made: string[] = [];

/** Call at the top of a test file that needs {@link temporaryFolder}s. */
export function useFolders(): void {
  afterAll(async () => {
    for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
  });
}

/** Removed after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-artifacts-'));
  made.push(folder);
  return folder;
}

/** Paths with what is there: `folder` and its mode, or the content of a file and its mode. */
export async function treeOf(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of (await readdir(root, { recursive: true })).sort()) {
    const status = await lstat(join(root, path));
    const mode = (status.mode & 0o7777).toString(8);
    if (status.isFile()) found[path] = `${mode} ${await readFile(join(root, path), 'latin1')}`;
    else found[path] = `${mode} ${status.isDirectory() ? 'folder' : 'something else'}`;
  }
  return found;
}

export async function writeTree(root: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

export function refOf(archive: Buffer, rest: Partial<ArtifactRef> = {}): ArtifactRef {
  return { id: 'no.kvitt:test:1', sha256: createHash('sha256').update(archive).digest('hex'), ...rest };
}
