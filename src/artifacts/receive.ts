/** Bytes that come from elsewhere, on their way into a file. */
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ArtifactError } from './artifact.ts';

/**
 * Writes them at the end of a file, and digests them. Bytes are counted as they come: what was said of their number before
 * need not be true.
 *
 * @param start So many the file holds already.
 * @returns How many it holds then.
 * @throws ArtifactError `unacceptable` when they are more than `bytesMax` with those that were there
 */
export async function receive(
  content: AsyncIterable<Uint8Array>,
  { file, digest, start, bytesMax }: { file: FileHandle; digest: Hash; start: number; bytesMax: number },
): Promise<number> {
  let bytes = start;
  for await (const chunk of content) {
    if (bytes + chunk.byteLength > bytesMax) {
      throw new ArtifactError('unacceptable', `the archive is larger than ${bytesMax} bytes, which is the limit`);
    }
    digest.update(chunk);
    for (let at = 0; at < chunk.byteLength; ) {
      at += (await file.write(chunk, at, chunk.byteLength - at, bytes + at)).bytesWritten;
    }
    bytes += chunk.byteLength;
  }
  return bytes;
}

/** Digests what a file holds already. Answers how many bytes that are; 0 when there is no such file. */
export async function digestFile(path: string, digest: Hash): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      digest.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return bytes;
}

/** Passes on a stream, which is ended when nothing comes for so long. @throws ArtifactError `unavailable` then */
export async function* paced(stream: Readable, stallMs: number): AsyncGenerator<Uint8Array> {
  const timer = setTimeout(() => {
    stream.destroy(new ArtifactError('unavailable', `nothing came for ${stallMs / 1000} s: send it again`));
  }, stallMs);
  try {
    for await (const chunk of stream) {
      timer.refresh();
      yield chunk;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
  }
}
