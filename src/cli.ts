#!/usr/bin/env node
/** The command `kvitt`. */
import { Command, CommanderError } from 'commander';
import { GROUPS } from './commands/groups.ts';
import { EXIT } from './commands/output.ts';
import { clean } from './resources/text.ts';
import { VERSION } from './version.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** @param asked The first word of the command; what is none brings all of them, for help and for a good error. */
async function buildProgram(asked: string | undefined): Promise<Command> {
  const program = new Command('kvitt').description('A payment ledger on replicated MongoDB').version(VERSION);
  // By itself it would end with 1 after a wrong option, and so look like a broken ledger.
  program.exitOverride();
  if (asked === '--version' || asked === '-V') return program;
  const wanted = GROUPS.filter(({ names }) => asked !== undefined && names.includes(asked));
  for (const { add } of wanted.length > 0 ? wanted : GROUPS) await add(program, process.env);
  return program;
}

try {
  await (await buildProgram(process.argv[2])).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has said what is wrong, or shown the help that was asked for.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.unusable;
  } else {
    process.exitCode = EXIT.unusable;
    const lines = `kvitt: ${error instanceof Error ? error.message : String(error)}`.split('\n');
    // It may quote what others wrote.
    process.stderr.write(`${lines.map(clean).join('\n')}\n`);
  }
}
