import { execFile } from 'node:child_process';
import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type ZipEntry, type ZipLies, zip } from './support/archives.ts';
import { temporaryFolder, treeOf, writeTree } from './support/folders.ts';
import { base, HOSTILE_NAMES, refusal, unpacked, useUnpacking } from './support/unpacking.ts';

useUnpacking();

const run = promisify(execFile);

describe('a zip', () => {
  it('is unpacked with its files, its folders, and no more of its modes than who may execute', async () => {
    const archive = zip([
      { name: 'bin/', mode: 0o40777 },
      { name: 'bin/run', content: 'run', mode: 0o104755 },
      { name: 'stored', content: 'stored', method: 0, mode: 0o100600 },
      { name: 'from windows', content: 'w', mode: 0 },
      { name: 'empty', content: '', method: 0 },
      { name: 'deep/æ', content: 'x'.repeat(70_000) },
    ]);
    expect(await unpacked(archive)).toEqual({
      bin: '755 folder',
      'bin/run': '755 run',
      deep: '755 folder',
      'deep/æ': `644 ${'x'.repeat(70_000)}`,
      empty: '644 ',
      'from windows': '644 w',
      stored: '644 stored',
    });
  });

  it('may be empty', async () => {
    expect(await unpacked(zip([]))).toEqual({});
  });

  it.each(HOSTILE_NAMES)('is refused with %s', async (_, name, says) => {
    expect(await refusal(zip([{ name, content: 'x' }]))).toContain(says);
    expect(await refusal(zip([{ name: `${name}/`, mode: 0o40755 }]))).toContain(says);
  });

  it('is refused with control characters, and bytes that are no UTF-8, whatever it says of its alphabet', async () => {
    expect(await refusal(zip([{ name: 'a\nb', flags: 0 }]))).toContain('control');
    expect(await refusal(zip([{ name: Buffer.of(0x61, 0xff), flags: 0 }]))).toContain('UTF-8');
    expect(await refusal(zip([{ name: 'a\0b' }]))).toContain('control');
  });

  it.each<[what: string, entry: ZipEntry, says: string]>([
    ['an encrypted entry', { name: 'a', flags: 0x801 }, '"a" is encrypted'],
    ['a strongly encrypted entry', { name: 'a', flags: 0x841 }, 'encryption'],
    [
      'an entry that is encrypted only before its content',
      { name: 'a', flags: 0x801, lie: { flags: 0x800 } },
      'something else',
    ],
    ['a symbolic link', { name: 'a', content: '/etc/passwd', mode: 0o120777 }, '"a" is neither'],
    ['a device', { name: 'a', mode: 0o20644 }, 'neither'],
    ['a FIFO', { name: 'a', mode: 0o10644 }, 'neither'],
    ['a socket', { name: 'a', mode: 0o140644 }, 'neither'],
    ['a folder named as a file', { name: 'a', mode: 0o40755 }, 'neither'],
    ['a file named as a folder', { name: 'a/', mode: 0o100644 }, 'neither'],
    ['a folder with content', { name: 'a/', content: 'x', mode: 0o40755 }, 'folder with content'],
    ['another compression', { name: 'a', method: 12 }, 'method 12'],
    ['another name before the content', { name: 'a', lie: { localName: '../b' } }, 'something else'],
    ['a wrong checksum', { name: 'a', content: 'x', lie: { crc: 1 } }, 'checksum'],
    ['more content than it says', { name: 'a', content: 'xyz', lie: { size: 2 } }, 'longer'],
    ['less content than it says', { name: 'a', content: 'xyz', lie: { size: 4 } }, 'shorter'],
    ['stored content of another size', { name: 'a', content: 'xyz', method: 0, lie: { size: 4 } }, 'damaged'],
    ['content beyond the end', { name: 'a', content: 'xyz', lie: { packed: 5_000 } }, 'damaged'],
    [
      'content that reaches into the directory',
      { name: 'a', content: 'x', method: 0, lie: { packed: 9, size: 9 } },
      'overlaps the directory',
    ],
    ['an offset beyond the end', { name: 'a', lie: { offset: 50_000 } }, 'does not have'],
    ['an offset where nothing is', { name: 'a', lie: { offset: 3 } }, 'damaged'],
    ['an offset into the directory', { name: 'a', content: 'xyz', lie: { offset: 36 } }, 'damaged'],
  ])('is refused with %s', async (_, entry, says) => {
    expect(await refusal(zip([entry]))).toContain(says);
  });

  it.each<[what: string, entries: ZipEntry[], lies: ZipLies, says: string]>([
    ['the same file twice', [{ name: 'a' }, { name: 'a' }], {}, 'twice'],
    ['a file below a file', [{ name: 'a' }, { name: 'a/b' }], {}, 'below a file'],
    ['a file where a folder is', [{ name: 'a/b' }, { name: 'a' }], {}, 'twice'],
    ['two entries of one content', [{ name: 'a' }, { name: 'a', lie: { offset: 0 } }], {}, 'overlaps another'],
    [
      'an entry in the content of another',
      [
        { name: 'b', content: zip([{ name: 'a', content: 'quine' }]), method: 0 },
        { name: 'a', content: 'quine', lie: { offset: 31 } },
      ],
      {},
      'overlaps another',
    ],
    ['more entries than its end says', [{ name: 'a' }, { name: 'b' }], { count: 1 }, 'does not end where it says'],
    ['fewer entries than its end says', [{ name: 'a' }], { count: 2 }, 'damaged'],
    ['a directory that is elsewhere', [{ name: 'a' }], { directory: 7 }, 'damaged'],
    ['a directory beyond the end', [{ name: 'a' }], { directory: 1e9 }, 'damaged'],
    [
      'something behind its directory',
      [{ name: 'a' }],
      { beforeEnd: Buffer.from('more') },
      'does not end where it says',
    ],
  ])('is refused with %s', async (_, entries, lies, says) => {
    expect(await refusal(zip(entries, lies))).toContain(says);
  });

  it('is refused with an absurd position, which would otherwise end the whole process', async () => {
    const locator = Buffer.alloc(20);
    locator.write('PK\x06\x07', 'latin1');
    locator.writeBigUInt64LE(2n ** 63n, 8);
    expect(await refusal(zip([{ name: 'a' }], { beforeEnd: locator }))).toContain('damaged');
  });

  it('is refused with more entries, or larger when unpacked, than the limit', async () => {
    const files = Array.from({ length: 51 }, (_, index) => ({ name: `f${index}` }));
    expect(await refusal(zip(files))).toContain('one more than');
    expect(await refusal(zip([{ name: 'bomb', content: Buffer.alloc(100_001) }]))).toContain('100000 bytes');
    expect(await refusal(zip([{ name: 'bomb', content: Buffer.alloc(10_000_000), lie: { size: 10 } }]))).toContain(
      'longer',
    );
    const half = { content: Buffer.alloc(50_001) };
    expect(
      await refusal(
        zip([
          { name: 'a', ...half },
          { name: 'b', ...half },
        ]),
      ),
    ).toContain('100000 bytes');
  });

  it('is refused when it is cut off, at whichever byte', async () => {
    const archive = zip([{ name: 'a', content: 'some content' }]);
    for (let bytes = 0; bytes < archive.byteLength; bytes += 1) await refusal(archive.subarray(0, bytes));
    expect(await refusal(Buffer.concat([archive, Buffer.from('more')]))).toContain('damaged');
  });

  it('that zip makes is accepted, also when it is written into a pipe', async () => {
    const source = await temporaryFolder();
    await writeTree(source, { 'bin/run': '#!/bin/sh\n', 'sub/æøå': 'x'.repeat(10_000), stored: '' });
    await chmod(join(source, 'bin/run'), 0o700);
    await mkdir(join(source, 'nothing in it'));
    const archive = join(base, 'made.zip');
    const piped = join(base, 'piped.zip');
    await run('zip', ['-qr', archive, '.'], { cwd: source });
    await run('sh', ['-c', 'zip -qr - . | cat > "$0"', piped], { cwd: source });
    const source0 = await treeOf(source);
    for (const file of [archive, piped]) {
      const found = await unpacked(file);
      expect(found).toEqual({ ...source0, 'bin/run': '755 #!/bin/sh\n' });
    }
  });

  it('that zip makes of links is refused', async () => {
    const source = await temporaryFolder();
    await symlink('/etc/passwd', join(source, 'link'));
    const archive = join(base, 'links.zip');
    await run('zip', ['-qry', archive, '.'], { cwd: source });
    await expect(unpacked(archive)).rejects.toThrow('"link" is neither a plain file nor a folder');
  });
});
