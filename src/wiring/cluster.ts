import { hostname } from 'node:os';
import type { Db } from 'mongodb';
import type { Logger } from 'pino';
import type { CloudnameOptions } from '../cloudname/cloudname.ts';
import { Cluster } from '../cluster/cluster.ts';
import { type Config, readDynamicConfig, type ZooKeeperConfig } from '../config.ts';
import type { Engine } from '../ledger/engine.ts';
import { clusterSecret } from '../mongo/cluster-secret.ts';
import { CREATOR_WRITES_ACL } from '../zookeeper/protocol.ts';
import type { Closers } from './closers.ts';
import { healthOf } from './health.ts';
import type { ChangingSettings } from './http.ts';

/** With credentials, whatever is created belongs to them, and others may read it. */
export function zooKeeperOptions(config: ZooKeeperConfig, connect: string): CloudnameOptions {
  const { ZOOKEEPER_SESSION_MS: sessionMs, ZOOKEEPER_AUTH: auth } = config;
  if (auth === undefined) return { connect, sessionMs };
  const [user, ...password] = auth.split(':');
  return { connect, sessionMs, auth: [{ user: user!, password: password.join(':') }], acl: CREATOR_WRITES_ACL };
}

/** Null: this process shares its books with no other. */
export async function joinCluster(config: Config, db: Db, log: Logger, books: number): Promise<Cluster | null> {
  const { ZOOKEEPER_CONNECT: connect, CLOUDNAME_COORDINATE: where } = config;
  if (connect === undefined || where === undefined) return null;
  return Cluster.join({
    cloudname: zooKeeperOptions(config, connect),
    where,
    books,
    token: await clusterSecret(db),
    listen: { host: config.HTTP_HOST, port: config.INTERNAL_PORT },
    advertisedHost: advertisedHost(config),
    commandsMax: 2 * config.QUEUE_COMMANDS_MAX,
    log,
  });
}

function advertisedHost(config: Config): string {
  const isAny = ['0.0.0.0', '::'].includes(config.HTTP_HOST);
  return config.ADVERTISE_HOST ?? (isAny ? hostname() : config.HTTP_HOST);
}

interface Sharing {
  readonly cluster: Cluster;
  readonly engine: Engine;
  readonly address: string | null;
  readonly settings: ChangingSettings;
  readonly ending: AbortSignal;
  readonly closers: Closers;
}

/** From here on this process leads its share of the books, and others know where it is reached. */
export async function shareBooks(config: Config, db: Db, log: Logger, sharing: Sharing): Promise<void> {
  const { cluster, engine, address, settings, ending, closers } = sharing;
  if (address !== null) {
    const [host, port] = [advertisedHost(config), Number(new URL(address).port)];
    const http = { host, port, protocol: 'http' };
    cluster.publish([
      { ...http, name: 'http' },
      { ...http, name: 'metrics', endpointData: '/metrics' },
    ]);
  }
  const stopWatching = cluster.cloudname.watchConfig(cluster.instance.coordinate, (event) => {
    if (event.type === 'UPDATED') follow(event.text, config, log, settings);
  });
  closers.add(async () => stopWatching());
  const health = healthOf(db, ending);
  await cluster.start(engine, async () => (await health.readiness()).ready);
  log.info({ coordinate: String(cluster.instance.coordinate) }, 'sharing the books');
}

/** Takes the settings of the coordinate's configuration over; keeps what it has when they are wrong. */
function follow(text: string, config: Config, log: Logger, settings: ChangingSettings): void {
  try {
    const dynamic = readDynamicConfig(text, config);
    settings.rateLimitPerMinute = dynamic.RATE_LIMIT_PER_MINUTE;
    log.level = dynamic.LOG_LEVEL;
    log.info({ ...dynamic }, 'settings follow the configuration of the coordinate');
  } catch (error) {
    log.error({ err: error }, 'the configuration of the coordinate is wrong; the settings stay as they are');
  }
}
