import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import type { ArtifactRef } from '../../src/artifacts/artifact.ts';
import { sign } from '../../src/artifacts/verify.ts';
import { tarGz } from './support/archives.ts';
import { refOf, treeOf, useFolders } from './support/folders.ts';
import { sends, serve } from './support/server.ts';

import { ARCHIVE, expectTidy, fails, idsOf, NEVER, OTHER, opened, put, REF, version } from './support/stores.ts';

useFolders();

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
