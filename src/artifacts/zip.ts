/** Unpacks a .zip. */
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import {
  type Entry,
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  type ZipFile,
} from 'yauzl';
import { checkedPath, refusedEntry } from './names.ts';
import { damaged, type Tree } from './tree.ts';

const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED_FLAG = 1;
const UTF8_FLAG = 0x800;
/** The end of the central directory, without its comment. */
const END_BYTES = 22;
/** What stands before it in large archives: another end, and where that is. */
const ZIP64_END_BYTES = 76;

/** Of an entry that was checked: no more than is needed, as a directory can be as large as the archive. */
interface Part {
  readonly name: string;
  readonly isExecutable: boolean;
  readonly isDeflated: boolean;
  /** Unpacked. */
  readonly bytes: number;
  readonly checksum: number;
  /** Where its header begins, its content begins, and its content ends. */
  readonly header: number;
  readonly from: number;
  readonly to: number;
}

/**
 * All of the directory is checked before anything is written.
 *
 * @throws ArtifactError `unacceptable`, and whatever zlib and yauzl say of damage
 */
export async function unpackZip(archive: string, tree: Tree): Promise<void> {
  const file = await open(archive, 'r');
  try {
    const { size } = await file.stat();
    const zip = await fromRandomAccessReaderPromise(new FileReader(file, size), size, {
      autoClose: false,
      // Names are decoded and checked here.
      decodeStrings: false,
    });
    const parts = await readDirectory(zip, tree);
    for (const part of parts) await unpackPart(archive, part, tree);
  } finally {
    await file.close();
  }
}

async function readDirectory(zip: ZipFile, tree: Tree): Promise<Part[]> {
  // Where it reads next; its types say something else.
  const directory = Number(zip.readEntryCursor);
  const parts: Part[] = [];
  for await (const entry of zip.eachEntry()) {
    const part = await checkedPart(zip, entry);
    if (parts.length >= tree.limits.files) throw refusedEntry(part.name, `is one more than ${tree.limits.files}`);
    parts.push(part);
  }
  const gap = zip.fileSize - END_BYTES - zip.comment.length - Number(zip.readEntryCursor);
  if (gap !== 0 && gap !== ZIP64_END_BYTES) throw damaged('its directory does not end where it says');
  refuseOverlaps(parts, directory);
  return parts;
}

async function checkedPart(zip: ZipFile, entry: Entry): Promise<Part> {
  const flags = entry.generalPurposeBitFlag;
  // Also without that flag: zip leaves it out where the locale says nothing of UTF-8.
  const name = getFileNameLowLevel(flags | UTF8_FLAG, entry.fileNameRaw, entry.extraFields, true);
  checkedPath(name);
  if (entry.isEncrypted()) throw refusedEntry(name, 'is encrypted');
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw refusedEntry(name, `is compressed by method ${entry.compressionMethod}: only deflate is known`);
  }
  refuseOtherTypes(name, entry);
  const local = await zip.readLocalFileHeaderPromise(entry);
  if (
    !local.fileName.equals(entry.fileNameRaw) ||
    local.compressionMethod !== entry.compressionMethod ||
    ((local.generalPurposeBitFlag ^ flags) & ENCRYPTED_FLAG) !== 0
  ) {
    throw refusedEntry(name, 'is something else in the directory than before its content');
  }
  const from = local.fileDataStart;
  return {
    name,
    isExecutable: (modeOf(entry) & constants.S_IXUSR) !== 0,
    isDeflated: entry.compressionMethod === DEFLATED,
    bytes: entry.uncompressedSize,
    checksum: entry.crc32,
    header: entry.relativeOffsetOfLocalHeader,
    from,
    to: from + entry.compressedSize,
  };
}

/** Only Unix writes a mode; others leave these bits 0. */
function refuseOtherTypes(name: string, entry: Entry): void {
  const type = modeOf(entry) & constants.S_IFMT;
  const isFolder = name.endsWith('/');
  if (type !== 0 && type !== (isFolder ? constants.S_IFDIR : constants.S_IFREG)) {
    throw refusedEntry(name, 'is neither a plain file nor a folder');
  }
  if (isFolder && entry.uncompressedSize !== 0) throw refusedEntry(name, 'is a folder with content');
}

function modeOf(entry: Entry): number {
  return entry.externalFileAttributes >>> 16;
}

/** Content that stands for several entries makes much of little; and who lies about it may lie about more. */
function refuseOverlaps(parts: readonly Part[], directory: number): void {
  let end = 0;
  for (const { name, header, to } of parts.toSorted((a, b) => a.header - b.header)) {
    if (header < end) throw refusedEntry(name, 'overlaps another entry');
    end = to;
    if (end > directory) throw refusedEntry(name, 'overlaps the directory');
  }
}

async function unpackPart(archive: string, part: Part, tree: Tree): Promise<void> {
  const { name, from, to } = part;
  if (name.endsWith('/')) return await tree.folder(name);
  tree.expect(name, part.bytes);
  // A stream of a file cannot be told to read nothing.
  const raw = from === to ? Readable.from([]) : createReadStream(archive, { start: from, end: to - 1 });
  let refused: unknown = null;
  const write = async (content: AsyncIterable<Buffer>) => {
    await tree.file(name, part.isExecutable, checked(content, part)).catch((error) => {
      refused = error;
      throw error;
    });
  };
  const options = { signal: tree.signal };
  const done = part.isDeflated ? pipeline(raw, createInflateRaw(), write, options) : pipeline(raw, write, options);
  await done.catch((error) => {
    // The streams that are ended in consequence say only that they were.
    throw refused ?? error;
  });
}

/** Passes on content that has the size and the checksum that the directory gives. */
async function* checked(content: AsyncIterable<Buffer>, part: Part): AsyncGenerator<Buffer> {
  let bytes = 0;
  let checksum = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (bytes > part.bytes) throw refusedEntry(part.name, 'is longer than it says');
    checksum = crc32(chunk, checksum);
    yield chunk;
  }
  if (bytes !== part.bytes) throw refusedEntry(part.name, 'is shorter than it says');
  if (checksum !== part.checksum) throw refusedEntry(part.name, 'has another checksum than it says');
}

/** Reads the directory. yauzl's own reader throws where nobody can catch it when an archive gives an absurd position. */
class FileReader extends RandomAccessReader {
  constructor(
    readonly file: FileHandle,
    readonly size: number,
  ) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.size)) {
      setImmediate(callback, new Error(`it refers to byte ${position}, which it does not have`));
      return;
    }
    this.file.read(buffer, offset, length, position).then(
      ({ bytesRead }) => callback(bytesRead < length ? new Error('it ends early') : null),
      (error: Error) => callback(error),
    );
  }
}
