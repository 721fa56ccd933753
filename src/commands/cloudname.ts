import type { Command } from 'commander';
import type { CloudnameOptions } from '../cloudname/cloudname.ts';
import { cloudnameCommand } from '../cloudname/tool.ts';
import { ConfigError, readZooKeeperConfig } from '../config.ts';
import { zooKeeperOptions } from '../wiring/cluster.ts';
import type { Environment } from './output.ts';

export function addCloudname(program: Command, environment: Environment): void {
  program.addCommand(cloudnameCommand(cloudnameOptions, environment));
}

function cloudnameOptions(): CloudnameOptions {
  const config = readZooKeeperConfig();
  if (config.ZOOKEEPER_CONNECT === undefined) {
    throw new ConfigError('Set ZOOKEEPER_CONNECT to the servers: host:port,host:port/path');
  }
  return zooKeeperOptions(config, config.ZOOKEEPER_CONNECT);
}
