/** The artifacts of a host. */
import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { ArtifactError, type ArtifactRef, artifactRef } from './artifact.ts';
import { DOWNLOAD_TIMES, Downloads, type DownloadTimes } from './download.ts';
import { archiveFile, filesFolder, isAbsent, type Meta, metaFile, Places } from './places.ts';
import { paced, receive } from './receive.ts';
import { syncPath } from './sync.ts';
import { Shared, Slots, Turns } from './turns.ts';
import type { ArtifactStore, InstalledArtifact, StoreOptions } from './types.ts';
import { unpack } from './unpack.ts';
import { requireSignature } from './verify.ts';

const INSTALLATIONS_AT_A_TIME = 8;

/**
 * Opens the store of a folder, which is made when it is not there, and removes what was broken off in it. One process at a
 * time may have it open.
 */
export async function openStore(options: StoreOptions, times: DownloadTimes = DOWNLOAD_TIMES): Promise<ArtifactStore> {
  const store = new FolderStore(options, times);
  // Not by the mode of mkdir, which the umask would narrow: who runs what is in it need not be who opens it.
  if ((await mkdir(options.folder, { recursive: true })) !== undefined) await chmod(options.folder, 0o755);
  await store.tidy();
  return store;
}

/**
 * An artifact is made in a folder of its own and comes to its place by one rename, once all of it is on the disk; it goes
 * by one rename, too. What changes a place happens in the turn of its id.
 */
class FolderStore implements ArtifactStore {
  readonly #options: StoreOptions;
  readonly #times: DownloadTimes;
  readonly #places: Places;
  readonly #downloads: Downloads;
  readonly #turns = new Turns();
  readonly #slots = new Slots(INSTALLATIONS_AT_A_TIME);
  /** How often each id is held, also by who is still installing it. */
  readonly #holds = new Map<string, number>();
  /** By id and digest. */
  readonly #installations = new Map<string, Shared<void>>();
  /** Names in the temporary folder that are in use. */
  readonly #making = new Set<string>();

  constructor(options: StoreOptions, times: DownloadTimes) {
    this.#options = options;
    this.#times = times;
    this.#places = new Places(options.folder);
    this.#downloads = new Downloads(this.#places.downloads, options, times);
  }

  async hold(ref: ArtifactRef, signal: AbortSignal): Promise<{ readonly folder: string; letGo(): void }> {
    this.#check(ref);
    signal.throwIfAborted();
    // Before it is installed, so that nothing removes it in between.
    const letGo = this.#count(ref.id);
    try {
      await this.#installation(ref).wait(signal);
    } catch (error) {
      letGo();
      throw error;
    }
    return { folder: filesFolder(this.#places.of(ref.id)), letGo };
  }

  async put(ref: ArtifactRef, archive: Readable): Promise<void> {
    try {
      this.#check(ref);
      await this.#refuseOther(ref);
    } catch (error) {
      archive.destroy();
      throw error;
    }
    const letGo = this.#count(ref.id);
    try {
      await this.#inTemporary(async (folder) => {
        const received = join(folder, 'received');
        await this.#receive(ref, archive, received);
        await this.#installOnce(ref, received, new AbortController().signal);
        // Who fetches it need not any more.
        this.#installations.get(keyOf(ref))?.giveUp(new Error(`${ref.id} was uploaded meanwhile`));
      });
    } finally {
      archive.destroy();
      letGo();
    }
  }

  async read(
    id: string,
    from: number,
  ): Promise<{ readonly archive: Readable; readonly bytes: number; readonly sha256: string }> {
    const folder = this.#places.of(id);
    const file = await open(archiveFile(folder), 'r').catch((error) => {
      throw isAbsent(error) ? missing(id) : error;
    });
    try {
      // Opened first: should another archive come in its place meanwhile, the length tells in most cases, and the digest in
      // all.
      const found = await this.#places.read(id);
      if (found === null || (await file.stat()).size !== found.bytes) throw missing(id);
      if (!(Number.isSafeInteger(from) && from >= 0 && from <= found.bytes)) {
        throw new RangeError(`${id} has ${found.bytes} bytes, so it cannot be read from byte ${from} on`);
      }
      return { archive: file.createReadStream({ start: from }), bytes: found.bytes, sha256: found.sha256 };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async list(): Promise<InstalledArtifact[]> {
    const found = await this.#places.list();
    return found.map(({ id, sha256, signature, bytes, installed_at }) => ({
      ...{ id, sha256, signature, bytes },
      installedAt: new Date(installed_at),
      isHeld: this.#isHeld(id),
    }));
  }

  async uninstall(id: string): Promise<void> {
    if (this.#isHeld(id)) throw inUse(id);
    await this.#turns.take(id, async () => {
      if ((await this.#places.read(id)) === null) throw missing(id);
      if (!(await this.#remove(id))) throw inUse(id);
    });
  }

  async collect(keep: number): Promise<string[]> {
    const latestFirst = (await this.list()).sort((a, b) => b.installedAt.getTime() - a.installedAt.getTime());
    const kept = new Map<string, number>();
    const removed: string[] = [];
    for (const { id } of latestFirst) {
      const name = id.slice(0, id.lastIndexOf(':'));
      const before = kept.get(name) ?? 0;
      kept.set(name, before + 1);
      if (before < keep || this.#isHeld(id)) continue;
      if (await this.#turns.take(id, () => this.#remove(id))) removed.push(id);
    }
    return removed;
  }

  async tidy(): Promise<void> {
    await removeAll(this.#places.temporary, (name) => this.#making.has(name));
    await removeAll(this.#places.downloads, (name) => this.#downloads.isActive(name));
  }

  /** Before anything is fetched. */
  #check(ref: ArtifactRef): void {
    requireSignature(artifactRef.parse(ref), this.#options.trusted);
  }

  #count(id: string): () => void {
    this.#holds.set(id, (this.#holds.get(id) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = this.#holds.get(id)! - 1;
      if (left === 0) this.#holds.delete(id);
      else this.#holds.set(id, left);
    };
  }

  #isHeld(id: string): boolean {
    return this.#holds.has(id);
  }

  #installation(ref: ArtifactRef): Shared<void> {
    const key = keyOf(ref);
    const known = this.#installations.get(key);
    if (known !== undefined && !known.isGivenUp) return known;
    const begun: Shared<void> = new Shared(async (signal) => {
      try {
        if (!(await this.#isThere(ref))) await this.#slots.take(() => this.#fetchAndInstall(ref, signal));
      } finally {
        if (this.#installations.get(key) === begun) this.#installations.delete(key);
      }
    });
    this.#installations.set(key, begun);
    return begun;
  }

  /** Not in the turn of its id while it is fetched: somebody may upload it because that takes too long. */
  async #fetchAndInstall(ref: ArtifactRef, signal: AbortSignal): Promise<void> {
    try {
      await this.#downloads.fetch(ref, signal, (archive) => this.#installOnce(ref, archive, signal));
    } catch (error) {
      if (!(await this.#isThere(ref))) throw error;
    }
  }

  #installOnce(ref: ArtifactRef, proven: string, signal: AbortSignal): Promise<void> {
    return this.#turns.take(ref.id, async () => {
      if (!(await this.#refuseOther(ref))) await this.#install(ref, proven, signal);
    });
  }

  /** In its turn, so that nothing is about to remove it. @throws ArtifactError `conflict` when another one is there */
  #isThere(ref: ArtifactRef): Promise<boolean> {
    return this.#turns.take(ref.id, () => this.#refuseOther(ref));
  }

  /** Is it there? @throws ArtifactError `conflict` when another one is */
  async #refuseOther(ref: ArtifactRef): Promise<boolean> {
    const found = await this.#places.read(ref.id);
    if (found === null || found.sha256 === ref.sha256) return found !== null;
    throw new ArtifactError(
      'conflict',
      `${ref.id} is installed with another archive, of digest ${found.sha256}: give the new one another version, or uninstall it first`,
    );
  }

  async #receive(ref: ArtifactRef, archive: Readable, path: string): Promise<void> {
    const digest = createHash('sha256');
    const file = await open(path, 'wx', 0o600);
    try {
      const content = paced(archive, this.#times.stall);
      await receive(content, { file, digest, start: 0, bytesMax: this.#options.limits.archiveBytes });
    } finally {
      await file.close();
    }
    if (digest.digest('hex') === ref.sha256) return;
    throw new ArtifactError('untrusted', `what was uploaded as ${ref.id} has another digest than ${ref.sha256}`);
  }

  /** Of an archive that was proven; takes the file. In the turn of its id. */
  async #install(ref: ArtifactRef, proven: string, signal: AbortSignal): Promise<void> {
    await this.#inTemporary(async (folder) => {
      const whole = join(folder, 'whole');
      await mkdir(whole);
      await rename(proven, archiveFile(whole));
      const { size } = await stat(archiveFile(whole));
      await unpack(archiveFile(whole), filesFolder(whole), this.#options.limits, signal);
      await writeMeta(whole, {
        ...{ id: ref.id, sha256: ref.sha256, signature: ref.signature ?? null, bytes: size },
        installed_at: new Date().toISOString(),
      });
      await syncPath(archiveFile(whole));
      await chmod(whole, 0o755);
      await syncPath(whole);
      await this.#places.makeParents(ref.id);
      await this.#moveIn(ref.id, whole);
    });
  }

  /** In the turn of its id. What is there already is not whole. */
  async #moveIn(id: string, whole: string): Promise<void> {
    const place = this.#places.of(id);
    await this.#discard(place);
    await rename(whole, place);
    await syncPath(dirname(place));
  }

  /** In the turn of its id. False: it is held, or not there. */
  async #remove(id: string): Promise<boolean> {
    return !this.#isHeld(id) && (await this.#discard(this.#places.of(id)));
  }

  /** Takes something away at once, and then apart. False: it is not there. */
  async #discard(place: string): Promise<boolean> {
    return await this.#inTemporary(async (folder) => {
      try {
        await rename(place, join(folder, 'discarded'));
        return true;
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
    });
  }

  async #inTemporary<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const name = randomUUID();
    const folder = join(this.#places.temporary, name);
    this.#making.add(name);
    try {
      await mkdir(this.#places.temporary, { recursive: true, mode: 0o700 });
      await mkdir(folder, { mode: 0o700 });
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true }).finally(() => this.#making.delete(name));
    }
  }
}

function keyOf({ id, sha256 }: ArtifactRef): string {
  return `${id} ${sha256}`;
}

async function writeMeta(folder: string, meta: Meta): Promise<void> {
  await writeFile(metaFile(folder), `${JSON.stringify(meta, null, 2)}\n`, { flag: 'wx', mode: 0o644 });
  await syncPath(metaFile(folder));
}

async function removeAll(folder: string, isInUse: (name: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch((error) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  for (const name of names) {
    if (!isInUse(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

function missing(id: string): ArtifactError {
  return new ArtifactError('missing', `${id} is not installed`);
}

function inUse(id: string): ArtifactError {
  return new ArtifactError('in_use', `${id} is in use: end what runs it, or is about to, first`);
}
