import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { examine } from '../doctor/doctor.ts';
import { table } from '../resources/text.ts';
import { zooKeeperOptions } from '../wiring/cluster.ts';
import { EXIT, type Output, print } from './output.ts';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check what safety needs of MongoDB, its neighbours and this machine; exit 1 when something fails')
    .option('--json', 'answer as JSON')
    .action(runDoctor);
}

async function runDoctor(options: Output): Promise<void> {
  const config = readConfig();
  const { ZOOKEEPER_CONNECT: connect } = config;
  const checks = await examine(config, connect === undefined ? null : zooKeeperOptions(config, connect));
  const rows = checks.map(({ name, status, found, next }) => [
    status,
    name,
    next === null ? found : `${found}; ${next}`,
  ]);
  print(checks, options, () => table(['', 'what', 'found'], rows, 'lll'));
  process.exitCode = checks.some(({ status }) => status === 'fail') ? EXIT.broken : EXIT.ok;
}
