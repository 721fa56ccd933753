/** A comparison in a report: what changed, how sure that is, and the latencies of both over each other. */
import { acrossOf, belowAxis, linear, type Scale } from '../html/chart.ts';
import { html, type Markup, scrolled } from '../html/markup.ts';
import { type Frame, round, svg } from '../html/picture.ts';
import { counted, plural } from '../html/words.ts';
import type { Change, ChangeVerdict, Comparison, Figure } from './comparison.ts';
import { percentileCurve } from './report-latency.ts';
import {
  chanceText,
  latencyText,
  lengthText,
  OPERATION_WORDS,
  pointsText,
  rateText,
  ratioText,
  shareText,
  whenText,
} from './report-words.ts';

const FIGURE_WORDS: Readonly<Record<Figure, string>> = {
  per_second: 'Answered a second',
  p50: 'p50',
  p90: 'p90',
  p99: 'p99',
  p999: 'p99.9',
  error_share: 'Errors',
  operation_p99: 'p99',
};

export const VERDICT_WORDS: Readonly<Record<ChangeVerdict, string>> = {
  better: 'better',
  worse: 'worse',
  not_significant: 'may be chance',
  not_tested: 'not tested',
};

export function changeName({ figure, operation }: Change): string {
  return operation === null
    ? FIGURE_WORDS[figure]
    : `${FIGURE_WORDS[figure]} of ${OPERATION_WORDS[operation].toLowerCase()}`;
}

export function valueText({ figure }: Change, value: number): string {
  if (figure === 'per_second') return rateText(value);
  return figure === 'error_share' ? shareText(value) : latencyText(value);
}

/** `+12 %`, `+0.3 points` */
export function amountText({ scale }: Change, amount: number): string {
  return scale === 'ratio' ? ratioText(amount) : pointsText(amount);
}

/** `+8.1 % to +16 %` */
export function intervalText(change: Change): string {
  if (change.interval === null) return '–';
  return change.interval.map((end) => amountText(change, end)).join(' to ');
}

/** What there is to know of a comparison, if only one sentence is read. */
export function comparisonVerdict({ changes }: Comparison): string {
  const said = (verdict: ChangeVerdict) =>
    changes
      .filter((change) => change.verdict === verdict)
      .map((change) => `${changeName(change)} ${amountText(change, change.change)}`);
  const [worse, better] = [said('worse'), said('better')];
  if (worse.length + better.length > 0) {
    const parts = [
      ...(worse.length > 0 ? [`Worse: ${worse.join(', ')}.`] : []),
      ...(better.length > 0 ? [`Better: ${better.join(', ')}.`] : []),
    ];
    return parts.join(' ');
  }
  if (changes.every(({ verdict }) => verdict === 'not_tested')) return 'Whether anything changed was not tested.';
  return 'No change that is more than chance was found, which does not prove that there is none.';
}

/** How it was found out, in words. */
export function methodText({
  method,
  blockSeconds,
  warmupSeconds,
  seconds,
  resamples,
  before,
  after,
}: Comparison): string {
  const runs = `${plural(before.runs.length, 'run')} before, ${after.runs.length} after; ${lengthText(seconds)} of each, without the first ${lengthText(warmupSeconds)}`;
  if (method === 'runs') return `${runs}. Whole runs were compared by Welch’s t-test of logarithms.`;
  if (blockSeconds === null) return `${runs}. Nothing was tested.`;
  return `${runs}. Spread was found by drawing blocks of ${lengthText(blockSeconds)} ${counted(resamples)} times, the same of both sides (moving-block bootstrap).`;
}

export function comparisonSection(comparison: Comparison): Markup {
  const { changes, notes, before, after } = comparison;
  const curve = percentileCurve(
    'compared-curve',
    [before, after].map(({ latencies }, at) => ({ name: at === 0 ? 'before' : 'after', latencies })),
    { width: 1080, height: 340, left: 64, right: 90, top: 30, bottom: 44 },
  );
  return html`<section id="comparison" aria-labelledby="comparison-title"><h2 id="comparison-title">Before and after</h2>
<p class="soft">${methodText(comparison)}</p>
<ul class="soft">${notes.map((note) => html`<li>${note}</li>`)}</ul>
<div class="pictures">
<figure class="wide"><figcaption><b>What changed</b><span>After compared with before: the sign is what was found, the line its 95 per cent interval. ▲ worse, ▼ better, ring: may be chance, or not tested. Errors are in the table.</span></figcaption>
${changes.length === 0 ? html`<p>There is nothing to compare.</p>` : html`${scrolled('What changed', intervals(changes))}${changesTable(changes)}`}</figure>
<figure class="wide"><figcaption><b>Latency by percentile, before and after</b><span>Of the seconds that were compared: ${counted(before.calls)} and ${plural(after.calls, 'answered call')}.</span></figcaption>
${curve === null ? html`<p>Nothing was answered.</p>` : scrolled('Latency by percentile, before and after', curve)}</figure>
</div>
<h3>The runs</h3>
${runsTable(comparison)}</section>
`;
}

const ROW = 30;
const FRAME = { width: 1080, left: 220, right: 250, top: 12, bottom: 46 } as const;
/** What is further out is drawn at the edge. */
const RATIO_MAX = 4;

function intervals(changes: readonly Change[]): Markup {
  const ratios = changes.filter(({ scale }) => scale === 'ratio');
  const frame: Frame = { ...FRAME, height: ratios.length * ROW + FRAME.top + FRAME.bottom };
  const reach = ratios.reduce((most, { change, interval }) => {
    return Math.max(most, ...[change, ...(interval ?? [])].map((end) => Math.abs(Math.log(end))));
  }, Math.log(1.1));
  const limit = Math.min(Math.log(RATIO_MAX), reach * 1.1);
  const scale = linear(-limit, limit, ...acrossOf(frame));
  const x: Scale = (ratio) => scale(Math.max(-limit, Math.min(limit, Math.log(ratio))));
  const ticks = [1 / 4, 1 / 3, 1 / 2, 2 / 3, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25, 1.5, 2, 3, 4]
    .filter((ratio) => Math.abs(Math.log(ratio)) <= limit)
    .filter((ratio) => limit < 0.25 || ![0.95, 1.05].includes(ratio))
    .filter((ratio) => limit < 0.6 || ![0.9, 1.1].includes(ratio));
  const base = frame.height - frame.bottom;
  const rows = ratios.map((change, at) => intervalRow(change, x, frame.top + at * ROW + ROW / 2, frame));
  const desc = ratios.map((change) => `${changeName(change)} ${amountText(change, change.change)}`).join(', ');
  return svg(frame, 'intervals', 'Changes with their 95 per cent intervals', `${desc}.`, [
    ...ticks.map(
      (tick) =>
        html`<line class="${tick === 1 ? 'base' : 'grid'}" x1="${round(x(tick))}" x2="${round(x(tick))}" y1="${frame.top}" y2="${base}"/>`,
    ),
    ...rows,
    belowAxis(
      frame,
      x,
      ticks.map((tick) => [tick, tick === 1 ? 'same' : ratioText(tick)]),
      'after compared with before, logarithmic',
    ),
  ]);
}

function intervalRow(change: Change, x: Scale, y: number, frame: Frame): Markup {
  const looks = change.verdict === 'better' || change.verdict === 'worse' ? change.verdict : 'unclear';
  const line =
    change.interval !== null &&
    html`<line class="${looks}" x1="${round(x(change.interval[0]))}" x2="${round(x(change.interval[1]))}" y1="${y}" y2="${y}"/>`;
  return html`<text text-anchor="end" x="${frame.left - 12}" y="${y + 4}">${changeName(change)}</text>${line}${signOf(looks, round(x(change.change)), y)}<text x="${frame.width - frame.right + 14}" y="${y + 4}">${amountText(change, change.change)}, ${VERDICT_WORDS[change.verdict]}</text>`;
}

function signOf(looks: 'better' | 'worse' | 'unclear', x: number, y: number): Markup {
  if (looks === 'unclear') return html`<circle class="unclear" cx="${x}" cy="${y}" r="5" stroke-width="2"/>`;
  const [tip, foot] = looks === 'worse' ? [y - 7, y + 5] : [y + 7, y - 5];
  return html`<path class="${looks}" d="M${x - 6} ${foot}L${x + 6} ${foot}L${x} ${tip}Z"/>`;
}

function changesTable(changes: readonly Change[]): Markup {
  const rows = changes.map((change) => {
    const cells = [
      valueText(change, change.before),
      valueText(change, change.after),
      amountText(change, change.change),
      intervalText(change),
      chanceText(change.pValue),
      chanceText(change.adjustedPValue),
    ].map((cell) => html`<td class="number">${cell}</td>`);
    return html`<tr class="${change.verdict}"><th scope="row">${changeName(change)}</th>${cells}<td><b>${VERDICT_WORDS[change.verdict]}</b></td></tr>
`;
  });
  const head = ['Before', 'After', 'Change', '95 % interval', 'By chance', 'Corrected'];
  return scrolled(
    'What changed, in numbers',
    html`<table><thead><tr><th scope="col">Figure</th>${head.map((name) => html`<th scope="col" class="number">${name}</th>`)}<th scope="col">Verdict</th></tr></thead><tbody>
${rows}</tbody></table>`,
  );
}

function runsTable({ before, after }: Comparison): Markup {
  const rows = [before, after].flatMap(({ runs }, side) =>
    runs.map(
      ({ id, label, startedAt }) =>
        html`<tr><th scope="row">${side === 0 ? 'before' : 'after'}</th><td>${label ?? '–'}</td><td><code>${id}</code></td><td class="nowrap">${whenText(startedAt)}</td></tr>
`,
    ),
  );
  return scrolled(
    'The runs',
    html`<table><thead><tr><th scope="col">Side</th><th scope="col">Label</th><th scope="col">Run</th><th scope="col">Started</th></tr></thead><tbody>
${rows}</tbody></table>`,
  );
}
