/** The files and folders of one artifact while they are unpacked. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArtifactError } from './artifact.ts';
import { checkedPath, refusedEntry } from './names.ts';
import { syncPath } from './sync.ts';
import type { ArtifactLimits } from './types.ts';

const FOLDER_MODE = 0o755;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const SYNCS_AT_A_TIME = 8;

/** `parent`: a folder that only stands in the path of another entry so far. */
type Kind = 'file' | 'folder' | 'parent';

/** Writes into a folder that it makes, where nothing else writes, and refuses what an artifact may not hold. */
export class Tree {
  readonly #kinds = new Map<string, Kind>();
  #bytes = 0;

  private constructor(
    readonly root: string,
    readonly limits: Pick<ArtifactLimits, 'unpackedBytes' | 'files'>,
    readonly signal: AbortSignal,
  ) {}

  /** @throws Error `EEXIST` when the folder is there: whatever is in it was not checked */
  static async create(root: string, limits: Tree['limits'], signal: AbortSignal): Promise<Tree> {
    await makeFolder(root);
    return new Tree(root, limits, signal);
  }

  /** @throws ArtifactError `unacceptable` */
  async folder(name: string): Promise<void> {
    this.signal.throwIfAborted();
    const path = checkedPath(name);
    if (path === '') return;
    await this.#makeParents(name, path);
    const isNew = this.#enter(name, path, 'folder');
    if (isNew) await makeFolder(join(this.root, path));
  }

  /** @throws ArtifactError `unacceptable` */
  async file(name: string, isExecutable: boolean, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = checkedPath(name);
    if (path === '') throw refusedEntry(name, 'is a file without a name');
    await this.#makeParents(name, path);
    this.#enter(name, path, 'file');
    const file = await open(join(this.root, path), CREATE, 0o600);
    try {
      for await (const chunk of content) {
        this.signal.throwIfAborted();
        this.expect(name, chunk.byteLength);
        this.#bytes += chunk.byteLength;
        await writeAll(file, chunk);
      }
      // Not by the mode of `open`, which the umask would narrow: who runs it need not be who unpacks it.
      await file.chmod(isExecutable ? 0o755 : 0o644);
    } finally {
      await file.close();
    }
  }

  /** @throws ArtifactError `unacceptable` when so many bytes more are too many */
  expect(name: string, bytes: number): void {
    if (this.#bytes + bytes <= this.limits.unpackedBytes) return;
    throw refusedEntry(name, `makes it more than ${this.limits.unpackedBytes} bytes when unpacked, which is the limit`);
  }

  /** Resolves when all of it is on the disk. */
  async sync(): Promise<void> {
    const paths = [...this.#kinds.keys(), ''].values();
    const syncs = Array.from({ length: SYNCS_AT_A_TIME }, async () => {
      for (const path of paths) await syncPath(join(this.root, path));
    });
    await Promise.all(syncs);
  }

  async #makeParents(name: string, path: string): Promise<void> {
    const parent = dirname(path);
    if (parent === '.') return;
    const kind = this.#kinds.get(parent);
    if (kind === 'file') throw refusedEntry(name, 'is below a file');
    if (kind !== undefined) return;
    await this.#makeParents(name, parent);
    this.#enter(name, parent, 'parent');
    await makeFolder(join(this.root, parent));
  }

  /** Is it new? A folder may be named after what is in it. */
  #enter(name: string, path: string, kind: Kind): boolean {
    const known = this.#kinds.get(path);
    if (known !== undefined && !(known === 'parent' && kind === 'folder')) throw refusedEntry(name, 'is in it twice');
    if (known === undefined && this.#kinds.size >= this.limits.files) {
      throw refusedEntry(name, `is one more than the ${this.limits.files} files and folders that are the limit`);
    }
    this.#kinds.set(path, kind);
    return known === undefined;
  }
}

export function damaged(why: string, options?: ErrorOptions): ArtifactError {
  return new ArtifactError('unacceptable', `the archive is damaged: ${why}`, options);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path);
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  await folder.chmod(FOLDER_MODE).finally(() => folder.close());
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength; ) at += (await file.write(chunk, at)).bytesWritten;
}
