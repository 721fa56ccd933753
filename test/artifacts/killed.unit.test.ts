import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/artifacts/store.ts';
import { tarGz } from './support/archives.ts';
import { refOf, temporaryFolder, treeOf, useFolders } from './support/folders.ts';

useFolders();

const ROUNDS = 3;
const AT_A_TIME = 2;
const LIMITS = { archiveBytes: 1_000_000, unpackedBytes: 1_000_000, files: 100 };
const STORE = new URL('../../src/artifacts/store.ts', import.meta.url).href;
/** Installs and removes without end; says when it begins. */
const INSTALLER = `
  import { createReadStream } from 'node:fs';
  import { openStore } from ${JSON.stringify(STORE)};
  const [folder, archive, sha256] = process.argv.slice(1);
  const limits = ${JSON.stringify(LIMITS)};
  const store = await openStore({ folder, trusted: [], others: async () => [], limits });
  console.log('begins');
  for (let version = 0; ; version = (version + 1) % 3) {
    const id = 'no.kvitt:test:' + version;
    await store.put({ id, sha256 }, createReadStream(archive));
    if (version === 2) await store.uninstall('no.kvitt:test:0');
    if (version === 2) await store.collect(0);
  }
`;
const ARCHIVE = tarGz(
  ...Array.from({ length: 40 }, (_, index) => ({
    name: `folder-${index % 4}/${index}`,
    content: `${index}`.repeat(2000),
  })),
);
const REF = refOf(ARCHIVE);
const running = new Set<ChildProcess>();

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts an installer and kills it at any moment after it began. */
async function installAndKill(folder: string, archive: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', INSTALLER, '--', folder, archive, REF.sha256],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  running.add(child);
  const ended = once(child, 'exit');
  const [begun] = await once(child.stdout!, 'data');
  expect(String(begun)).toContain('begins');
  await sleep(randomInt(300));
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  running.delete(child);
}

/** All that a store says that it has is there to the last byte. */
async function expectWhole(folder: string): Promise<void> {
  const store = await openStore({ folder, trusted: [], others: async () => [], limits: LIMITS });
  const abort = new AbortController();
  for (const { id, sha256 } of await store.list()) {
    const place = join(folder, ...id.split(':'));
    expect(
      createHash('sha256')
        .update(await readFile(join(place, 'archive')))
        .digest('hex'),
    ).toBe(sha256);
    const held = await store.hold({ id, sha256 }, abort.signal);
    const tree = await treeOf(held.folder);
    expect(Object.keys(tree)).toHaveLength(44);
    for (let index = 0; index < 40; index += 1) {
      expect(tree[`folder-${index % 4}/${index}`] === `644 ${`${index}`.repeat(2000)}`).toBe(true);
    }
    held.letGo();
  }
  expect(await readdir(join(folder, '.temporary'))).toEqual([]);
}

describe('a store whose process is killed at any moment', () => {
  it('has every artifact whole, or not at all', async () => {
    const base = await temporaryFolder();
    const archive = join(base, 'archive.tgz');
    await writeFile(archive, ARCHIVE);
    const folders = Array.from({ length: AT_A_TIME }, (_, index) => join(base, `store-${index}`));
    await Promise.all(
      folders.map(async (folder) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          await installAndKill(folder, archive);
          await expectWhole(folder);
        }
      }),
    );
  });
});
