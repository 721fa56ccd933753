import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { pack } from '../../src/artifacts/pack.ts';
import { unpack } from '../../src/artifacts/unpack.ts';
import { temporaryFolder, treeOf, useFolders, writeTree } from './support/folders.ts';

useFolders();

const run = promisify(execFile);
const ID = 'no.kvitt:test:1';
const LIMITS = { unpackedBytes: 10_000_000, files: 1_000 };
const NEVER = new AbortController().signal;

async function packed(files: Readonly<Record<string, string | Buffer>>) {
  const base = await temporaryFolder();
  await writeTree(join(base, 'source'), files);
  return { base, source: join(base, 'source'), out: join(base, 'out.tar.gz') };
}

describe('a folder that is packed', () => {
  it('gives the same bytes whenever it is packed, and whatever its times and further modes', async () => {
    const files = { 'b/run': 'run', 'a/x': 'x', 'a-b': '', 'a.b': '', [`${'long/'.repeat(60)}x`]: 'x', æ: 'æ' };
    const one = await packed(files);
    const two = await packed(Object.fromEntries(Object.entries(files).reverse()));
    for (const { source } of [one, two]) await chmod(join(source, 'b/run'), source === one.source ? 0o755 : 0o700);
    await utimes(join(two.source, 'a/x'), 1, 1);
    await chmod(join(two.source, 'a/x'), 0o600);
    const first = await pack(one.source, one.out, ID);
    const second = await pack(two.source, two.out, ID);
    expect(first).toEqual(second);
    const bytes = await readFile(one.out);
    expect(bytes.equals(await readFile(two.out))).toBe(true);
    expect(first.ref).toEqual({ id: ID, sha256: createHash('sha256').update(bytes).digest('hex') });
    expect(first.bytes).toBe(bytes.byteLength);
    expect((await readdir(one.base)).sort()).toEqual(['out.tar.gz', 'source']);
  });

  it('can be read by tar, and tells nothing of who packed it', async () => {
    const { source, out } = await packed({ 'bin/run': 'run', file: 'x'.repeat(100_000) });
    await chmod(join(source, 'bin/run'), 0o775);
    await pack(source, out, ID);
    const { stdout } = await run('tar', ['--utc', '--numeric-owner', '-tvzf', out]);
    expect(stdout.replace(/ +/g, ' ')).toBe(
      [
        'drwxr-xr-x 0/0 0 1970-01-01 00:00 bin/',
        '-rwxr-xr-x 0/0 3 1970-01-01 00:00 bin/run',
        '-rw-r--r-- 0/0 100000 1970-01-01 00:00 file',
        '',
      ].join('\n'),
    );
  });

  it('is refused with a link, a pipe, or a name that is not unpacked, and leaves nothing behind', async () => {
    const { base, source, out } = await packed({ 'sub/a': 'a' });
    await symlink('a', join(source, 'sub/b'));
    await expect(pack(source, out, ID)).rejects.toThrow('"sub/b" is a link: put what it leads to in its place');
    await run('rm', [join(source, 'sub/b')]);
    await run('mkfifo', [join(source, 'sub/b')]);
    await expect(pack(source, out, ID)).rejects.toThrow('"sub/b" is neither a file nor a folder');
    await run('rm', [join(source, 'sub/b')]);
    await writeFile(join(source, 'back\\slash'), '');
    await expect(pack(source, out, ID)).rejects.toThrow('backslash');
    expect(await readdir(base)).toEqual(['source']);
  });

  it('is packed without the links of npm to programs, and says which', async () => {
    const { base, source, out } = await packed({ 'node_modules/tsx/cli.js': 'cli', 'a/node_modules/x/y': '' });
    for (const folder of ['node_modules/.bin', 'a/node_modules/.bin']) {
      await mkdir(join(source, folder));
      await symlink('../tsx/cli.js', join(source, folder, 'tsx'));
    }
    expect((await pack(source, out, ID)).leftOut).toEqual(['a/node_modules/.bin/tsx', 'node_modules/.bin/tsx']);
    await unpack(out, join(base, 'unpacked'), LIMITS, NEVER);
    expect(await treeOf(join(base, 'unpacked'))).toMatchObject({ 'node_modules/tsx/cli.js': '644 cli' });
    await symlink('..', join(source, 'node_modules/other'));
    await expect(pack(source, out, ID)).rejects.toThrow('"node_modules/other" is a link');
  });

  it('is not packed into itself, nor under a name that is none, nor when it is not there', async () => {
    const { base, source, out } = await packed({ a: 'a' });
    await symlink(source, join(base, 'also'));
    for (const inside of [source, join(base, 'also')]) {
      await expect(pack(source, join(inside, 'out.tar.gz'), ID)).rejects.toThrow('packed into itself');
    }
    await expect(pack(source, out, 'no.kvitt')).rejects.toThrow('write group:name:version');
    await expect(pack(join(base, 'missing'), out, ID)).rejects.toThrow('ENOENT');
    expect(await readdir(source)).toEqual(['a']);
  });

  it('replaces what was packed before, and keeps it when that fails', async () => {
    const { source, out } = await packed({ a: 'a' });
    await writeFile(out, 'before');
    await symlink('a', join(source, 'b'));
    await expect(pack(source, out, ID)).rejects.toThrow('link');
    expect(await readFile(out, 'utf8')).toBe('before');
    await run('rm', [join(source, 'b')]);
    await pack(source, out, ID);
    expect((await readFile(out)).subarray(0, 2)).toEqual(Buffer.of(0x1f, 0x8b));
  });

  const name = fc.stringMatching(/^[a-zæ .\-_]{1,12}$/).filter((text) => !/^\.\.?$/.test(text));
  const path = fc.array(name, { minLength: 1, maxLength: 12 }).map((parts) => `d/${parts.join('/d/')}`);

  test.prop(
    {
      files: fc.dictionary(path, fc.tuple(fc.uint8Array({ maxLength: 3000 }), fc.boolean()), { maxKeys: 8 }),
      folder: path,
    },
    { numRuns: 15 },
  )('is the same when it is unpacked', async ({ files, folder }) => {
    const { base, source, out } = await packed({});
    for (const [file, [content, isExecutable]] of Object.entries(files)) {
      // A file may stand where another one needs a folder.
      await writeTree(source, { [file]: Buffer.from(content) }).catch(() => undefined);
      await chmod(join(source, file), isExecutable ? 0o755 : 0o644).catch(() => undefined);
    }
    await mkdir(join(source, folder), { recursive: true }).catch(() => undefined);
    await run('find', [source, '-type', 'd', '-exec', 'chmod', '755', '{}', '+']);
    await pack(source, out, ID);
    await unpack(out, join(base, 'unpacked'), LIMITS, NEVER);
    expect(await treeOf(join(base, 'unpacked'))).toEqual(await treeOf(source));
  });
});
