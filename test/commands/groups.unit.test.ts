import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { GROUPS } from '../../src/commands/groups.ts';

describe('a group of commands', () => {
  it.each(GROUPS.map((group) => [group.names.join(', '), group] as const))(
    'has the commands by whose names it is found: %s',
    async (_, { names, add }) => {
      const program = new Command('kvitt');
      await add(program, {});
      expect(program.commands.map((command) => command.name())).toEqual(names);
    },
  );
});
