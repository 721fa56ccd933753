/** The commands of `kvitt nodee`. Answers go to standard output, everything else to standard error. */
import { Command } from 'commander';
import { Cloudname } from '../cloudname/cloudname.ts';
import { fleetCommands } from './apply.ts';
import { AgentClient, AgentError } from './client.ts';
import { seeHosts } from './hosts.ts';
import { artifactCommands, localCommands } from './tool-artifacts.ts';
import { logCommands } from './tool-logs.ts';
import {
  EXIT,
  type Flags,
  type Fleet,
  type FleetCommand,
  type Make,
  messageOf,
  say,
  type ToolParts,
} from './tool-parts.ts';
import { statusCommands } from './tool-status.ts';

export function nodeeCommand(parts: ToolParts): Command {
  const tool = new Command('nodee').description('artifacts and processes on the hosts of a cell (Nodee)');
  // Before commands are added, which inherit it: it is the caller who says how a process ends that was called wrongly.
  tool.exitOverride();
  const make: Make = (name, description) =>
    tool.command(name).description(description).option('--json', 'answer as JSON');
  tool.command('agent').description('run the agent of this host, until it is ended').action(parts.startAgent);
  // In the order in which they are shown.
  const commands: readonly FleetCommand[] = [
    ...fleetCommands(make, parts.actor),
    ...statusCommands(make),
    ...logCommands(make),
    ...artifactCommands(make, parts.artifacts),
  ];
  for (const { command, run } of commands) {
    command.action(async (...given: unknown[]) => {
      await withFleet(parts, (fleet) => run(fleet, given.slice(0, -2), given.at(-2) as Flags));
    });
  }
  for (const { command, run } of localCommands(make, parts.artifacts)) {
    command.action(async (...given: unknown[]) => {
      process.exitCode = await run(given.slice(0, -2), given.at(-2) as Flags);
    });
  }
  return tool;
}

async function withFleet(parts: ToolParts, run: (fleet: Fleet) => Promise<number>): Promise<void> {
  // Whoever reads may leave early, as `head` does.
  process.stdout.on('error', () => undefined);
  const { cloudname: options, place, token } = parts.settings();
  const cloudname = await Cloudname.connect(options);
  const clients = new Map<string, AgentClient>();
  const agent = (address: string) => {
    const client = clients.get(address) ?? new AgentClient(address, token);
    clients.set(address, client);
    return client;
  };
  try {
    process.exitCode = await run({ cloudname, place, agent, hosts: () => seeHosts(cloudname, place) });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    say(messageOf(error));
    process.exitCode = EXIT.refused;
  } finally {
    await Promise.all([...clients.values()].map((client) => client.close()));
    await cloudname.close();
  }
}
