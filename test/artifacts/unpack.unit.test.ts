import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { ArtifactError } from '../../src/artifacts/artifact.ts';
import { unpack } from '../../src/artifacts/unpack.ts';
import { pax, tarGz, withChecksums, zip } from './support/archives.ts';
import { temporaryFolder } from './support/folders.ts';
import { base, LIMITS, NEVER, refusal, unpacked, useUnpacking } from './support/unpacking.ts';

useUnpacking();

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
    try {
      const found = await unpacked(which === 0 ? gzipSync(withChecksums(bytes), { level: 1 }) : bytes);
      for (const what of Object.values(found)) expect(what).toMatch(/^(644 |755 )/);
    } catch (error) {
      expect(error).toBeInstanceOf(ArtifactError);
    }
    const added = (await readdir(base)).filter((name) => !before.includes(name));
    expect(added.every((name) => /^\d+(\.archive)?$/.test(name))).toBe(true);
  });
});
