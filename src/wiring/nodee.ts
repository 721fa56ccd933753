import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { actor } from '../actor.ts';
import { type NodeeConfig, readNodeeConfig } from '../config.ts';
import type { Agent, AgentOptions } from '../nodee/agent.ts';
import type { ToolParts } from '../nodee/tool-parts.ts';
import { zooKeeperOptions } from './cluster.ts';

/** Of the machine's memory: under so much that is available, processes are ended. */
const MEMORY_RESERVE = 0.05;
/** An archive may unpack to so many times its largest size. */
const UNPACKED_MAX = 8;
const FILES_MAX = 200_000;

/** What `kvitt nodee` is made of. The agent's own parts are only loaded when it runs. */
export function nodeeToolParts(startAgent: () => Promise<void>): ToolParts {
  return {
    startAgent,
    actor,
    settings: () => {
      const config = readNodeeConfig();
      const [cell, user] = config.NODEE_COORDINATE.split('.').toReversed();
      return { ...connection(config), place: { user: user!, cell: cell! }, token: config.NODEE_TOKEN };
    },
    artifacts: async () => {
      const [{ pack }, { sign, readPrivateKey }] = await Promise.all([
        import('../artifacts/pack.ts'),
        import('../artifacts/verify.ts'),
      ]);
      return { pack, sign, readPrivateKey };
    },
  };
}

/** @param signal Gives up waiting for ZooKeeper. @throws Error as {@link Agent.start} does */
export async function startAgent(config: NodeeConfig, log: Logger, signal: AbortSignal): Promise<Agent> {
  const [agents, stores, keepers, tables, keys] = await Promise.all([
    import('../nodee/agent.ts'),
    import('../artifacts/store.ts'),
    import('../processes/runs.ts'),
    import('../processes/host-table.ts'),
    import('../artifacts/verify.ts'),
  ]);
  const trusted = await readTrusted(config.NODEE_TRUSTED_KEYS, keys.readPublicKeys);
  const ports = {
    openStore: (options: Parameters<typeof stores.openStore>[0]) => stores.openStore(options),
    openRuns: keepers.openRuns,
    openTable: (options: Parameters<typeof tables.openTable>[0]) => tables.openTable(options),
  };
  return agents.Agent.start(agentOptions(config, trusted, log), ports, signal);
}

function connection(config: NodeeConfig) {
  return { cloudname: zooKeeperOptions(config, config.ZOOKEEPER_CONNECT) };
}

function agentOptions(config: NodeeConfig, trusted: readonly KeyObject[], log: Logger): AgentOptions {
  const archiveBytes = config.NODEE_ARTIFACT_MIB_MAX * 2 ** 20;
  return {
    ...connection(config),
    where: config.NODEE_COORDINATE,
    folder: resolve(config.NODEE_DIR),
    name: config.NODEE_NAME ?? hostname(),
    listen: { host: config.NODEE_HOST, port: config.NODEE_PORT },
    advertisedHost: advertisedHost(config),
    token: config.NODEE_TOKEN,
    trusted,
    limits: { archiveBytes, unpackedBytes: UNPACKED_MAX * archiveBytes, files: FILES_MAX },
    artifactsKept: config.NODEE_ARTIFACTS_KEEP,
    ports: config.NODEE_PORTS,
    mayRunAsRoot: config.NODEE_ALLOW_ROOT === 'true',
    memoryReserveBytes: config.NODEE_MEMORY_RESERVE ?? Math.round(MEMORY_RESERVE * totalmem()),
    log,
  };
}

function advertisedHost({ NODEE_HOST, NODEE_ADVERTISE_HOST }: NodeeConfig): string {
  const isAny = ['0.0.0.0', '::'].includes(NODEE_HOST);
  return NODEE_ADVERTISE_HOST ?? (isAny ? hostname() : NODEE_HOST);
}

async function readTrusted(file: string | undefined, read: (pem: string) => KeyObject[]): Promise<KeyObject[]> {
  if (file === undefined) return [];
  try {
    return read(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`NODEE_TRUSTED_KEYS cannot be read: ${(error as Error).message}`);
  }
}
