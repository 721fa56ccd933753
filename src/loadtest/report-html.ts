/** Load tests, comparisons of them and ladders as one HTML page each, which needs nothing else and runs nothing. */
import { html, type Markup, scrolled } from '../html/markup.ts';
import { pageHead } from '../html/page.ts';
import { counted } from '../html/words.ts';
import type { LadderResult } from '../ladder/result.ts';
import type { Comparison } from './comparison.ts';
import { callsOf, type Latencies, merged } from './distribution.ts';
import { comparisonSection, comparisonVerdict } from './report-compared.ts';
import { ladderSections, ladderVerdict } from './report-ladder.ts';
import { heatMap, histogram, numbersOverTime, operationRanges, percentileCurve } from './report-latency.ts';
import { resourcePictures } from './report-resources.ts';
import { examplesSection, ledgerSection, operationsTable, subjectSection, verdictSection } from './report-sections.ts';
import { type Slot, slotsOf } from './report-slots.ts';
import { PATTERNS, STYLE } from './report-style.ts';
import {
  errorsOverTime,
  lagOverTime,
  outcomeKeys,
  outstandingOverTime,
  percentilesOverTime,
  ratesOverTime,
} from './report-timeline.ts';
import { verdictOf } from './report-verdict.ts';
import { ERROR_OUTCOMES, latencyText, rateText, whenText } from './report-words.ts';
import { OUTCOMES, type RunResult } from './result.ts';

export interface ReportExtras {
  /** With an earlier state. */
  readonly comparison?: Comparison;
  /** Of the same system. */
  readonly ladder?: LadderResult;
}

/** A load test. */
export function renderRunHtml(run: RunResult, { comparison, ladder }: ReportExtras = {}): string {
  const { scenario, label, startedAt } = run;
  const what = `Load test ${scenario.name}${label === null ? '' : `: ${label}`}`;
  const slots = slotsOf(run.timeline);
  const links: Link[] = [
    ['rates', 'Rates'],
    ['latency', 'Latency'],
    ['operations', 'Operations'],
    ['generator', 'Generator'],
    ['resources', 'Resources'],
    ['ledger', 'The ledger'],
    ...(comparison === undefined ? [] : [['comparison', 'Before and after'] as const]),
    ...(ladder === undefined ? [] : [['ladder', 'The ladder'] as const]),
    ...(run.examples.length === 0 ? [] : [['examples', 'Answers'] as const]),
    ['subject', 'What was run'],
  ];
  const title = `${verdictOf(run).word}: ${what}`;
  return page({ title, what, when: whenText(startedAt), verdict: runVerdict(run, comparison, ladder), links }, [
    ratesSection(run, slots),
    latencySection(run, slots),
    operationsSection(run),
    generatorSection(run, slots),
    resourcesSection(run),
    ledgerSection(run),
    comparison === undefined ? null : comparisonSection(comparison),
    ladder === undefined ? null : ladderSections(ladder),
    examplesSection(run),
    subjectSection(run),
  ]);
}

function runVerdict(run: RunResult, comparison?: Comparison, ladder?: LadderResult): Markup {
  return html`${verdictSection(run)}${comparison !== undefined && html`<p class="notice"><b>Compared with before:</b> ${comparisonVerdict(comparison)} ${comparison.warnings.join(' ')}</p>`}${ladder !== undefined && html`<p class="notice"><b>${ladderVerdict(ladder)}.</b> ${ladder.findings[0]?.remedy ?? null}</p>`}`;
}

/** A ladder on its own. */
export function renderLadderHtml(ladder: LadderResult): string {
  const { startedAt, findings, fixedRate, machine } = ladder;
  const [first] = findings;
  const what = 'Ladder: each layer alone, and all together';
  const verdict = html`<div class="verdict"><span class="mark" aria-hidden="true">→</span><div><p><b>${ladderVerdict(ladder)}.</b> ${first?.because.join(' ') ?? null}</p>${first !== undefined && html`<p>${first.remedy}</p>`}</div></div>
<p class="soft">${machine.cpus} processors, ${machine.model}, ${counted(machine.memoryMiB)} MiB, Node ${machine.node}; latencies at ${rateText(fixedRate)}.</p>`;
  const links: Link[] = [
    ['ladder', 'The ladder'],
    ['ladder-resources', 'Resources'],
  ];
  return page({ title: `${ladderVerdict(ladder)}: ladder`, what, when: whenText(startedAt), verdict, links }, [
    ladderSections(ladder),
  ]);
}

/** A comparison on its own. */
export function renderComparisonHtml(comparison: Comparison): string {
  const { scenario, changes, warnings, notes } = comparison;
  const isWorse = changes.some(({ verdict }) => verdict === 'worse');
  const isBad = isWorse || warnings.length > 0;
  const verdict = html`<div class="verdict${isBad ? ' bad' : ''}"><span class="mark" aria-hidden="true">${isBad ? '!' : '→'}</span><div><p><b>${comparisonVerdict(comparison)}</b></p>${warnings.map((warning) => html`<p>${warning}</p>`)}${notes[0] !== undefined && html`<p>${notes[0]}</p>`}</div></div>`;
  const what = `Load tests ${scenario}: ${comparison.before.name} and ${comparison.after.name}`;
  return page({ title: `Comparison of ${what}`, what, when: null, verdict, links: [] }, [
    comparisonSection(comparison),
  ]);
}

type Link = readonly [id: string, name: string];

interface Head {
  readonly title: string;
  readonly what: string;
  readonly when: string | null;
  readonly verdict: Markup;
  readonly links: readonly Link[];
}

function page({ title, what, when, verdict, links }: Head, sections: readonly (Markup | null)[]): string {
  return html`${pageHead({ title, style: STYLE })}${PATTERNS}<header>
<h1>${what}</h1>
${when !== null && html`<p class="period">${when}</p>`}
${verdict}
${links.length > 0 && html`<nav aria-label="Parts of this report">${links.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}</nav>`}
</header>
<main>
${sections}</main>
<footer><p>Made by Kvitt. Times are UTC, latencies those from when a call should have begun to its answer, whether it was sent in time or not.</p></footer>
</body>
</html>
`.text;
}

function figure(
  title: string,
  caption: string,
  picture: Markup | null,
  none: string,
  more: Markup | null = null,
): Markup {
  const shown = picture === null ? html`<p>${none}</p>` : html`${scrolled(title, picture)}${more}`;
  return html`<figure class="wide"><figcaption><b>${title}</b><span>${caption}</span></figcaption>
${shown}</figure>
`;
}

function ratesSection({ counts, seconds }: RunResult, slots: readonly Slot[]): Markup {
  const each = slots[0]?.seconds ?? 1;
  const how = each === 1 ? 'Each step is a second' : `Each step is ${each} seconds`;
  const rates = slots.length === 0 ? null : ratesOverTime(slots, seconds);
  return section('rates', 'Rates', [
    figure(
      'Calls over time',
      `By when they should have begun. ${how}. A journey makes several calls.`,
      rates,
      'The run had no seconds.',
      outcomeKeys(counts, OUTCOMES),
    ),
    figure(
      'Errors over time',
      'The same errors on a scale of their own.',
      errorsOverTime(slots, seconds),
      'There were none.',
      outcomeKeys(counts, ERROR_OUTCOMES),
    ),
  ]);
}

function latencySection(run: RunResult, slots: readonly Slot[]): Markup {
  const latencies: Latencies = merged(run.timeline.map((second) => second.latencies));
  const none = 'Nothing was answered.';
  const [curve, bars] = [percentileCurve('curve', [{ name: 'all', latencies }]), histogram(latencies)];
  return section('latency', 'Latency', [
    figure(
      'Percentiles over time',
      'Of all calls that were answered, whatever the answer.',
      percentilesOverTime(slots, run.seconds),
      none,
      numbersOverTime(slots),
    ),
    figure(
      'Heat map',
      'Each column is a moment, each row a latency; the stronger the shade, the more calls.',
      heatMap(slots),
      none,
    ),
    html`<figure><figcaption><b>By percentile</b><span>Of ${counted(callsOf(latencies))} answered calls; rare slow ones get as much room as common ones.</span></figcaption>
${curve ?? html`<p>${none}</p>`}</figure>
<figure><figcaption><b>Histogram</b><span>Each bar is from one latency to 19 % above it.</span></figcaption>
${bars ?? html`<p>${none}</p>`}</figure>
`,
  ]);
}

function operationsSection(run: RunResult): Markup {
  return html`<section id="operations" aria-labelledby="operations-title"><h2 id="operations-title">Operations</h2>
<div class="pictures">${figure('Latency of each operation', 'From the median to the slowest call.', operationRanges(run.operations), 'Nothing was answered.')}</div>
<h3>In numbers</h3>
${operationsTable(run)}</section>
`;
}

function generatorSection(run: RunResult, slots: readonly Slot[]): Markup {
  const { validity, generators, lagMs } = run;
  return html`<section id="generator" aria-labelledby="generator-title"><h2 id="generator-title">Generator: ${validity.valid ? 'kept to its schedule' : 'NOT VALID'}</h2>
${validity.reasons.length > 0 && html`<ul>${validity.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
${
  slots.length > 0 &&
  html`<div class="pictures"><figure><figcaption><b>Calls without an answer</b><span>At the end of each second; at ${counted(generators.outstandingMax)} it holds calls back.</span></figcaption>
${outstandingOverTime(slots, generators.outstandingMax)}</figure>
<figure><figcaption><b>Lateness</b><span>How late calls were sent by its own fault: p99 ${latencyText(lagMs.p99)}, at most ${latencyText(lagMs.max)}.</span></figcaption>
${lagOverTime(slots)}</figure></div>`
}</section>
`;
}

function resourcesSection({ resources, seconds }: RunResult): Markup {
  return html`<section id="resources" aria-labelledby="resources-title"><h2 id="resources-title">Resources</h2>
${resourcePictures('resource', resources, seconds)}</section>
`;
}

function section(id: string, title: string, figures: readonly Markup[]): Markup {
  return html`<section id="${id}" aria-labelledby="${id}-heading"><h2 id="${id}-heading">${title}</h2>
<div class="pictures">${figures}</div></section>
`;
}
