import type { Command } from '../ledger/types.ts';
import type { BreakList } from './breaks.ts';
import { amountsText } from './life-cycle.ts';
import { takenBy } from './life-cycle-difference.ts';
import type { EntryPlace } from './ports.ts';
import type { ReplayTable } from './replay-table.ts';
import type { SettlementTable } from './settlement-table.ts';

/**
 * What was paid at once has no settlement of its own, so the first refund or reversal of it says what was captured. That
 * is compared with what its own command asked for, once that is met among the claims.
 */
export class OriginCheck {
  constructor(
    readonly settlements: SettlementTable,
    readonly table: ReplayTable,
    readonly breaks: BreakList,
  ) {}

  take(command: Command, standing: readonly EntryPlace[]): void {
    if (!this.settlements.answer(command.id)) return;
    const why = this.#wrongOriginOf(command, standing);
    if (why !== null) this.#broken(command.id, why);
  }

  /** All claims were met: what is still in question was never asked for. */
  finish(): void {
    for (const id of this.settlements.unanswered) this.#broken(id, 'nobody claimed such a command');
  }

  #wrongOriginOf(command: Command, standing: readonly EntryPlace[]): string | null {
    const { kind, hold, legs } = command;
    if ((kind !== 'payment' && kind !== 'transaction') || hold) return `it is a ${hold ? 'hold' : kind}`;
    if (standing.length === 0 || standing.some(({ rejected }) => rejected)) return 'it was not carried out';
    const slot = this.settlements.find(command.id);
    const captured = kind === 'transaction' ? 1n : takenBy(command);
    if (this.settlements.amounts(slot).captured !== captured) return `it captured ${captured}`;
    const account = this.settlements.account(slot);
    const source = kind === 'payment' ? legs.find(({ amount }) => amount < 0n)?.account : undefined;
    const isRight = account < 0 || (source !== undefined && account === this.table.find(source));
    return isRight ? null : `it took from ${source ?? 'no single account'}`;
  }

  #broken(entry: string, why: string): void {
    const slot = this.settlements.find(entry);
    this.breaks.add({
      kind: 'wrong_settlement',
      book: this.settlements.book(slot),
      entry,
      actual: amountsText(this.settlements.amounts(slot)),
      message: `what follows command ${entry} takes it for what it is not: ${why}`,
    });
  }
}
