import type { Command } from 'commander';
import { startLocalTarget } from '../demo/local-target.ts';
import { ladderCommand } from '../ladder/tool.ts';
import { renderLadderText } from '../loadtest/report-text.ts';
import { loadTestCommand } from '../loadtest/tool.ts';
import { print, writeLadder } from '../loadtest/tool-results.ts';
import { createLog } from '../log.ts';
import { table } from '../resources/text.ts';
import { ladderParts } from '../wiring/ladder.ts';
import type { Environment } from './output.ts';

export function addLoadTests(program: Command, environment: Environment): void {
  const loadTest = loadTestCommand({ startLocal: startLocalTarget, env: environment, table });
  const ladder = () => ladderParts({ environment, log: createLog('warn') });
  loadTest.addCommand(ladderCommand({ ladder, print, text: renderLadderText, write: writeLadder }));
  program.addCommand(loadTest);
}
