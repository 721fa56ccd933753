/** Load tests, comparisons and ladders as text for a terminal. */
import { counted, plural } from '../html/words.ts';
import type { LadderResult } from '../ladder/result.ts';
import { clean, table } from '../resources/text.ts';
import type { Comparison } from './comparison.ts';
import {
  amountText,
  changeName,
  comparisonVerdict,
  intervalText,
  methodText,
  VERDICT_WORDS,
  valueText,
} from './report-compared.ts';
import { BOTTLENECK_WORDS, LAYER_WORDS, ladderVerdict } from './report-ladder.ts';
import { verdictOf } from './report-verdict.ts';
import {
  chanceText,
  errorsOf,
  figureText,
  journeysText,
  latencyText,
  OPERATION_WORDS,
  OUTCOME_WORDS,
  profileWords,
  rateText,
  shareText,
  totalOf,
} from './report-words.ts';
import type { Counts, Percentiles, RunResult } from './result.ts';

const FAULTS_MAX = 10;
const EXAMPLES_MAX = 10;
/** Of a line that is cut off, characters. */
const ANSWER_MAX = 160;
const PERCENTILES = ['p50', 'p90', 'p99', 'p999', 'max'] as const;
const PERCENTILE_NAMES = ['p50', 'p90', 'p99', 'p99.9', 'max'];

/** What a terminal is shown after a load test: the verdict stands first and, as it may have scrolled away, last. */
export function renderRunText(run: RunResult): string {
  const { scenario, machine, lagMs, examples } = run;
  const { word, sentences } = verdictOf(run);
  const subject = [
    `scenario   ${scenario.name}: ${profileWords(scenario.profile)}`,
    `journeys   ${journeysText(run.journeys)}`,
    `target     ${run.target.addresses.join(', ')}${run.target.queue === null ? '' : `, queue ${run.target.queue}`}`,
    `machine    ${plural(machine.cpus, 'processor')}, ${machine.model}; Kvitt ${machine.kvitt}, Node ${machine.node}`,
    `generator  late by p50 ${latencyText(lagMs.p50)}, p99 ${latencyText(lagMs.p99)}, at most ${latencyText(lagMs.max)}`,
  ];
  const parts = [
    lines([`${word}.`, ...sentences]),
    faultsText(run),
    lines(subject),
    operationsText(run),
    examples.length === 0 ? '' : examplesText(run),
    `${word}: ${figuresLine(run)}\n`,
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function lines(all: readonly string[]): string {
  return `${all.map(clean).join('\n')}\n`;
}

function figuresLine({ perSecond, latencyMs, errorShare }: RunResult): string {
  const at = (name: 'p50' | 'p99') => latencyText(latencyMs?.[name] ?? null);
  return `${rateText(perSecond)}, p50 ${at('p50')}, p99 ${at('p99')}, errors ${shareText(errorShare)}`;
}

function faultsText({ ledger: { faults } }: RunResult): string {
  if (faults.length === 0) return '';
  const left = faults.length - FAULTS_MAX;
  const shown = faults.slice(0, FAULTS_MAX).map((fault) => `  ${fault}`);
  return lines(left > 0 ? [...shown, `  … and ${counted(left)} more`] : shown);
}

function operationsText(run: RunResult): string {
  const row = (name: string, counts: Counts, latencyMs: Percentiles | null) => [
    name,
    ...[counts.ok, counts.declined, errorsOf(counts), totalOf(counts)].map(counted),
    ...percentileCells(latencyMs),
  ];
  const rows = run.operations.map(({ operation, counts, latencyMs }) =>
    row(OPERATION_WORDS[operation], counts, latencyMs),
  );
  const head = ['operation', 'ok', 'declined', 'errors', 'calls', ...PERCENTILE_NAMES];
  return table(head, [...rows, row('All', run.counts, run.latencyMs)], 'lrrrrrrrrr');
}

function percentileCells(latencyMs: Percentiles | null): string[] {
  return PERCENTILES.map((name) => latencyText(latencyMs?.[name] ?? null));
}

function examplesText({ examples }: RunResult): string {
  const rows = examples
    .slice(0, EXAMPLES_MAX)
    .map(({ operation, outcome, answer }) => [
      OPERATION_WORDS[operation],
      OUTCOME_WORDS[outcome].name,
      answer.length > ANSWER_MAX ? `${answer.slice(0, ANSWER_MAX)}…` : answer,
    ]);
  return table(['call', 'outcome', 'answer'], rows, 'lll');
}

/** What a terminal is shown of two states of a system. */
export function renderComparisonText(comparison: Comparison): string {
  const { changes, warnings, notes, scenario } = comparison;
  const rows = changes.map((change) => [
    changeName(change),
    valueText(change, change.before),
    valueText(change, change.after),
    amountText(change, change.change),
    intervalText(change),
    chanceText(change.adjustedPValue),
    VERDICT_WORDS[change.verdict],
  ]);
  const head = ['figure', 'before', 'after', 'change', '95 % interval', 'corrected', 'verdict'];
  const parts = [
    lines([comparisonVerdict(comparison), ...warnings.map((warning) => `WARNING: ${warning}`)]),
    lines([`scenario ${scenario}; ${methodText(comparison)}`]),
    rows.length === 0 ? '' : table(head, rows, 'lrrrrrl'),
    lines(notes),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** What a terminal is shown of a ladder. */
export function renderLadderText(ladder: LadderResult): string {
  const { layers, stack, findings, fixedRate, concurrency } = ladder;
  const layerRows = layers.map(({ layer, name, perSecond, rounds, latencyMs }) => [
    LAYER_WORDS[layer],
    name,
    figureText(perSecond),
    rounds.map(figureText).join(' '),
    ...percentileCells(latencyMs),
  ]);
  const stackRows = stack.map(({ name, addedMs, totalMs }) => [name, latencyText(addedMs), latencyText(totalMs)]);
  const parts = [
    lines([`${ladderVerdict(ladder)}.`, ...(findings[0]?.because ?? []), `What to do: ${findings[0]?.remedy ?? '–'}`]),
    lines([`${plural(concurrency, 'call')} at the same time; percentiles at ${rateText(fixedRate)}`]),
    table(['layer', 'name', 'a second', 'rounds', ...PERCENTILE_NAMES], layerRows, 'llrlrrrrr'),
    stackRows.length === 0 ? '' : table(['where the time goes', 'adds', 'up to here'], stackRows, 'lrr'),
    findings.length < 2 ? '' : lines(findings.slice(1).map(lessLikely)),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function lessLikely({ bottleneck, where, score, because }: LadderResult['findings'][number]): string {
  return `less likely: ${BOTTLENECK_WORDS[bottleneck]} (${where}; ${figureText(score)} of 1): ${because.join(' ')}`;
}
