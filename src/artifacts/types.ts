/** What a host keeps of artifacts. */
import type { KeyObject } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { ArtifactRef } from './artifact.ts';

export interface StoreOptions {
  readonly folder: string;
  /** Keys of which one must have signed what is installed; empty: signatures are not asked for. */
  readonly trusted: readonly KeyObject[];
  /** Other places where an archive may be had, asked one after the other when its own URL is missing or fails. */
  others(ref: ArtifactRef): Promise<readonly Source[]>;
  readonly limits: ArtifactLimits;
}

export interface Source {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ArtifactLimits {
  /** Of the archive. */
  readonly archiveBytes: number;
  /** Of all files together. */
  readonly unpackedBytes: number;
  readonly files: number;
}

export interface InstalledArtifact {
  readonly id: string;
  readonly sha256: string;
  readonly signature: string | null;
  readonly bytes: number;
  readonly installedAt: Date;
  readonly isHeld: boolean;
}

/** Artifacts side by side, by id. Whatever is there was checked before it was unpacked, and is there whole. */
export interface ArtifactStore {
  /**
   * Installs it, unless it is there, and holds it: nothing removes it before it was let go.
   *
   * @throws ArtifactError
   */
  hold(ref: ArtifactRef, signal: AbortSignal): Promise<{ readonly folder: string; letGo(): void }>;
  /** Takes an archive that somebody sends. @throws ArtifactError */
  put(ref: ArtifactRef, archive: Readable): Promise<void>;
  /** The archive itself, for others; from byte `from` on. @throws ArtifactError `missing` */
  read(
    id: string,
    from: number,
  ): Promise<{ readonly archive: Readable; readonly bytes: number; readonly sha256: string }>;
  list(): Promise<InstalledArtifact[]>;
  /** @throws ArtifactError `in_use` or `missing` */
  uninstall(id: string): Promise<void>;
  /** Removes versions that nobody holds but the latest installed `keep` of each name. Answers what it removed. */
  collect(keep: number): Promise<string[]>;
  /** Removes what is left of downloads and installations that were broken off. */
  tidy(): Promise<void>;
}
