/** Makes the archive of a folder. */
import { createHash, randomUUID } from 'node:crypto';
import { constants, createWriteStream, type Dirent } from 'node:fs';
import { open, readdir, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack as packTar } from 'tar-stream';
import { type ArtifactRef, artifactId } from './artifact.ts';
import { checkedPath, refusedEntry } from './names.ts';
import { syncPath } from './sync.ts';

/** Links to programs that npm makes for its own sake: what they lead to is packed. */
const NPM_LINKS = /(^|\/)node_modules\/\.bin\//;
const LONG_AGO = new Date(0);

export interface Packed {
  /** Without a url. */
  readonly ref: ArtifactRef;
  /** Bytes of the archive. */
  readonly bytes: number;
  /** Paths of links in node_modules/.bin, which are not in it. */
  readonly leftOut: readonly string[];
}

/**
 * Packs all that is in a folder as a .tar.gz. The same content gives the same tar, whenever and by whomever it is packed; and
 * the same bytes with the same release of Node on the same kind of processor, as zlib may compress differently on others.
 *
 * @throws ArtifactError `unacceptable` for what no artifact may hold, RangeError for a wrong id or place
 */
export async function pack(folder: string, out: string, id: string): Promise<Packed> {
  const { error } = artifactId.safeParse(id);
  if (error !== undefined) throw new RangeError(`"${id}" is not an artifact: write group:name:version`);
  const root = await realpath(folder);
  const target = join(await realpath(dirname(resolve(out))), relative(dirname(resolve(out)), resolve(out)));
  if (!relative(root, target).startsWith('../')) {
    throw new RangeError(`${out} is in ${folder}, and would be packed into itself: write it elsewhere`);
  }
  const unfinished = `${target}.${randomUUID()}`;
  try {
    const written = await writeArchive(root, unfinished);
    await syncPath(unfinished);
    await rename(unfinished, target);
    return { ref: { id, sha256: written.sha256 }, bytes: written.bytes, leftOut: written.leftOut };
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function writeArchive(
  root: string,
  path: string,
): Promise<{ readonly sha256: string; readonly bytes: number; readonly leftOut: string[] }> {
  const digest = createHash('sha256');
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digest.update(chunk);
      bytes += chunk.byteLength;
      done(null, chunk);
    },
  });
  const leftOut: string[] = [];
  const tar = packTar();
  const written = pipeline(tar, createGzip(), counter, createWriteStream(path, { flags: 'wx' }));
  const added = addFolder(tar, root, '', leftOut).then(
    () => tar.finalize(),
    (error) => {
      tar.destroy(error);
      throw error;
    },
  );
  // What is added is told to who writes when it fails; the other way round only that it is over.
  const [writing, adding] = await Promise.allSettled([written, added]);
  if (writing.status === 'rejected') throw writing.reason;
  if (adding.status === 'rejected') throw adding.reason;
  return { sha256: digest.digest('hex'), bytes, leftOut };
}

async function addFolder(tar: Pack, root: string, folder: string, leftOut: string[]): Promise<void> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  // By bytes, as every machine compares them alike.
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  for (const entry of entries) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    checkedPath(path);
    await addEntry(tar, root, path, entry, leftOut);
  }
}

async function addEntry(tar: Pack, root: string, path: string, entry: Dirent, leftOut: string[]): Promise<void> {
  if (entry.isDirectory()) {
    await addHeader(tar, { name: `${path}/`, type: 'directory', mode: 0o755 });
    await addFolder(tar, root, path, leftOut);
  } else if (entry.isFile()) {
    await addFile(tar, root, path);
  } else if (entry.isSymbolicLink() && NPM_LINKS.test(path)) {
    leftOut.push(path);
  } else if (entry.isSymbolicLink()) {
    throw refusedEntry(path, 'is a link: put what it leads to in its place');
  } else {
    throw refusedEntry(path, 'is neither a file nor a folder');
  }
}

function addHeader(tar: Pack, header: { name: string; type: 'directory'; mode: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ ...header, size: 0, uid: 0, gid: 0, mtime: LONG_AGO }, (error) => (error ? reject(error) : resolve()));
  });
}

async function addFile(tar: Pack, root: string, path: string): Promise<void> {
  const file = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const before = await file.stat();
    const mode = (before.mode & constants.S_IXUSR) === 0 ? 0o644 : 0o755;
    const header = { name: path, size: before.size, mode, uid: 0, gid: 0, mtime: LONG_AGO };
    const entry = tar.entry(header);
    await pipeline(file.createReadStream({ autoClose: false }), entry);
    const after = await file.stat();
    if (after.mtimeMs !== before.mtimeMs || after.size !== before.size) {
      throw refusedEntry(path, 'was changed while it was packed: pack it again');
    }
  } finally {
    await file.close();
  }
}
