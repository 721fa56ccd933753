import closeWithGrace from 'close-with-grace';
import type { Command } from 'commander';
import { readNodeeConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { nodeeCommand } from '../nodee/tool.ts';
import { nodeeToolParts, startAgent } from '../wiring/nodee.ts';

/** For what an agent has under way; its processes run on. */
const AGENT_GRACE_MS = 15_000;

export function addNodee(program: Command): void {
  program.addCommand(nodeeCommand(nodeeToolParts(runAgent)));
}

async function runAgent(): Promise<void> {
  const config = readNodeeConfig();
  const log = createLog(config.LOG_LEVEL);
  const giveUp = new AbortController();
  const starting = startAgent(config, log, giveUp.signal);
  const closing = closeWithGrace({ delay: AGENT_GRACE_MS, logger: log }, async ({ signal, err }) => {
    if (err) log.error({ err }, 'ending after an unexpected error');
    else log.info({ signal }, 'ending; processes run on');
    giveUp.abort(new Error('it was ended before it had started'));
    await starting.then(
      (agent) => agent.stop(),
      () => undefined,
    );
    if (signal === 'SIGHUP') process.kill(process.pid, 'SIGKILL');
  });
  // What could not start has nothing to end, and ends as a command that could not run.
  const agent = await starting.catch((error: unknown) => {
    closing.uninstall();
    throw error;
  });
  log.info({ coordinate: String(agent.coordinate), address: agent.address }, 'the agent runs');
}
