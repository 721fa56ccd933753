import { execFile } from 'node:child_process';
import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ArtifactError } from '../../src/artifacts/artifact.ts';
import { pax, TAR_END, type TarEntry, tarEntry, tarGz, tarHeader, withChecksums } from './support/archives.ts';
import { temporaryFolder, treeOf, writeTree } from './support/folders.ts';
import { base, HOSTILE_NAMES, refusal, unpacked, useUnpacking } from './support/unpacking.ts';

useUnpacking();

const run = promisify(execFile);

describe('a tar', () => {
  it('is unpacked with its files, its folders, and no more of its modes than who may execute', async () => {
    const archive = tarGz(
      { name: './', type: '5', mode: 0o700 },
      { name: './bin/', type: '5', mode: 0o7777 },
      { name: './bin/run', content: 'run', mode: 0o6711 },
      { name: './bin/group', content: '', mode: 0o611 },
      { name: './deep/er/file', content: 'x'.repeat(1025), mode: 0o1644 },
    );
    expect(await unpacked(archive)).toEqual({
      bin: '755 folder',
      'bin/group': '644 ',
      'bin/run': '755 run',
      deep: '755 folder',
      'deep/er': '755 folder',
      'deep/er/file': `644 ${'x'.repeat(1025)}`,
    });
  });

  it('is unpacked with the same modes whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      const found = await unpacked(tarGz({ name: 'a/b', content: 'b', mode: 0o755 }));
      expect(found).toEqual({ a: '755 folder', 'a/b': '755 b' });
    } finally {
      process.umask(before);
    }
  });

  it('may be empty, and made of several gzip members', async () => {
    expect(await unpacked(tarGz())).toEqual({});
    const members = [gzipSync(tarEntry({ name: 'a', content: 'a' })), gzipSync(TAR_END)];
    expect(await unpacked(Buffer.concat(members))).toEqual({ a: '644 a' });
  });

  it.each(HOSTILE_NAMES)('is refused with %s', async (_, name, says) => {
    expect(await refusal(tarGz(pax({ path: name }), { name: 'innocent', content: 'x' }))).toContain(says);
    if (Buffer.byteLength(name) <= 100) expect(await refusal(tarGz({ name, content: 'x' }))).toContain(says);
    expect(await refusal(tarGz(pax({ path: `${name}/` }), { name: 'innocent/', type: '5' }))).toContain(says);
    const gnuLongName = tarEntry({ name: '././@LongLink', type: 'L', content: `${name}\0` });
    expect(await refusal(tarGz(gnuLongName, { name: 'innocent', content: 'x' }))).toContain(says);
  });

  it('is refused with a NUL, or bytes that are no UTF-8, in a name', async () => {
    expect(await refusal(tarGz(pax({ path: 'a\0b' }), { name: 'x' }))).toContain('control');
    const header = tarEntry({ name: 'a?b' });
    header[1] = 0xff;
    expect(await refusal(tarGz(withChecksums(header)))).toContain('UTF-8');
  });

  it.each<[what: string, entry: TarEntry | Buffer, says: string]>([
    [
      'a hard link',
      { name: 'a', type: '1', linkname: '/etc/passwd' },
      '"a" is neither a plain file nor a folder, but link',
    ],
    ['a symbolic link', { name: 'a', type: '2', linkname: '..' }, 'symlink'],
    ['a character device', { name: 'a', type: '3' }, 'character-device'],
    ['a block device', { name: 'a', type: '4' }, 'block-device'],
    ['a FIFO', { name: 'a', type: '6' }, 'fifo'],
    ['a contiguous file', { name: 'a', type: '7' }, 'contiguous-file'],
    ['a sparse file of GNU tar', { name: 'a', type: 'S' }, 'no known type'],
    ['the listing of a folder', { name: 'a', type: 'D' }, 'no known type'],
    ['a volume label', { name: 'a', type: 'V' }, 'no known type'],
    ['the continuation of another volume', { name: 'a', type: 'M' }, 'no known type'],
    ['a type that nobody knows', { name: 'a', type: '~' }, 'no known type'],
    [
      'a sparse file as pax has it',
      Buffer.concat([pax({ 'GNU.sparse.major': '1' }), tarEntry({ name: 'a' })]),
      'sparse',
    ],
    ['a folder with content', { name: 'a/', type: '5', content: 'x'.repeat(512) }, 'folder with content'],
    ['a file named as a folder', { name: 'a/', content: 'x' }, 'name of a folder'],
    ['a file without a name', { name: './', content: 'x' }, 'a file'],
    ['an empty name', { name: '', content: 'x' }, 'empty name'],
    ['an empty name of a folder', { name: '', type: '5' }, 'empty name'],
    ['another format', { name: 'a', magic: 'gnome\x0000' }, 'damaged'],
  ])('is refused with %s', async (_, entry, says) => {
    expect(await refusal(tarGz({ name: 'before', content: 'x' }, entry))).toContain(says);
  });

  it.each<[what: string, entries: TarEntry[], says: string]>([
    ['the same file twice', [{ name: 'a' }, { name: 'a' }], 'twice'],
    ['the same file under two names', [{ name: 'a' }, { name: './a' }], 'twice'],
    [
      'the same folder twice',
      [
        { name: 'a/', type: '5' },
        { name: 'a', type: '5' },
      ],
      'twice',
    ],
    ['a file where a folder is', [{ name: 'a/b' }, { name: 'a' }], 'twice'],
    ['a folder where a file is', [{ name: 'a' }, { name: 'a/', type: '5' }], 'twice'],
    ['a file below a file', [{ name: 'a' }, { name: 'a/b' }], 'below a file'],
    ['a file deep below a file', [{ name: 'a' }, { name: 'a/b/c/d' }], 'below a file'],
  ])('is refused with %s', async (_, entries, says) => {
    expect(await refusal(tarGz(...entries))).toContain(says);
  });

  it('may name a folder after what is in it, and differ in case only', async () => {
    const found = await unpacked(tarGz({ name: 'a/b' }, { name: 'a/', type: '5' }, { name: 'A' }));
    expect(Object.keys(found)).toEqual(['A', 'a', 'a/b']);
  });

  it('is refused with more entries than the limit, also when they only stand in paths', async () => {
    const files = Array.from({ length: 51 }, (_, index) => ({ name: `f${index}` }));
    expect(await refusal(tarGz(...files))).toContain('one more than the 50');
    expect(await refusal(tarGz(pax({ path: `${'d/'.repeat(50)}f` }), { name: 'f' }))).toContain('one more than the 50');
    expect(Object.keys(await unpacked(tarGz(...files.slice(1))))).toHaveLength(50);
  });

  it('is refused when it is larger unpacked than the limit, whatever it says', async () => {
    const half = Buffer.alloc(50_001);
    expect(await refusal(tarGz({ name: 'a', content: half }, { name: 'b', content: half }))).toContain('100000 bytes');
    expect(await refusal(tarGz({ name: 'a', size: 2 ** 32, content: '' }))).toContain('100000 bytes');
    expect(await refusal(tarGz(pax({ size: '999999999' }), { name: 'a' }))).toContain('100000 bytes');
    expect(await unpacked(tarGz({ name: 'a', content: Buffer.alloc(100_000) }))).toHaveProperty('a');
  });

  it('is refused when it is large without any file', async () => {
    const headers = Array.from({ length: 1000 }, () => pax({ comment: 'x'.repeat(2000) }));
    expect(await refusal(tarGz(...headers, { name: 'a' }))).toContain('a tar of more than');
    expect(await refusal(gzipSync(Buffer.alloc(5_000_000)))).toContain('a tar of more than');
  });

  it('is refused when it is cut off, at whichever byte of the archive', async () => {
    const archive = tarGz({ name: 'a', content: 'some content' });
    for (let bytes = 0; bytes < archive.byteLength; bytes += 1) await refusal(archive.subarray(0, bytes));
  });

  it('is refused when it is cut off before it was compressed, at whichever block', async () => {
    const whole = gunzipSync(tarGz({ name: 'a', content: 'x'.repeat(600) }, { name: 'b', content: 'b' }));
    for (let bytes = 0; bytes < whole.byteLength; bytes += 256) await refusal(gzipSync(whole.subarray(0, bytes)));
  });

  it('is refused when anything follows it', async () => {
    const archive = tarGz({ name: 'a', content: 'a' });
    expect(await refusal(Buffer.concat([archive, Buffer.from('more')]))).toContain('damaged');
    expect(await refusal(gzipSync(Buffer.concat([gunzipSync(archive), Buffer.from('more')])))).toContain('damaged');
    const block = Buffer.concat([gunzipSync(archive), pax({ path: 'b' })]);
    expect(await refusal(gzipSync(block))).toContain('follows its last entry');
  });

  it.each(['-9', '0x10', '1e3', 'NaN', '99999999999999999999'])(
    'is refused or taken, but harmless, with a pax size of %s',
    async (size) => {
      const archive = tarGz(pax({ size }), { name: 'a', content: 'a' });
      await unpacked(archive).catch((error) => expect(error).toBeInstanceOf(ArtifactError));
    },
  );

  it.each(['0', '5', 'x', 'L'])('is refused with a size that is no number, in a header of type %s', async (type) => {
    const header = tarHeader({ name: 'a', type, sizeField: '\xca00000000000' });
    await refusal(tarGz({ name: 'before', content: 'x' }, header, { name: 'b', content: 'b' }));
    await refusal(tarGz(header));
  });

  it.each(['gnu', 'pax', 'ustar'])('that GNU tar makes in the format %s is accepted', async (format) => {
    const source = await temporaryFolder();
    const long = `${'long-name-of-a-folder/'.repeat(6)}and-a-file`;
    await writeTree(source, { 'bin/run': '#!/bin/sh\n', [long]: 'long', empty: '' });
    if (format !== 'ustar') await writeTree(source, { [`æøå/${'y'.repeat(200)}`]: 'y' });
    await chmod(join(source, 'bin/run'), 0o750);
    await mkdir(join(source, 'nothing in it'));
    const archive = join(base, `${format}.tgz`);
    await run('tar', ['-C', source, `--format=${format}`, '-czf', archive, '.']);
    const found = await unpacked(archive);
    expect(found['bin/run']).toBe('755 #!/bin/sh\n');
    expect(Object.keys(found)).toEqual(Object.keys(await treeOf(source)));
    expect(found[long]).toBe('644 long');
  });

  it('that GNU tar makes of links and pipes is refused', async () => {
    const source = await temporaryFolder();
    await writeTree(source, { a: 'a' });
    await run('ln', [join(source, 'a'), join(source, 'b')]);
    const archive = join(base, 'links.tgz');
    await run('tar', ['-C', source, '-czf', archive, '.']);
    await expect(unpacked(archive)).rejects.toThrow('but link');
    await run('rm', [join(source, 'b')]);
    await symlink('a', join(source, 'b'));
    await run('tar', ['-C', source, '-czf', archive, '.']);
    await expect(unpacked(archive)).rejects.toThrow('but symlink');
    await run('rm', [join(source, 'b')]);
    await run('mkfifo', [join(source, 'b')]);
    await run('tar', ['-C', source, '-czf', archive, '.']);
    await expect(unpacked(archive)).rejects.toThrow('but fifo');
  });
});
