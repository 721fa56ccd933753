import type { Command } from 'commander';
import { printableConfig, readConfig } from '../config.ts';
import { table } from '../resources/text.ts';
import type { Output } from './output.ts';

export function addSettings(program: Command): void {
  const config = program.command('config').description('settings');
  config
    .command('print')
    .description('print all settings, secrets hidden')
    .option('--json', 'answer as JSON')
    .action((options: Output) => {
      const settings = printableConfig(readConfig());
      const rows = Object.entries(settings).map(([name, value]) => [name, value === null ? '(unset)' : String(value)]);
      const text = options.json ? `${JSON.stringify(settings, null, 2)}\n` : table(['setting', 'value'], rows, 'll');
      process.stdout.write(text);
    });
}
