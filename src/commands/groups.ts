/** All commands, in the order in which they are shown. What one of them needs is only loaded when it is asked for. */
import type { Command } from 'commander';
import type { Environment } from './output.ts';

export interface Group {
  readonly names: readonly string[];
  add(program: Command, environment: Environment): Promise<void>;
}

export const GROUPS: readonly Group[] = [
  {
    names: ['serve', 'consume'],
    add: async (program) => (await import('./serve.ts')).addServing(program),
  },
  {
    names: ['reconcile', 'reconciliations', 'breaks'],
    add: async (program) => (await import('./reconciling.ts')).addReconciling(program),
  },
  {
    names: ['verify', 'recover', 'rebuild', 'migrate', 'audit'],
    add: async (program) => (await import('./ledger.ts')).addLedger(program),
  },
  { names: ['keys'], add: async (program) => (await import('./keys.ts')).addKeys(program) },
  { names: ['doctor'], add: async (program) => (await import('./doctor.ts')).addDoctor(program) },
  {
    names: ['cn'],
    add: async (program, environment) => (await import('./cloudname.ts')).addCloudname(program, environment),
  },
  { names: ['nodee'], add: async (program) => (await import('./nodee.ts')).addNodee(program) },
  { names: ['dlq'], add: async (program) => (await import('./dead-letters.ts')).addDeadLetters(program) },
  {
    names: ['loadtest'],
    add: async (program, environment) => (await import('./load-tests.ts')).addLoadTests(program, environment),
  },
  { names: ['config'], add: async (program) => (await import('./settings.ts')).addSettings(program) },
];
