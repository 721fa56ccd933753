import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { ArtifactError } from '../../../src/artifacts/artifact.ts';
import { unpack } from '../../../src/artifacts/unpack.ts';
import { temporaryFolder, treeOf, useFolders } from './folders.ts';

export const LIMITS = { unpackedBytes: 100_000, files: 50 };
export const NEVER = new AbortController().signal;
export let base: string;
let count = 0;

/** Call at the top of a test file that unpacks. */
export function useUnpacking(): void {
  useFolders();
  beforeAll(async () => {
    base = await temporaryFolder();
  });
}

/** Answers what is in the folder then. Each time in a folder of its own. */
export async function unpacked(archive: Buffer | string, limits = LIMITS): Promise<Record<string, string>> {
  count += 1;
  const folder = join(base, String(count));
  const file = typeof archive === 'string' ? archive : join(base, `${count}.archive`);
  if (typeof archive !== 'string') await writeFile(file, archive);
  await unpack(file, join(folder), limits, NEVER);
  return await treeOf(folder);
}

export async function refusal(archive: Buffer, limits = LIMITS): Promise<string> {
  const error = await unpacked(archive, limits).then(
    (found) => expect.fail(`was accepted: ${JSON.stringify(found)}`),
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(ArtifactError);
  expect((error as ArtifactError).code).toBe('unacceptable');
  return (error as ArtifactError).message;
}

const LONG = 'x'.repeat(256);
export const HOSTILE_NAMES: readonly [what: string, name: string, says: string][] = [
  ['an absolute path', '/etc/passwd', 'absolute'],
  ['two slashes', '//etc/passwd', 'absolute'],
  ['a way out', '../outside', '..'],
  ['a way out behind a way in', 'a/../../outside', '..'],
  ['a way out behind ./', './../outside', '..'],
  ['.. alone', '..', '..'],
  ['a folder that leads out', 'a/..', '..'],
  ['a backslash', 'a\\..\\outside', 'backslash'],
  ['a line break', 'a\nb', 'control'],
  ['an escape sequence', 'a\u001b[2Jb', 'control'],
  ['a control character of the upper half', 'a\u009bb', 'control'],
  ['a DEL', 'a\u007fb', 'control'],
  ['a drive letter', 'C:/windows', 'drive'],
  ['a drive letter alone', 'c:x', 'drive'],
  ['an empty part', 'a//b', 'empty part'],
  ['a dot as a part', 'a/./b', 'empty part'],
  ['a part that is too long', `a/${LONG}`, '255'],
  ['a path that is too long', `${'0123456789/'.repeat(94)}x`, '1024'],
];
