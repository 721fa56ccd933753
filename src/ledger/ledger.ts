import type { Command, Outcome } from './types.ts';

/**
 * What the rooms outside see of the engine.
 *
 * `submit` resolves with the outcome (posted or rejected: `outcome.entry.kind`) once it is durable on a majority, and
 * rejects with a {@link LedgerError} otherwise. The same key may be submitted any number of times: one effect.
 */
export interface Ledger {
  submit(command: Command): Promise<Outcome>;
  /** One result a command, in order; a failing one does not disturb the others. */
  submitMany(commands: readonly Command[]): Promise<PromiseSettledResult<Outcome>[]>;
}
