/** Coordinates as they are created, destroyed and listed, and what stands at them. */
import { isZooKeeperError, MultiError } from '../zookeeper/errors.ts';
import { type Acl, ANY_VERSION, type MultiOperation, OPEN_ACL } from '../zookeeper/protocol.ts';
import type { Session } from '../zookeeper/session.ts';
import { Coordinate, isInstance, isName, ROOT, servicePath } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { decodeStatus, type StatusNode } from './status.ts';

const TRIES_MAX = 10;
const LIST_AT_ONCE_MAX = 64;

/** Creates the coordinate with whatever is missing above it, all or nothing. @throws CloudnameError `coordinate_exists` */
export async function createCoordinate(session: Session, coordinate: Coordinate): Promise<void> {
  const { cell, user } = coordinate;
  const above = [ROOT, `${ROOT}/${cell}`, `${ROOT}/${cell}/${user}`, servicePath(coordinate)];
  const paths = [...above, coordinate.path, coordinate.configPath];
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const there = await Promise.all(paths.map(async (path) => (await session.exists(path)) !== null));
    if (there.at(-1)) throw new CloudnameError('coordinate_exists', `${coordinate} exists already`);
    // One without a configuration is what an interrupted creation of the original left.
    const missing = paths.filter((_, index) => !there[index]);
    try {
      // Others may create coordinates beside it, but do nothing to it.
      await session.multi(missing.map((path) => creation(path, above.includes(path) ? OPEN_ACL : session.acl)));
      return;
    } catch (error) {
      // Somebody was quicker with a part of it, or took away what was above it.
      if (!(error instanceof MultiError) || (error.code !== 'node_exists' && error.code !== 'no_node')) throw error;
      // Nothing stands above that but the chroot, which is not ours to create.
      if (error.code === 'no_node' && missing[error.index] === ROOT) throw error;
    }
  }
  throw busy(coordinate);
}

/** @throws CloudnameError `coordinate_missing`, `coordinate_claimed` or `coordinate_not_empty` */
export async function destroyCoordinate(session: Session, coordinate: Coordinate): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const operations = await destruction(session, coordinate);
    try {
      await session.multi(operations);
      return;
    } catch (error) {
      if (!(error instanceof MultiError) || (error.code !== 'not_empty' && error.code !== 'no_node')) throw error;
    }
  }
  throw busy(coordinate);
}

async function destruction(session: Session, coordinate: Coordinate): Promise<MultiOperation[]> {
  const paths = [coordinate.path, coordinate.configPath, coordinate.statusPath, servicePath(coordinate)];
  const [instance, config, status, service] = await Promise.all(paths.map((path) => session.exists(path)));
  if (!instance) throw missing(coordinate);
  if (status) throw new CloudnameError('coordinate_claimed', `${coordinate} is claimed: end its owner first`);
  if ((config?.childrenCount ?? 0) > 0 || instance.childrenCount > (config ? 1 : 0)) {
    throw new CloudnameError('coordinate_not_empty', `${coordinate} has nodes below it that are not Cloudname's`);
  }
  const deletions = config ? [coordinate.configPath, coordinate.path] : [coordinate.path];
  if (service?.childrenCount === 1) deletions.push(servicePath(coordinate));
  return deletions.map((path) => ({ type: 'delete', path, version: ANY_VERSION }));
}

export interface ListFilter {
  readonly cell?: string | undefined;
  readonly user?: string | undefined;
  readonly service?: string | undefined;
}

/** All coordinates there are, by cell, user, service and instance. */
export async function listCoordinates(session: Session, filter: ListFilter = {}): Promise<Coordinate[]> {
  const cells = await names(session, [ROOT], filter.cell);
  const users = await names(session, cells, filter.user);
  const services = await names(session, users, filter.service);
  const found = await inBatches(services, async (path) => {
    const [, , cell, user, service] = path.split('/');
    const numbers = (await children(session, path)).filter((name) => /^\d+$/.test(name)).map(Number);
    return numbers
      .filter(isInstance)
      .sort((a, b) => a - b)
      .map((instance) => new Coordinate(instance, service!, user!, cell!));
  });
  return found.flat();
}

async function names(session: Session, parents: readonly string[], wanted: string | undefined): Promise<string[]> {
  const found = await inBatches(parents, async (parent) => {
    const all = wanted === undefined ? await children(session, parent) : [wanted];
    return all.filter(isName).map((name) => `${parent}/${name}`);
  });
  return found.flat().sort();
}

async function children(session: Session, path: string): Promise<string[]> {
  try {
    return (await session.getChildren(path)).children;
  } catch (error) {
    if (isZooKeeperError(error, 'no_node')) return [];
    throw error;
  }
}

/** In the order of the items, a bounded number at once. */
export async function inBatches<T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += LIST_AT_ONCE_MAX) {
    results.push(...(await Promise.all(items.slice(at, at + LIST_AT_ONCE_MAX).map(each))));
  }
  return results;
}

/** Null: it is not claimed. @throws CloudnameError `coordinate_missing`, or `malformed` for what cannot be read */
export async function readStatus(session: Session, coordinate: Coordinate): Promise<StatusNode | null> {
  try {
    return decodeStatus((await session.getData(coordinate.statusPath)).data);
  } catch (error) {
    if (!isZooKeeperError(error, 'no_node')) throw error;
  }
  if ((await session.exists(coordinate.path)) === null) throw missing(coordinate);
  return null;
}

/** Creates a persistent path with whatever is missing above it, which is open to all. */
export async function makePath(session: Session, path: string): Promise<void> {
  const parts = path.split('/').slice(1);
  const paths = parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
  const there = await Promise.all(paths.map((each) => session.exists(each)));
  for (const [index, each] of paths.entries()) {
    if (there[index]) continue;
    const acl = each === path ? session.acl : OPEN_ACL;
    await session.create(each, null, { acl }).catch((error: unknown) => {
      if (!isZooKeeperError(error, 'node_exists')) throw error;
    });
  }
}

function creation(path: string, acl: readonly Acl[]): MultiOperation {
  return { type: 'create', path, data: null, mode: 'persistent', acl };
}

export function missing(coordinate: Coordinate): CloudnameError {
  return new CloudnameError('coordinate_missing', `${coordinate} does not exist: create it first`);
}

function busy(coordinate: Coordinate): CloudnameError {
  return new CloudnameError('busy', `others change what stands around ${coordinate} all the time; try again`);
}
