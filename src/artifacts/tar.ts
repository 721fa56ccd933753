/** Unpacks a .tar.gz. */
import { createReadStream } from 'node:fs';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header as TarHeader } from 'tar-stream';
import { refusedEntry } from './names.ts';
import { damaged, type Tree } from './tree.ts';

const BLOCK_BYTES = 512;
/** Two blocks of zeros. */
const END_BYTES = 2 * BLOCK_BYTES;
/** Of what tar writes about an entry: its header, those for its long name, and what fills its last block. */
const ENTRY_BYTES_MAX = 8 * BLOCK_BYTES;
const PADDING_BYTES_MAX = 2 ** 20;
const OWNER_EXECUTES = 0o100;

/** As tar-stream tells it: `byteOffset` is where the content begins in the unpacked tar. */
interface Header extends Omit<TarHeader, 'type'> {
  readonly type: TarHeader['type'] | null;
  readonly byteOffset: number;
  readonly pax: Readonly<Record<string, string>> | null;
}

/** @throws ArtifactError `unacceptable`, and whatever zlib and tar-stream say of damage */
export async function unpackTar(archive: string, tree: Tree): Promise<void> {
  const { unpackedBytes, files } = tree.limits;
  const gauge = new Gauge(unpackedBytes + files * ENTRY_BYTES_MAX + PADDING_BYTES_MAX);
  const entries = extract();
  const read = pipeline(createReadStream(archive), createGunzip(), gauge, entries, { signal: tree.signal });
  // It is awaited below, after what came of the entries.
  read.catch(() => undefined);
  let end = 0;
  for await (const entry of entries) {
    end = await unpackEntry(entry.header as Header, entry as AsyncIterable<Uint8Array>, tree);
  }
  await read;
  if (gauge.lastNonZero >= end) throw damaged('something follows its last entry');
  if (gauge.bytes < end + END_BYTES) throw damaged('it is cut off, as nothing marks its end');
}

/** Answers where its content ends in the unpacked tar. */
async function unpackEntry(header: Header, content: AsyncIterable<Uint8Array>, tree: Tree): Promise<number> {
  const { name, type, size, mode, byteOffset, pax } = header;
  if (Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse'))) throw refusedEntry(name, 'is a sparse file');
  // tar-stream passes on what is no number, and then waits for content without end.
  if (!Number.isSafeInteger(size) || size < 0) throw refusedEntry(name, 'has a size that is no number');
  if (type === 'directory') {
    if (size !== 0) throw refusedEntry(name, 'is a folder with content');
    await tree.folder(name);
    return byteOffset;
  }
  if (type !== 'file')
    throw refusedEntry(name, `is neither a plain file nor a folder, but ${type ?? 'of no known type'}`);
  if (name.endsWith('/')) throw refusedEntry(name, 'is a file with the name of a folder');
  tree.expect(name, size);
  await tree.file(name, (mode & OWNER_EXECUTES) !== 0, content);
  return byteOffset + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Passes on a tar, and knows afterwards how long it was and what it ended with. */
class Gauge extends Transform {
  bytes = 0;
  /** Where the last byte was that is not 0. */
  lastNonZero = -1;

  constructor(
    /** Also headers count: a small archive can hold any number of them. */
    readonly bytesMax: number,
  ) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const last = chunk.findLastIndex((byte) => byte !== 0);
    if (last >= 0) this.lastNonZero = this.bytes + last;
    this.bytes += chunk.byteLength;
    if (this.bytes > this.bytesMax) done(damaged(`it is a tar of more than ${this.bytesMax} bytes`));
    else done(null, chunk);
  }
}
