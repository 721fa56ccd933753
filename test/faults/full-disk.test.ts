import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { quietLog } from '../support/log.ts';
import { IMPATIENT, loadOn, primaryOf, secondariesOf } from './support/replica-set.ts';
import { canInjectAll } from './support/requirements.ts';

const run = promisify(execFile);
const TEST_MS_MAX = 240_000;
/** Room for a small database, whose journal alone takes three files of 100 MB. */
const DISK_MB = 600;
const FILLED_MS_MAX = 90_000;
const CHUNK = Buffer.alloc(1 << 20);
/** What a mongod that finds no room for its journal ends with: it must not go on. */
const silent = { ...quietLog, error: () => {} };

describe.runIf(canInjectAll)('a disk that is full', { timeout: TEST_MS_MAX }, () => {
  let folder: string;
  let set: EmbeddedReplicaSet;
  const disks: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvitt-disks-'));
    for (let index = 0; index < 3; index++) {
      const disk = join(folder, `member-${index}`);
      await mkdir(disk);
      await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', disk]);
      disks.push(disk);
    }
    set = await startEmbeddedReplicaSet({ dataDir: folder, log: silent });
  });

  afterAll(async () => {
    await set?.stop();
    for (const disk of disks) await run('umount', [disk]);
    await rm(folder, { recursive: true, force: true });
  });

  /** Leaves no room, until the test frees it. */
  async function fill(index: number): Promise<{ free: () => Promise<void> }> {
    const file = join(disks[index]!, 'filler');
    const free = () => rm(file, { force: true });
    onTestFinished(free);
    const filler = await open(file, 'w');
    try {
      for (;;) await filler.write(CHUNK);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    } finally {
      await filler.close();
    }
    return { free };
  }

  it.each(['secondary', 'primary'] as const)(
    'of the %s costs no acknowledged payment, and all goes on once there is room again',
    async (which) => {
      const load = await loadOn(set, `${which}_without_room`, { engines: 2, limits: IMPATIENT });
      const index = which === 'primary' ? await primaryOf(set) : (await secondariesOf(set))[0]!;
      const { free } = await fill(index);
      // Its files have some room left inside. When that is used up it ends, and the others go on.
      await expect.poll(() => set.members[index]!.hasEnded, { timeout: FILLED_MS_MAX }).toBe(true);
      await load.progress(20);
      await free();
      await set.restart(index);
      await load.progress(50);
      expect(await load.end(1)).toEqual([]);
    },
  );
});
