import { isZooKeeperError } from '../zookeeper/errors.ts';
import { type Following, followData, type NodeData } from '../zookeeper/follow.ts';
import { ANY_VERSION } from '../zookeeper/protocol.ts';
import type { Session } from '../zookeeper/session.ts';
import type { Coordinate } from './coordinate.ts';
import { CloudnameError } from './errors.ts';
import { missing } from './tree.ts';

/** ZooKeeper takes a little less than 1 MiB in one node. */
const CONFIG_BYTES_MAX = 1_000_000;

export interface CoordinateConfig {
  /** Empty when none was set. */
  readonly text: string;
  /** Of the node; grows with each change. */
  readonly version: number;
}

/** @throws CloudnameError `coordinate_missing` */
export async function getConfig(session: Session, coordinate: Coordinate): Promise<CoordinateConfig> {
  try {
    const { data, stat } = await session.getData(coordinate.configPath);
    return { text: textOf(data), version: stat.version };
  } catch (error) {
    if (isZooKeeperError(error, 'no_node')) throw missing(coordinate);
    throw error;
  }
}

/**
 * @param old What the caller takes the configuration for, its text or its version: it is only replaced if that is right.
 *   Null: replaced whatever it is.
 * @returns The new version.
 * @throws CloudnameError `config_conflict`, `coordinate_missing` or `too_large`
 */
export async function setConfig(
  session: Session,
  coordinate: Coordinate,
  text: string,
  old: string | number | null,
): Promise<number> {
  const data = Buffer.from(text);
  if (data.length > CONFIG_BYTES_MAX) {
    const message = `the configuration has ${data.length} bytes; ${CONFIG_BYTES_MAX} at most can be kept`;
    throw new CloudnameError('too_large', message);
  }
  let version = typeof old === 'number' ? old : ANY_VERSION;
  if (typeof old === 'string') {
    const present = await getConfig(session, coordinate);
    if (present.text !== old) throw conflict(coordinate);
    version = present.version;
  }
  try {
    return (await session.setData(coordinate.configPath, data, version)).version;
  } catch (error) {
    if (isZooKeeperError(error, 'bad_version')) throw conflict(coordinate);
    if (isZooKeeperError(error, 'no_node')) throw missing(coordinate);
    throw error;
  }
}

export type ConfigEvent =
  | { readonly type: 'UPDATED'; readonly text: string; readonly version: number }
  | { readonly type: 'DELETED' };

/**
 * Tells of the present configuration first, then of each later one that is seen: of changes in quick succession the
 * last one. @returns What ends it.
 */
export function watchConfig(
  session: Session,
  coordinate: Coordinate,
  onEvent: (event: ConfigEvent) => void,
  onProblem: (error: unknown) => void,
): () => void {
  let last: string | null = null;
  const following: Following<NodeData | null> = followData(
    session,
    coordinate.configPath,
    (node) => {
      // A node that was deleted and made again has the same versions.
      const mark = node === null ? 'none' : `${node.stat.createdZxid} ${node.stat.version}`;
      if (mark === last) return;
      last = mark;
      if (node === null) onEvent({ type: 'DELETED' });
      else onEvent({ type: 'UPDATED', text: textOf(node.data), version: node.stat.version });
    },
    onProblem,
  );
  return () => following.stop();
}

function textOf(data: Buffer | null): string {
  return data?.toString('utf8') ?? '';
}

function conflict(coordinate: Coordinate): CloudnameError {
  return new CloudnameError('config_conflict', `the configuration of ${coordinate} is not what it was taken for`);
}
