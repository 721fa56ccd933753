import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import type { ArtifactErrorCode, ArtifactRef } from '../../src/artifacts/artifact.ts';
import { openStore } from '../../src/artifacts/store.ts';
import type { ArtifactStore, Source } from '../../src/artifacts/types.ts';
import { sign } from '../../src/artifacts/verify.ts';
import { tarGz } from './support/archives.ts';
import { refOf, temporaryFolder, treeOf } from './support/folders.ts';
import { sends, serve } from './support/server.ts';

const TIMES = { connect: 10_000, stall: 10_000, retry: 1 };
const NEVER = new AbortController().signal;
const ARCHIVE = tarGz({ name: 'bin/run', content: 'run', mode: 0o755 });
const OTHER = tarGz({ name: 'bin/run', content: 'other' });
const HOSTILE = tarGz({ name: 'fine', content: 'x' }, { name: '../out', content: 'x' });
const REF = refOf(ARCHIVE);

interface Opening {
  readonly folder?: string;
  readonly trusted?: readonly KeyObject[];
  readonly sources?: readonly Source[];
  readonly stall?: number;
}

async function opened({ folder, trusted = [], sources = [], stall = TIMES.stall }: Opening = {}) {
  const root = folder ?? (await temporaryFolder());
  const limits = { archiveBytes: 1_000_000, unpackedBytes: 1_000_000, files: 100 };
  const store = await openStore({ folder: root, trusted, others: async () => sources, limits }, { ...TIMES, stall });
  return { store, root };
}

async function fails(work: Promise<unknown>, code: ArtifactErrorCode): Promise<void> {
  await expect(work).rejects.toMatchObject({ name: 'ArtifactError', code });
}

const put = (store: ArtifactStore, ref: ArtifactRef, archive: Buffer) => store.put(ref, Readable.from([archive]));
const idsOf = async (store: ArtifactStore) => (await store.list()).map(({ id }) => id);
const version = (number: number, archive = ARCHIVE) => refOf(archive, { id: `no.kvitt:test:${number}` });

/** Nothing but what is installed is in its folder. */
async function expectTidy(root: string): Promise<void> {
  for (const name of ['.temporary', '.downloads']) {
    expect(existsSync(join(root, name)) ? await readdir(join(root, name)) : []).toEqual([]);
  }
}

describe('an artifact that is held', () => {
  it('is fetched, installed, and there under its id', async () => {
    const server = await serve(sends(ARCHIVE));
    const { store, root } = await opened();
    const held = await store.hold({ ...REF, url: server.url }, NEVER);
    expect(held.folder).toBe(join(root, 'no.kvitt/test/1/files'));
    expect(await treeOf(held.folder)).toEqual({ bin: '755 folder', 'bin/run': '755 run' });
    for (const path of ['no.kvitt', 'no.kvitt/test', 'no.kvitt/test/1', 'no.kvitt/test/1/files']) {
      expect((await stat(join(root, path))).mode & 0o777).toBe(0o755);
    }
    const [installed] = await store.list();
    expect(installed).toMatchObject({ ...REF, signature: null, bytes: ARCHIVE.byteLength, isHeld: true });
    expect(Math.abs(Date.now() - installed!.installedAt.getTime())).toBeLessThan(600_000);
    await expectTidy(root);
  });

  it('is not fetched when it is there', async () => {
    const { store } = await opened();
    await put(store, REF, ARCHIVE);
    const held = await store.hold(REF, NEVER);
    expect(await readFile(join(held.folder, 'bin/run'), 'utf8')).toBe('run');
  });

  it('is installed once for all who hold it at the same time', async () => {
    const server = await serve(sends(ARCHIVE));
    const { store } = await opened();
    const all = await Promise.all(Array.from({ length: 20 }, () => store.hold({ ...REF, url: server.url }, NEVER)));
    expect(server.requests).toHaveLength(1);
    for (const { letGo } of all.slice(1)) letGo();
    await fails(store.uninstall(REF.id), 'in_use');
    all[0]!.letGo();
    await store.uninstall(REF.id);
    expect(await store.list()).toEqual([]);
  });

  it('fails at once for all who wait for it, and is tried again by the next', async () => {
    const { store, root } = await opened();
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => store.hold(REF, NEVER)));
    expect(all.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
    await put(store, REF, ARCHIVE);
    expect((await store.list())[0]!.isHeld).toBe(false);
    (await store.hold(REF, NEVER)).letGo();
    await expectTidy(root);
  });

  it('stays while anyone holds it, however often one lets go', async () => {
    const { store } = await opened();
    await put(store, REF, ARCHIVE);
    const one = await store.hold(REF, NEVER);
    const two = await store.hold(REF, NEVER);
    for (let times = 0; times < 3; times += 1) one.letGo();
    await fails(store.uninstall(REF.id), 'in_use');
    expect(await store.collect(0)).toEqual([]);
    two.letGo();
    expect(await store.collect(0)).toEqual([REF.id]);
  });

  it('is not given up for others when one of them calls it off, but when all do', async () => {
    let answer: () => void = () => expect.fail('was not asked');
    const server = await serve((request, response) => {
      answer = () => sends(ARCHIVE)(request, response);
    });
    const { store, root } = await opened();
    const [one, two] = [new AbortController(), new AbortController()];
    const ref = { ...REF, url: server.url };
    const first = expect(store.hold(ref, one.signal)).rejects.toThrow('the first');
    const second = store.hold(ref, two.signal);
    await vi.waitFor(() => expect(server.requests).toHaveLength(1), { timeout: 30_000 });
    one.abort(new Error('the first'));
    await first;
    answer();
    (await second).letGo();
    await store.uninstall(REF.id);

    const three = new AbortController();
    const third = expect(store.hold(ref, three.signal)).rejects.toThrow('the third');
    await vi.waitFor(() => expect(server.requests).toHaveLength(2), { timeout: 30_000 });
    three.abort(new Error('the third'));
    await third;
    // Whoever comes now must not get what was given up.
    const fourth = store.hold(ref, NEVER);
    await vi.waitFor(() => expect(server.requests).toHaveLength(3), { timeout: 30_000 });
    answer();
    (await fourth).letGo();
    await expect(store.hold(ref, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
    expect(server.requests).toHaveLength(3);
    await expectTidy(root);
  });

  it('is refused when another archive has its id, also when both are being fetched', async () => {
    const [server, otherServer] = [await serve(sends(ARCHIVE)), await serve(sends(OTHER))];
    const { store, root } = await opened();
    const refs = [{ ...REF, url: server.url }, refOf(OTHER, { url: otherServer.url })];
    const held = await Promise.allSettled(refs.map((ref) => store.hold(ref, NEVER)));
    expect(held.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const wins = held[0]!.status === 'fulfilled' ? REF : refOf(OTHER);
    const loses = wins === REF ? refOf(OTHER) : REF;
    await fails(store.hold(loses, NEVER), 'conflict');
    await fails(put(store, loses, wins === REF ? OTHER : ARCHIVE), 'conflict');
    expect((await store.list()).map(({ sha256 }) => sha256)).toEqual([wins.sha256]);
    await expectTidy(root);
  });

  it('is had as soon as it is uploaded, though it is still being fetched', async () => {
    const server = await serve(() => undefined);
    const { store, root } = await opened({ stall: 600_000 });
    const holding = store.hold({ ...REF, url: server.url }, NEVER);
    await vi.waitFor(() => expect(server.requests).toHaveLength(1), { timeout: 30_000 });
    await put(store, REF, ARCHIVE);
    const { folder } = await holding;
    expect(await readFile(join(folder, 'bin/run'), 'utf8')).toBe('run');
    await fails(store.uninstall(REF.id), 'in_use');
    await expectTidy(root);
  });

  it('can be reached by everybody, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      const root = join(await temporaryFolder(), 'new');
      const { store } = await opened({ folder: root });
      await put(store, REF, ARCHIVE);
      for (const path of ['', 'no.kvitt', 'no.kvitt/test', 'no.kvitt/test/1', 'no.kvitt/test/1/files']) {
        expect((await stat(join(root, path))).mode & 0o777).toBe(0o755);
      }
    } finally {
      process.umask(before);
    }
  });

  it('is refused whole when it holds what is never unpacked, and leaves nothing behind', async () => {
    const server = await serve(sends(HOSTILE));
    const { store, root } = await opened();
    await fails(store.hold(refOf(HOSTILE, { url: server.url }), NEVER), 'unacceptable');
    await fails(put(store, refOf(HOSTILE), HOSTILE), 'unacceptable');
    expect(await store.list()).toEqual([]);
    await expectTidy(root);
    expect(existsSync(join(root, 'no.kvitt/test/out'))).toBe(false);
  });

  it('is no path', async () => {
    const { store, root } = await opened();
    for (const id of ['..:..:..', 'a:b:../c', 'a:b', 'a:b:c:d', 'a:b:', '.temporary:a:b', 'a:b:c/d']) {
      await expect(store.hold({ ...REF, id }, NEVER)).rejects.toThrow();
      await expect(put(store, { ...REF, id }, ARCHIVE)).rejects.toThrow();
      await expect(store.uninstall(id)).rejects.toThrow();
      await expect(store.read(id, 0)).rejects.toThrow();
    }
    await expect(store.hold({ ...REF, sha256: '../../x' }, NEVER)).rejects.toThrow();
    await expectTidy(root);
  });
});

describe('an artifact where keys are trusted', () => {
  const keys = generateKeyPairSync('ed25519');
  const signed = (ref: ArtifactRef) => ({ ...ref, signature: sign(keys.privateKey, ref) });

  it('is installed when it is signed, and not even fetched otherwise', async () => {
    const server = await serve(sends(ARCHIVE));
    const { store } = await opened({ trusted: [keys.publicKey] });
    const ref = { ...REF, url: server.url };
    await fails(store.hold(ref, NEVER), 'untrusted');
    await fails(store.hold({ ...signed({ ...ref, id: 'no.kvitt:test:2' }), id: REF.id }, NEVER), 'untrusted');
    expect(server.requests).toHaveLength(0);
    const upload = Readable.from([ARCHIVE]);
    await fails(store.put(REF, upload), 'untrusted');
    expect(upload.destroyed).toBe(true);
    await store.hold(signed(ref), NEVER);
    expect((await store.list())[0]!.signature).toBe(signed(ref).signature);
  });

  it('is not held without a signature though it was installed when none was asked for', async () => {
    const { store, root } = await opened();
    await put(store, REF, ARCHIVE);
    const { store: strict } = await opened({ folder: root, trusted: [keys.publicKey] });
    await fails(strict.hold(REF, NEVER), 'untrusted');
    await strict.hold(signed(REF), NEVER);
  });
});

describe('an artifact that is uploaded', () => {
  it('is installed, also when it is uploaded again, and at the same time', async () => {
    const { store, root } = await opened();
    await Promise.all([put(store, REF, ARCHIVE), put(store, REF, ARCHIVE), put(store, REF, ARCHIVE)]);
    await put(store, REF, ARCHIVE);
    expect(await idsOf(store)).toEqual([REF.id]);
    await expectTidy(root);
  });

  it('is refused when it is not what it is said to be, too large, broken off, or stops coming', async () => {
    const { store, root } = await opened({ stall: 100 });
    await fails(put(store, REF, OTHER), 'untrusted');
    await fails(put(store, REF, ARCHIVE.subarray(1)), 'untrusted');
    await fails(put(store, REF, Buffer.alloc(0)), 'untrusted');
    await fails(put(store, REF, Buffer.alloc(1_000_001)), 'unacceptable');
    await fails(store.put(REF, new Readable({ read: () => undefined })), 'unavailable');
    const broken = Readable.from(
      (async function* () {
        yield ARCHIVE.subarray(0, 10);
        throw new Error('the connection broke');
      })(),
    );
    await expect(store.put(REF, broken)).rejects.toThrow('the connection broke');
    const destroyed = new Readable({ read: () => undefined });
    destroyed.destroy();
    await expect(store.put(REF, destroyed)).rejects.toThrow();
    expect(await store.list()).toEqual([]);
    await expectTidy(root);
  });

  it('does not keep others from installing the same while it comes slowly', async () => {
    const server = await serve(sends(ARCHIVE));
    const { store } = await opened();
    const slow = new Readable({ read: () => undefined });
    slow.push(ARCHIVE.subarray(0, 10));
    const uploading = store.put(REF, slow);
    await store.hold({ ...REF, url: server.url }, NEVER);
    slow.push(ARCHIVE.subarray(10));
    slow.push(null);
    await uploading;
    expect(await idsOf(store)).toEqual([REF.id]);
  });
});

describe('the archive of an artifact', () => {
  it('is read from any byte on', async () => {
    const { store } = await opened();
    await put(store, REF, ARCHIVE);
    for (const from of [0, 1, ARCHIVE.byteLength - 1, ARCHIVE.byteLength]) {
      const { archive, bytes, sha256 } = await store.read(REF.id, from);
      expect((await buffer(archive)).equals(ARCHIVE.subarray(from))).toBe(true);
      expect([bytes, sha256]).toEqual([ARCHIVE.byteLength, REF.sha256]);
    }
    for (const from of [-1, 0.5, ARCHIVE.byteLength + 1, Number.NaN]) {
      await expect(store.read(REF.id, from)).rejects.toThrow(RangeError);
    }
    await fails(store.read('no.kvitt:test:2', 0), 'missing');
  });

  it('is read to its end though it is uninstalled meanwhile', async () => {
    const { store } = await opened();
    const large = tarGz({
      name: 'x',
      content: Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256)),
    });
    const ref = refOf(large);
    await put(store, ref, large);
    const { archive } = await store.read(ref.id, 0);
    await store.uninstall(ref.id);
    expect((await buffer(archive)).equals(large)).toBe(true);
  });

  it('goes from one store to another', async () => {
    const { store } = await opened();
    await put(store, REF, ARCHIVE);
    const server = await serve(async (_request, response) => {
      const { archive } = await store.read(REF.id, 0);
      archive.pipe(response);
    });
    const { store: other } = await opened({ sources: [{ url: server.url, headers: {} }] });
    await other.hold(REF, NEVER);
    expect(await idsOf(other)).toEqual([REF.id]);
  });
});

describe('a store', () => {
  it('removes versions that nobody holds, but the latest of each name', async () => {
    const { store } = await opened();
    for (const number of [9, 1, 2, 10]) {
      await put(store, version(number), ARCHIVE);
      // So that each is later than the one before.
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await put(store, refOf(ARCHIVE, { id: 'no.kvitt:test2:1' }), ARCHIVE);
    const held = await store.hold(version(9), NEVER);
    expect(await store.collect(2)).toEqual(['no.kvitt:test:1']);
    held.letGo();
    expect(await store.collect(2)).toEqual(['no.kvitt:test:9']);
    expect(await store.collect(2)).toEqual([]);
    expect((await store.collect(0)).sort()).toEqual(['no.kvitt:test2:1', 'no.kvitt:test:10', 'no.kvitt:test:2']);
    expect(await store.list()).toEqual([]);
  });

  it('says what is not installed', async () => {
    const { store } = await opened();
    await fails(store.uninstall(REF.id), 'missing');
  });

  it('never removes what somebody holds, whoever installs, removes and collects at the same time', async () => {
    const server = await serve(sends(ARCHIVE));
    const { store, root } = await opened();
    const ref = { ...REF, url: server.url };
    let isOver = false;
    const remover = (async () => {
      while (!isOver) {
        await store.uninstall(REF.id).catch(() => undefined);
        await store.collect(0);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const holders = Array.from({ length: 4 }, async () => {
      for (let times = 0; times < 15; times += 1) {
        const held = await store.hold(ref, NEVER);
        for (let looks = 0; looks < 3; looks += 1)
          expect(await readFile(join(held.folder, 'bin/run'), 'utf8')).toBe('run');
        held.letGo();
      }
    });
    await Promise.all(holders).finally(() => {
      isOver = true;
    });
    await remover;
    await expectTidy(root);
  });

  it.each<[what: string, damage: (folder: string) => Promise<void>]>([
    ['no meta.json', (folder) => rm(join(folder, 'meta.json'))],
    ['an empty meta.json', (folder) => truncate(join(folder, 'meta.json'))],
    [
      'a meta.json of another artifact',
      async (folder) => {
        const meta = await readFile(join(folder, 'meta.json'), 'utf8');
        await writeFile(join(folder, 'meta.json'), meta.replace('no.kvitt:test:1', 'no.kvitt:test:2'));
      },
    ],
    [
      'a folder for a meta.json',
      async (folder) => {
        await rm(join(folder, 'meta.json'));
        await mkdir(join(folder, 'meta.json'));
      },
    ],
    ['a meta.json that is a list', (folder) => writeFile(join(folder, 'meta.json'), '[]')],
    ['half an archive', (folder) => truncate(join(folder, 'archive'), 10)],
    ['no archive', (folder) => rm(join(folder, 'archive'))],
    ['no files', (folder) => rm(join(folder, 'files'), { recursive: true })],
    [
      'a file in its place',
      async (folder) => {
        await rm(folder, { recursive: true });
        await writeFile(folder, '');
      },
    ],
  ])('does not count what has %s, and replaces it', async (_, damage) => {
    const { store, root } = await opened();
    await put(store, REF, ARCHIVE);
    await damage(join(root, 'no.kvitt/test/1'));
    expect(await store.list()).toEqual([]);
    await fails(store.read(REF.id, 0), 'missing');
    await fails(store.uninstall(REF.id), 'missing');
    await put(store, REF, ARCHIVE);
    const { folder } = await store.hold(REF, NEVER);
    expect(await treeOf(folder)).toEqual({ bin: '755 folder', 'bin/run': '755 run' });
    await expectTidy(root);
  });

  it('is not troubled by what else is in its folder', async () => {
    const { store, root } = await opened();
    await writeFile(join(root, 'a file'), '');
    await mkdir(join(root, 'group/name with blanks/1'), { recursive: true });
    await mkdir(join(root, 'lost+found'), { recursive: true });
    await writeFile(join(root, 'group/file'), '');
    expect(await store.list()).toEqual([]);
    expect(await store.collect(0)).toEqual([]);
  });

  it('removes what was broken off when it is opened, and nothing else', async () => {
    const { store, root } = await opened();
    await put(store, REF, ARCHIVE);
    await mkdir(join(root, '.temporary/x/whole/files'), { recursive: true });
    await mkdir(join(root, '.downloads'), { recursive: true });
    await writeFile(join(root, '.downloads', `${REF.sha256}.part`), 'part');
    const { store: again } = await opened({ folder: root });
    expect(await idsOf(again)).toEqual([REF.id]);
    await expectTidy(root);
  });

  it('does not remove what is under way when it is tidied', async () => {
    let answer: () => void = () => expect.fail('was not asked');
    const server = await serve((_request, response) => {
      response.write(ARCHIVE.subarray(0, 20));
      answer = () => void response.end(ARCHIVE.subarray(20));
    });
    const { store, root } = await opened();
    const holding = store.hold({ ...REF, url: server.url }, NEVER);
    const slow = new Readable({ read: () => undefined });
    const uploading = store.put(version(2), slow);
    const part = join(root, '.downloads', `${REF.sha256}.part`);
    await vi.waitFor(async () => expect(await readFile(part)).toHaveLength(20), { timeout: 30_000 });
    await vi.waitFor(async () => expect(await readdir(join(root, '.temporary'))).toHaveLength(1), { timeout: 30_000 });
    await store.tidy();
    answer();
    slow.push(ARCHIVE);
    slow.push(null);
    await Promise.all([holding, uploading]);
    expect(await idsOf(store)).toEqual([REF.id, version(2).id]);
    await expectTidy(root);
  });
});
