/** Whether runs may be compared at all, and what makes a comparison of them doubtful. */
import type { RunResult } from './result.ts';

/** Runs of different loads: any difference would be one of what was asked, not of what answered. */
export class NotComparableError extends Error {
  override readonly name = 'NotComparableError';
}

/** In what the loads of two runs differ, in words; empty: in nothing that counts. */
export function loadDifferences({ scenario: a }: RunResult, { scenario: b }: RunResult): string[] {
  const parts = ['name', 'profile', 'arrivals', 'journeys', 'population', 'currency'] as const;
  return parts
    .filter((part) => canonical(a[part]) !== canonical(b[part]))
    .map((part) => (part === 'name' ? `scenario ${a.name} and ${b.name}` : `the scenario's ${part}`));
}

export function warningsOf(before: readonly RunResult[], after: readonly RunResult[]): string[] {
  const all = [...before, ...after];
  return [...all.flatMap(ownWarnings), ...sharedWarnings(before, after)];
}

function ownWarnings(run: RunResult): string[] {
  const warnings: string[] = [];
  if (!run.validity.valid) {
    warnings.push(`Run ${run.id} is not valid: ${run.validity.reasons.join('; ') || 'no reason is given'}.`);
  }
  if (!run.ledger.ok) warnings.push(`The ledger of run ${run.id} is wrong: what it is fast at is not what it must do.`);
  return warnings;
}

function sharedWarnings(before: readonly RunResult[], after: readonly RunResult[]): string[] {
  const all = [...before, ...after];
  const warnings: string[] = [];
  const differ = (of: (run: RunResult) => unknown) => new Set(all.map((run) => canonical(of(run)))).size > 1;
  if (differ(({ machine: { cpus, model, memoryMiB } }) => [cpus, model, memoryMiB])) {
    warnings.push('Runs were made on different machines: what differs may be the machine.');
  }
  if (differ(({ machine }) => machine.node)) warnings.push('Runs were made with different versions of Node.');
  if (differ(({ generators }) => generators)) warnings.push('Runs had different generators.');
  const sent = new Set(before.map(({ id }) => id));
  if (after.some(({ id }) => sent.has(id))) warnings.push('A run is on both sides.');
  return warnings;
}

/** JSON that does not depend on the order in which members were written. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
