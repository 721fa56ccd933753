/** Unpacks archives whose digest was proven before; what is in them is still nobody's word. */
import { open } from 'node:fs/promises';
import { ArtifactError } from './artifact.ts';
import { unpackTar } from './tar.ts';
import { damaged, Tree } from './tree.ts';
import type { ArtifactLimits } from './types.ts';
import { unpackZip } from './zip.ts';

/** By how they begin: names and types that others give them say nothing. */
const FORMATS: readonly [magic: Buffer, unpack: (archive: string, tree: Tree) => Promise<void>][] = [
  [Buffer.of(0x1f, 0x8b), unpackTar],
  [Buffer.from('PK\x03\x04', 'latin1'), unpackZip],
  // Of an archive without entries.
  [Buffer.from('PK\x05\x06', 'latin1'), unpackZip],
];
const MAGIC_BYTES = 4;

/**
 * Unpacks an archive into a folder, which it makes: files 0644 or 0755, folders 0755, all ours. Resolves when all of it is
 * on the disk. Whoever calls it removes the folder when it rejects.
 *
 * @throws ArtifactError `unacceptable`
 */
export async function unpack(
  archive: string,
  folder: string,
  limits: Pick<ArtifactLimits, 'unpackedBytes' | 'files'>,
  signal: AbortSignal,
): Promise<void> {
  const magic = await firstBytes(archive);
  const format = FORMATS.find(([start]) => magic.subarray(0, start.length).equals(start));
  if (format === undefined) {
    throw new ArtifactError('unacceptable', 'the archive is neither a .tar.gz nor a .zip');
  }
  const tree = await Tree.create(folder, limits, signal);
  try {
    await format[1](archive, tree);
  } catch (error) {
    signal.throwIfAborted();
    throw isOfArchive(error) ? damaged((error as Error).message, { cause: error }) : error;
  }
  await tree.sync();
}

/** Errors of the file system, such as of a full disk, say nothing about the archive. */
function isOfArchive(error: unknown): boolean {
  return !(error instanceof ArtifactError) && !(error instanceof Error && 'syscall' in error);
}

async function firstBytes(archive: string): Promise<Buffer> {
  const file = await open(archive, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
