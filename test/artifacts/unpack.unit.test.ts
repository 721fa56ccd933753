import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fc, test } from '@fast-check/vitest';
import { beforeAll, describe, expect, it } from 'vitest';
import { ArtifactError } from '../../src/artifacts/artifact.ts';
import { unpack } from '../../src/artifacts/unpack.ts';
import {
  pax,
  TAR_END,
  type TarEntry,
  tarEntry,
  tarGz,
  tarHeader,
  withChecksums,
  type ZipEntry,
  type ZipLies,
  zip,
} from './support/archives.ts';
import { temporaryFolder, treeOf, writeTree } from './support/folders.ts';

const run = promisify(execFile);
const LIMITS = { unpackedBytes: 100_000, files: 50 };
const NEVER = new AbortController().signal;
let base: string;
let count = 0;

beforeAll(async () => {
  base = await temporaryFolder();
});

/** Answers what is in the folder then. Each time in a folder of its own. */
async function unpacked(archive: Buffer | string, limits = LIMITS): Promise<Record<string, string>> {
  count += 1;
  const folder = join(base, String(count));
  const file = typeof archive === 'string' ? archive : join(base, `${count}.archive`);
  if (typeof archive !== 'string') await writeFile(file, archive);
  await unpack(file, join(folder), limits, NEVER);
  return await treeOf(folder);
}

async function refusal(archive: Buffer, limits = LIMITS): Promise<string> {
  const error = await unpacked(archive, limits).then(
    (found) => expect.fail(`was accepted: ${JSON.stringify(found)}`),
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(ArtifactError);
  expect((error as ArtifactError).code).toBe('unacceptable');
  return (error as ArtifactError).message;
}

const LONG = 'x'.repeat(256);
const HOSTILE_NAMES: readonly [what: string, name: string, says: string][] = [
  ['an absolute path', '/etc/passwd', 'absolute'],
  ['two slashes', '//etc/passwd', 'absolute'],
  ['a way out', '../outside', '..'],
  ['a way out behind a way in', 'a/../../outside', '..'],
  ['a way out behind ./', './../outside', '..'],
  ['.. alone', '..', '..'],
  ['a folder that leads out', 'a/..', '..'],
  ['a backslash', 'a\\..\\outside', 'backslash'],
  ['a line break', 'a\nb', 'control'],
  ['an escape sequence', 'a\u001b[2Jb', 'control'],
  ['a control character of the upper half', 'a\u009bb', 'control'],
  ['a DEL', 'a\u007fb', 'control'],
  ['a drive letter', 'C:/windows', 'drive'],
  ['a drive letter alone', 'c:x', 'drive'],
  ['an empty part', 'a//b', 'empty part'],
  ['a dot as a part', 'a/./b', 'empty part'],
  ['a part that is too long', `a/${LONG}`, '255'],
  ['a path that is too long', `${'0123456789/'.repeat(94)}x`, '1024'],
];

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

describe('an archive', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('<html>404</html>')],
    ['a bare tar', gunzipSync(tarGz({ name: 'a' }))],
    ['one byte', Buffer.of(0x1f)],
  ])('is refused that is %s', async (_, archive) => {
    expect(await refusal(archive)).toContain('neither a .tar.gz nor a .zip');
  });

  it('is not unpacked into a folder that is there', async () => {
    const folder = await temporaryFolder();
    const file = join(base, 'fine.tgz');
    await writeFile(file, tarGz({ name: 'a' }));
    await expect(unpack(file, folder, LIMITS, NEVER)).rejects.toThrow('EEXIST');
  });

  it('is not unpacked when that is called off', async () => {
    const file = join(base, 'called-off.tgz');
    await writeFile(file, tarGz({ name: 'a' }));
    const folder = join(base, 'called-off');
    await expect(unpack(file, folder, LIMITS, AbortSignal.abort(new Error('called off')))).rejects.toThrow(
      'called off',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  const innocent = [
    gunzipSync(tarGz({ name: 'd/', type: '5' }, pax({ path: 'd/long' }), { name: 'd/x', content: 'content' })),
    zip([
      { name: 'd/', mode: 0o40755 },
      { name: 'd/a', content: 'content' },
      { name: 'b', content: 'b', method: 0 },
    ]),
  ] as const;

  test.prop(
    {
      which: fc.constantFrom(0 as const, 1 as const),
      changes: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
    },
    { numRuns: 150 },
  )('of which any bytes are changed is refused, or stays within its folder', async ({ which, changes }) => {
    const bytes = Buffer.from(innocent[which]);
    for (const [at, value] of changes) bytes[at % bytes.byteLength] = value;
    const before = await readdir(base);
    const number = count + 1;
    try {
      const found = await unpacked(which === 0 ? gzipSync(withChecksums(bytes), { level: 1 }) : bytes);
      for (const what of Object.values(found)) expect(what).toMatch(/^(644 |755 )/);
    } catch (error) {
      expect(error).toBeInstanceOf(ArtifactError);
    }
    const added = (await readdir(base)).filter((name) => !before.includes(name));
    expect(added.every((name) => name === String(number) || name === `${number}.archive`)).toBe(true);
  });
});
