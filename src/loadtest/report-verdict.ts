/** What there is to know of a run, if only the top is read. */
import { counted, plural } from '../html/words.ts';
import { errorsOf, lengthText, rateText, shareText, totalOf } from './report-words.ts';
import type { LedgerCheck, RunResult } from './result.ts';

/** A run with so many is no success, however right the rest is. */
const ERRORS_MANY = 0.05;

export interface Verdict {
  readonly tone: 'good' | 'bad';
  readonly word: string;
  /** The worst first. */
  readonly sentences: readonly string[];
}

/** Wrong money counts more than numbers that are not valid, and both more than how fast it was. */
export function verdictOf(run: RunResult): Verdict {
  const { validity, ledger } = run;
  const words = [
    ...(ledger.ok ? [] : ['LEDGER WRONG']),
    ...(validity.valid ? [] : ['NOT VALID']),
    ...(answeredOf(run) === 0 ? ['NOTHING DONE'] : []),
    ...(run.errorShare >= ERRORS_MANY ? [`${shareText(run.errorShare)} ERRORS`] : []),
  ];
  const sentences = [
    ledger.ok ? null : wrongLedger(ledger),
    validity.valid
      ? null
      : `The numbers do not count: the generator, and not what it tested, was the limit${reasonsOf(validity.reasons)}.`,
    ledger.ok ? soundLedger(ledger) : null,
    validity.valid ? 'The generator kept to its schedule: the numbers are those of what it tested.' : null,
    errorsSentence(run),
    run.scenario.profile.kind === 'closed'
      ? 'Users waited for answers before they went on (closed load): this shows what it can take, and nothing about latency under a given load.'
      : null,
  ].filter((sentence) => sentence !== null);
  if (words.length > 0) return { tone: 'bad', word: words.join(', '), sentences };
  const errors = run.errorShare > 0 ? `, ${shareText(run.errorShare)} errors` : '';
  return { tone: 'good', word: `Valid, ledger verified${errors}`, sentences };
}

function answeredOf({ counts }: RunResult): number {
  return counts.ok + counts.declined;
}

function reasonsOf(reasons: readonly string[]): string {
  return reasons.length === 0 ? '' : `: ${reasons.join('; ')}`;
}

function wrongLedger({ acknowledged, once, unknown, faults }: LedgerCheck): string {
  const missing = acknowledged - once;
  const found =
    missing === 0
      ? `all ${counted(acknowledged)} acknowledged operations were found once, and yet`
      : `of ${plural(acknowledged, 'acknowledged operation')} ${counted(missing)} ${missing === 1 ? 'was' : 'were'} not found exactly once, and`;
  const open = unknown === 0 ? '' : `; of ${plural(unknown, 'more')} it was never known`;
  return `MONEY IS WRONG: ${found} ${plural(faults.length, 'fault')} ${faults.length === 1 ? 'is' : 'are'} listed below${open}.`;
}

function soundLedger({ acknowledged, settled, unknown, accounts }: LedgerCheck): string {
  const asked = settled === 0 ? '' : `, ${counted(settled)} of them only when asked again`;
  const open = unknown === 0 ? '' : ` Of ${counted(unknown)} it was never known, and the ledger may have them or not.`;
  return `The ledger is right: ${plural(acknowledged, 'acknowledged operation')}${asked}, each found exactly once, and the balances of ${plural(accounts, 'account')} agree.${open}`;
}

function errorsSentence({ counts, perSecond, seconds }: RunResult): string {
  const [errors, calls] = [errorsOf(counts), totalOf(counts)];
  const kinds = (['refused', 'failed', 'unknown', 'held_back'] as const)
    .filter((outcome) => counts[outcome] > 0)
    .map((outcome) => `${counted(counts[outcome])} ${outcome.replace('_', ' ')}`);
  const said = errors === 0 ? 'none of them an error' : `${counted(errors)} of them errors (${kinds.join(', ')})`;
  return `${plural(calls, 'call')} in ${lengthText(seconds)}, ${said}; ${rateText(perSecond)} were answered ok or declined.`;
}
