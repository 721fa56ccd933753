import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { refOf, temporaryFolder, treeOf, useFolders } from './support/folders.ts';
import { sends, serve } from './support/server.ts';

import { ARCHIVE, expectTidy, fails, HOSTILE, NEVER, OTHER, opened, put, REF } from './support/stores.ts';

useFolders();

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
