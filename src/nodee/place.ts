/** Which coordinate an agent has: the one it was given, the one it had before, or a new one. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cloudname } from '../cloudname/cloudname.ts';
import { Coordinate, parseServiceName } from '../cloudname/coordinate.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import type { Log } from '../processes/types.ts';
import { readIfThere, writeDurably } from './files.ts';

const FILE = 'coordinate';
const INSTANCES_MAX = 10_000;
const RETRY_MS = 1_000;

/**
 * @param where `instance.nodee.user.cell`, or `nodee.user.cell` for the first one that nobody ever had, which the folder
 *   remembers. One that exists is not taken even if nobody claims it: its host may only be down, and comes back.
 * @throws Error when there is none, or the signal's reason. Without ZooKeeper it is waited for, unless it is known already.
 */
export async function findPlace(
  cloudname: Cloudname,
  where: string,
  folder: string,
  log: Log,
  signal: AbortSignal,
): Promise<Coordinate> {
  if (where.split('.').length === 4) return Coordinate.parse(where);
  const remembered = await readPlace(folder);
  if (remembered !== null && String(remembered).endsWith(`.${where}`)) return remembered;
  for (;;) {
    signal.throwIfAborted();
    try {
      const coordinate = await createFirst(cloudname, where);
      await mkdir(folder, { recursive: true });
      await writeDurably(join(folder, FILE), `${coordinate}\n`);
      return coordinate;
    } catch (error) {
      if (error instanceof RangeError || cloudname.session.isClosed) throw error;
      log.warn({ err: error }, 'no coordinate can be had yet');
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

async function readPlace(folder: string): Promise<Coordinate | null> {
  const text = (await readIfThere(join(folder, FILE)))?.trim() ?? '';
  try {
    return Coordinate.parse(text);
  } catch {
    return null;
  }
}

/** @throws RangeError when all are taken */
async function createFirst(cloudname: Cloudname, where: string): Promise<Coordinate> {
  const { service, user, cell } = parseServiceName(where);
  const taken = new Set((await cloudname.list({ service, user, cell })).map(({ instance }) => instance));
  for (let instance = 0; instance < INSTANCES_MAX; instance++) {
    if (taken.has(instance)) continue;
    const coordinate = new Coordinate(instance, service, user, cell);
    try {
      await cloudname.create(coordinate);
      return coordinate;
    } catch (error) {
      // Another agent was quicker.
      if (!isCloudnameError(error, 'coordinate_exists')) throw error;
    }
  }
  throw new RangeError(`all ${INSTANCES_MAX} instances of ${where} are taken: destroy those of hosts that are gone`);
}
