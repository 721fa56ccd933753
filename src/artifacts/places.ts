/** Where things are in the folder of a store, and which artifacts are there whole. */
import { chmod, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { artifactId, artifactRef, parseArtifactId } from './artifact.ts';
import { syncPath } from './sync.ts';

/** Beside the groups, of which none begins with a dot. */
const DOWNLOADS = '.downloads';
const TEMPORARY = '.temporary';

const meta = z.strictObject({
  id: artifactId,
  sha256: artifactRef.shape.sha256,
  signature: z.string().nullable(),
  /** Of the archive. */
  bytes: z.number().int().min(0),
  installed_at: z.iso.datetime(),
});

export type Meta = Readonly<z.infer<typeof meta>>;

/** `<group>/<name>/<version>/` with `archive`, `meta.json` and `files/`. */
export class Places {
  readonly downloads: string;
  /** For what is being made or removed: each under a name of its own. */
  readonly temporary: string;

  constructor(readonly root: string) {
    this.downloads = join(root, DOWNLOADS);
    this.temporary = join(root, TEMPORARY);
  }

  /** @throws RangeError when it is no id, so that no path is made of one */
  of(id: string): string {
    const { group, name, version } = parseArtifactId(id);
    return join(this.root, group, name, version);
  }

  /** Makes the folders above an artifact, which whoever runs it can enter. Resolves when they are on the disk. */
  async makeParents(id: string): Promise<void> {
    const { group, name } = parseArtifactId(id);
    const folders = [this.root, join(this.root, group), join(this.root, group, name)];
    for (const folder of folders.slice(1)) {
      await mkdir(folder, { recursive: true });
      await chmod(folder, 0o755);
    }
    for (const folder of folders.slice(0, 2)) await syncPath(folder);
  }

  /** Null: there is none, or not whole. */
  async read(id: string): Promise<Meta | null> {
    const folder = this.of(id);
    try {
      const found = meta.parse(JSON.parse(await readFile(metaFile(folder), 'utf8')));
      const [archive, files] = await Promise.all([stat(archiveFile(folder)), stat(filesFolder(folder))]);
      return found.id === id && archive.size === found.bytes && files.isDirectory() ? found : null;
    } catch (error) {
      if (isAbsent(error) || error instanceof SyntaxError || error instanceof z.ZodError) return null;
      throw error;
    }
  }

  async list(): Promise<Meta[]> {
    const found: Meta[] = [];
    for (const group of await names(this.root)) {
      for (const name of await names(join(this.root, group))) {
        for (const version of await names(join(this.root, group, name))) {
          const id = `${group}:${name}:${version}`;
          const read = artifactId.safeParse(id).success ? await this.read(id) : null;
          if (read !== null) found.push(read);
        }
      }
    }
    return found;
  }
}

export function metaFile(folder: string): string {
  return join(folder, 'meta.json');
}

export function archiveFile(folder: string): string {
  return join(folder, 'archive');
}

export function filesFolder(folder: string): string {
  return join(folder, 'files');
}

/** Also when something of another kind is in its place, or in the path. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
