import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'vitest';
import type { ArtifactErrorCode, ArtifactRef } from '../../../src/artifacts/artifact.ts';
import { openStore } from '../../../src/artifacts/store.ts';
import type { ArtifactStore, Source } from '../../../src/artifacts/types.ts';
import { tarGz } from './archives.ts';
import { refOf, temporaryFolder } from './folders.ts';

const TIMES = { connect: 10_000, stall: 10_000, retry: 1 };
export const NEVER = new AbortController().signal;
export const ARCHIVE = tarGz({ name: 'bin/run', content: 'run', mode: 0o755 });
export const OTHER = tarGz({ name: 'bin/run', content: 'other' });
export const HOSTILE = tarGz({ name: 'fine', content: 'x' }, { name: '../out', content: 'x' });
export const REF = refOf(ARCHIVE);

interface Opening {
  readonly folder?: string;
  readonly trusted?: readonly KeyObject[];
  readonly sources?: readonly Source[];
  readonly stall?: number;
}

export async function opened({ folder, trusted = [], sources = [], stall = TIMES.stall }: Opening = {}) {
  const root = folder ?? (await temporaryFolder());
  const limits = { archiveBytes: 1_000_000, unpackedBytes: 1_000_000, files: 100 };
  const store = await openStore({ folder: root, trusted, others: async () => sources, limits }, { ...TIMES, stall });
  return { store, root };
}

export async function fails(work: Promise<unknown>, code: ArtifactErrorCode): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'ArtifactError', code });
}

export const put = (store: ArtifactStore, ref: ArtifactRef, archive: Buffer) =>
  store.put(ref, Readable.from([archive]));
export const idsOf = async (store: ArtifactStore) => (await store.list()).map(({ id }) => id);
export const version = (number: number, archive = ARCHIVE) => refOf(archive, { id: `no.kvitt:test:${number}` });

/** Nothing but what is installed is in its folder. */
export async function expectTidy(root: string): Promise<void> {
  for (const name of ['.temporary', '.downloads']) {
    expect(existsSync(join(root, name)) ? await readdir(join(root, name)) : []).toEqual([]);
  }
}
