/** The tables of the report that people work through: open breaks by age, the breaks of a run, and matches to look at. */
import { html, type Markup } from '../html/markup.ts';
import { counted, plural } from '../html/words.ts';
import { CAUSES, RULES } from '../matching/types.ts';
import { dayOf, dayText } from '../statements/statement.ts';
import type { AgeingBucket } from './breaks.ts';
import { ageDays, differenceOf, type PositionedMatch, type ReportSources } from './report-sources.ts';
import {
  CAUSE_WORDS,
  confidenceWords,
  moneyText,
  moneyWithCurrency,
  RULE_WORDS,
  resolutionWords,
} from './report-words.ts';
import type { Break, BreakItem, BreakLine } from './types.ts';

/** First and last day of age. */
const AGES = [
  { name: '0–1 day', to: 1 },
  { name: '2–7 days', to: 7 },
  { name: '8–30 days', to: 30 },
  { name: '31–90 days', to: 90 },
  { name: 'over 90 days', to: Number.POSITIVE_INFINITY },
] as const;
/** Shades of a cell, from least to most. */
const SHADES = 4;
/** Lines and items of one match that are named. */
const NAMED_MAX = 4;

/** A table that is a picture: the more there are, the stronger the shade. */
export function ageingTable(rows: readonly AgeingBucket[]): Markup {
  const countOf = (cause: string | null, age: number | null) =>
    rows
      .filter((row) => (cause === null || row.cause === cause) && (age === null || bucketOf(row.ageDays) === age))
      .reduce((sum, { count }) => sum + count, 0);
  const causes = CAUSES.filter((cause) => countOf(cause, null) > 0);
  const most = Math.max(1, ...causes.flatMap((cause) => AGES.map((_, age) => countOf(cause, age))));
  return html`<table class="heat">
<thead><tr><th scope="col">Cause</th>${AGES.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}<th scope="col" class="number">All</th></tr></thead>
<tbody>${causes.map(
    (cause) =>
      html`<tr><th scope="row">${CAUSE_WORDS[cause].name}</th>${AGES.map((_, age) => {
        const count = countOf(cause, age);
        if (count === 0) return html`<td class="none">–</td>`;
        return html`<td class="h${Math.ceil((count / most) * SHADES)}">${counted(count)}</td>`;
      })}<td>${counted(countOf(cause, null))}</td></tr>`,
  )}</tbody>
<tfoot><tr><th scope="row">All</th>${AGES.map((_, age) => html`<td>${counted(countOf(null, age))}</td>`)}<td>${counted(countOf(null, null))}</td></tr></tfoot>
</table>`;
}

function bucketOf(days: number): number {
  return AGES.findIndex(({ to }) => days <= to);
}

/** `12 open breaks: 1,200.00 EUR, 30.00 USD` */
export function openTotals(rows: readonly AgeingBucket[]): string {
  const amounts = new Map<string, bigint>();
  for (const { currency, amount } of rows) amounts.set(currency, (amounts.get(currency) ?? 0n) + amount);
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  const sums = [...amounts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, amount]) => moneyWithCurrency(amount, code));
  return `${plural(count, 'open break')}: ${sums.join(', ')}`;
}

/** Before the rows, and {@link TABLE_END} after them: there may be too many to hold. */
export const BREAKS_HEAD = html`<div class="scroll" role="region" tabindex="0" aria-label="Breaks"><table data-tools>
<thead><tr><th scope="col" class="number">No.</th><th scope="col">What is wrong</th><th scope="col">Reference</th><th scope="col" class="number">Statement</th><th scope="col" class="number">Ledger</th><th scope="col" class="number">Difference</th><th scope="col" class="number">Age</th><th scope="col">Who</th><th scope="col">Status</th></tr></thead>
<tbody>
`;

export function breakRow(one: Break, { clock }: ReportSources): Markup {
  const { position, id, cause, reference, line, item, currency, assignee, expectedBy } = one;
  const difference = differenceOf(one);
  const age = ageDays(one, clock);
  const expected = expectedBy === null ? null : html`<small>may come until ${dayText(expectedBy)}</small>`;
  return html`<tr><td class="number" data-key="${position}">${counted(position)}</td>
<th scope="row" class="cause">${CAUSE_WORDS[cause].name}${expected}</th>
<td class="text reference">${reference ?? '–'}${line !== null && line.text !== '' && html`<small>${line.text}</small>`}<small><code>${id}</code></small>${item !== null && html`<small><code>${item.id}</code></small>`}</td>
${lineCell(line)}${itemCell(item)}
<td class="number" data-key="${difference === null ? '' : String(difference)}">${difference === null ? '–' : moneyWithCurrency(difference, currency)}</td>
<td class="number" data-key="${age}">${plural(age, 'day')}</td>
<td class="text">${assignee ?? 'nobody'}</td>
<td class="text">${statusWords(one)}</td></tr>
`;
}

function lineCell(line: BreakLine | null): Markup {
  if (line === null) return html`<td class="number" data-key="">–</td>`;
  const { amount, currency, day, line: place, direction, fee } = line;
  return html`<td class="number" data-key="${amount}">${moneyWithCurrency(amount, currency)}<small>${dayText(day)}${direction && ` · ${direction}`}</small><small>line ${counted(place)}</small>${fee > 0n && html`<small>fee ${moneyText(fee, currency)}</small>`}</td>`;
}

function itemCell(item: BreakItem | null): Markup {
  if (item === null) return html`<td class="number" data-key="">–</td>`;
  const { amount, currency, at, kind, direction } = item;
  return html`<td class="number" data-key="${amount}">${moneyWithCurrency(amount, currency)}<small>${dayText(dayOf(new Date(at)))}${direction && ` · ${direction}`}</small><small>${kind}</small></td>`;
}

function statusWords({ status, resolution, comments }: Break): Markup {
  const last = comments.at(-1);
  return html`${status}${resolution && html`<small>${resolutionWords(resolution)} (${dayText(dayOf(resolution.at))})</small>`}${last !== undefined && html`<small>${last.by}: ${last.text}</small>`}`;
}

export const MATCHES_HEAD = html`<div class="scroll" role="region" tabindex="0" aria-label="Matches to look at"><table data-tools>
<thead><tr><th scope="col" class="number">No.</th><th scope="col">Rule</th><th scope="col">How sure</th><th scope="col" class="number">Amount</th><th scope="col">Lines of the statement</th><th scope="col">Movements in the ledger</th></tr></thead>
<tbody>
`;

export function matchRow({
  position,
  rule,
  confidence,
  amount,
  currency,
  lines,
  breaks,
  items,
}: PositionedMatch): Markup {
  const there = [...lines.map(counted), ...breaks.map((id) => `of ${id}`)];
  return html`<tr><td class="number" data-key="${position}">${counted(position)}</td><th scope="row" class="nowrap">${RULE_WORDS[rule].name}</th><td class="nowrap" data-key="${confidence}">${confidenceWords(confidence)}</td><td class="number" data-key="${amount}">${moneyWithCurrency(amount, currency)}</td><td class="text">${some(there)}</td><td class="text"><code>${some(items)}</code></td></tr>
`;
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return `${names.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${counted(more)} more` : ''}`;
}

export const TABLE_END = html`</tbody></table></div>
`;

/** Of what this report may name: causes, and then rules. */
export function glossary(): Markup {
  const entries = (words: readonly { name: string; meaning: string }[]) =>
    html`<dl class="glossary">${words.map(({ name, meaning }) => html`<dt>${name}</dt><dd>${meaning}</dd>`)}</dl>`;
  return html`<section id="words" aria-labelledby="words-title"><h2 id="words-title">What the words mean</h2>
<p>The <i>statement</i> is what the bank or payment service says, the <i>ledger</i> what we have posted. A <i>match</i> is lines and movements that are the same money. A <i>break</i> is one that does not agree; it stays open until it is settled or somebody resolves it.</p>
<h3>Why something does not agree</h3>${entries(CAUSES.map((cause) => CAUSE_WORDS[cause]))}
<h3>By what things are matched</h3>${entries(RULES.map((rule) => RULE_WORDS[rule]))}</section>
`;
}
