/** The report as one HTML page that needs nothing else: it can be mailed, kept for years, and printed. */
import { html, Markup, scrolled } from '../html/markup.ts';
import { pageHead } from '../html/page.ts';
import { counted, percentText, plural, timeText } from '../html/words.ts';
import { RULES, type RuleName } from '../matching/types.ts';
import { dayText } from '../statements/statement.ts';
import type { AgeingBucket } from './breaks.ts';
import {
  daysTogether,
  matchedOverTime,
  matchesByRule,
  type RuleSureness,
  type TrendPoint,
  trend,
} from './report-pictures.ts';
import { subjectSection, totalsSection, verdictSection, verificationSection } from './report-sections.ts';
import { breakPages, matchPages, type PositionedMatch, type ReportSources } from './report-sources.ts';
import { SCRIPT, STYLE } from './report-style.ts';
import {
  ageingTable,
  BREAKS_HEAD,
  breakRow,
  glossary,
  MATCHES_HEAD,
  matchRow,
  openTotals,
  TABLE_END,
} from './report-tables.ts';
import { verdictOf } from './report-words.ts';
import type { External, Reconciliation } from './types.ts';

const BREAKS_SHOWN = 2_000;
const UNSURE_SHOWN = 500;
/** Matches that are less sure are to be looked at. */
const SURE = 0.9;
const TREND_POINTS = 30;
/** So many are looked through for them: others are dry runs, or of no statement. */
const TREND_LOOKED_AT = 90;

/** A piece for each part: the verdict is sent before a million matches have been looked through. */
export async function* renderHtml(sources: ReportSources, reconciliation: Reconciliation): AsyncGenerator<string> {
  const { external, internal, kind, source } = reconciliation;
  const open = kind === 'statement' ? await sources.breaks.ageing(source) : null;
  yield head(reconciliation, open).text;
  yield subjectSection(reconciliation).text;
  if (external !== null) {
    yield totalsSection(external.totals).text;
    const looked = await lookThrough(matchPages(sources, reconciliation.id));
    const points = await trendOf(sources, reconciliation, external);
    yield picturesSection(reconciliation, external, open ?? [], looked.sureness, points).text;
    yield* breaksSection(sources, reconciliation);
    yield matchesSection(reconciliation, looked).text;
  } else if (kind === 'statement') {
    yield* breaksSection(sources, reconciliation);
  }
  yield verificationSection(internal).text;
  if (kind === 'statement') yield glossary().text;
  yield foot(sources).text;
}

function head(reconciliation: Reconciliation, open: readonly AgeingBucket[] | null): Markup {
  const { source, kind, config, external } = reconciliation;
  const what = kind === 'internal' ? 'Verification of the ledger' : `Reconciliation of ${source}`;
  const period = config && `${dayText(config.from)} to ${dayText(config.to)}`;
  const has = open && `the source had ${open.length === 0 ? 'no open break' : openTotals(open)}`;
  const links = [
    ['subject', kind === 'internal' ? 'What was verified' : 'What was compared'],
    ...(external === null ? [] : [['totals', 'Totals'] as const, ['pictures', 'At a glance'] as const]),
    ...(kind === 'internal' ? [] : [['breaks', 'Breaks'] as const]),
    ...(external === null ? [] : [['matches', 'Matches to look at'] as const]),
    ['books', 'The books'],
    ...(kind === 'internal' ? [] : [['words', 'What the words mean'] as const]),
  ];
  const title = `${verdictOf(reconciliation).word}: ${what}${period === null ? '' : `, ${period}`}`;
  return html`${pageHead({ title, style: STYLE, script: SCRIPT })}<header>
<h1>${what}</h1>
${period && html`<p class="period">${period}</p>`}
${verdictSection(reconciliation, has && `When this report was made, ${has}.`)}
<nav aria-label="Parts of this report">${links.map(([id, name]) => html`<a href="#${id!}">${name!}</a>`)}</nav>
</header>
<main>
`;
}

interface LookedThrough {
  readonly sureness: ReadonlyMap<RuleName, RuleSureness>;
  /** The first that are less sure. */
  readonly unsure: readonly PositionedMatch[];
  readonly unsureCount: number;
}

async function lookThrough(pages: AsyncIterable<readonly PositionedMatch[]>): Promise<LookedThrough> {
  const sureness = new Map<RuleName, { matches: number; confidence: number }>();
  const unsure: PositionedMatch[] = [];
  let unsureCount = 0;
  for await (const page of pages) {
    for (const match of page) {
      const known = sureness.get(match.rule) ?? { matches: 0, confidence: 0 };
      known.matches++;
      known.confidence += match.confidence;
      sureness.set(match.rule, known);
      if (match.confidence >= SURE) continue;
      unsureCount++;
      if (unsure.length < UNSURE_SHOWN) unsure.push(match);
    }
  }
  return { sureness, unsure, unsureCount };
}

/** Those before it that have compared lines, oldest first, and it. */
async function trendOf(
  { reconciliations }: ReportSources,
  { id, source }: Reconciliation,
  external: External,
): Promise<TrendPoint[]> {
  if (external.lines === 0) return [];
  const page = { limit: TREND_LOOKED_AT, startingAfter: id };
  const before = (await reconciliations.list({ source, status: 'succeeded' }, page)).data
    .filter(({ dryRun }) => !dryRun)
    .flatMap((one) => (one.external === null || one.external.lines === 0 ? [] : [pointOf(one.id, one.external)]))
    .slice(0, TREND_POINTS - 1)
    .reverse();
  return [...before, pointOf(id, external)];
}

function pointOf(id: string, { to, lines, matchedLines }: External): TrendPoint {
  return { id, day: to, lines, matchedLines };
}

function picturesSection(
  { dryRun }: Reconciliation,
  { overTime, byRule, lines, matchedLines }: External,
  open: readonly AgeingBucket[],
  sureness: LookedThrough['sureness'],
  points: readonly TrendPoint[],
): Markup {
  const together = daysTogether(overTime);
  const bar = together === 1 ? 'a day' : `${together} days`;
  const hasMatches = RULES.some((rule) => byRule[rule] > 0);
  const sure = dryRun
    ? '; how sure they are is not kept of a dry run'
    : ', and how sure they are on average, where 1 is certain';
  return html`<section id="pictures" aria-labelledby="pictures-title"><h2 id="pictures-title">At a glance</h2>
<div class="pictures">
<figure class="wide"><figcaption><b>Matched over time</b><span>Lines of the statement by their date, each bar ${bar}. Filled: matched. Hatched: not matched.</span></figcaption>
${overTime.length === 0 ? html`<p>The statement has no lines.</p>` : html`${scrolled('Matched over time', matchedOverTime(overTime))}${numbersOf(overTime)}`}</figure>
<figure class="wide"><figcaption><b>Open breaks by age and cause</b><span>All that are open of this source when this report is made, by the days since the money moved; the more, the stronger the shade.</span></figcaption>
${open.length === 0 ? html`<p>No break is open.</p>` : html`${scrolled('Open breaks by age and cause', ageingTable(open))}<p>${openTotals(open)}</p>`}</figure>
<figure><figcaption><b>Matches by rule</b><span>Share of the matches${sure}.</span></figcaption>
${hasMatches ? matchesByRule(byRule, sureness) : html`<p>Nothing was matched.</p>`}</figure>
<figure><figcaption><b>Matched share over time</b><span>Of this source’s last ${points.length > 1 ? plural(points.length, 'reconciliation') : 'reconciliations'}; the filled point is this one. The scale need not begin at 0 %.</span></figcaption>
${points.length > 1 ? trend(points) : html`<p>${percentText(matchedLines, lines)}; there is no earlier one to compare with.</p>`}</figure>
</div></section>
`;
}

function numbersOf(counts: External['overTime']): Markup {
  const rows = counts.map(
    ({ day, lines, matched }) =>
      html`<tr><th scope="row">${dayText(day)}</th><td class="number">${counted(lines)}</td><td class="number">${counted(matched)}</td><td class="number">${counted(lines - matched)}</td></tr>
`,
  );
  return html`<details><summary>The numbers</summary><table><thead><tr><th scope="col">From</th><th scope="col" class="number">Lines</th><th scope="col" class="number">Matched</th><th scope="col" class="number">Not matched</th></tr></thead><tbody>${rows}</tbody></table></details>`;
}

async function* breaksSection(
  sources: ReportSources,
  { id, dryRun, external }: Reconciliation,
): AsyncGenerator<string> {
  const opened = external?.breaksOpened ?? null;
  const title = dryRun ? 'Breaks that this reconciliation would open' : 'Breaks that this reconciliation opened';
  yield html`<section id="breaks" aria-labelledby="breaks-title"><h2 id="breaks-title">${title}${opened !== null && ` (${counted(opened)})`}</h2>
`.text;
  let shown = 0;
  let isCut = false;
  for await (const page of breakPages(sources, id)) {
    if (shown === 0) yield BREAKS_HEAD.text;
    const rows = page.slice(0, BREAKS_SHOWN - shown);
    yield rows.map((one) => breakRow(one, sources).text).join('');
    shown += rows.length;
    isCut = rows.length < page.length;
    if (isCut) break;
  }
  if (shown > 0) yield TABLE_END.text;
  else yield html`<p>${external === null ? 'None was kept.' : 'None.'}</p>`.text;
  yield html`${restOf(shown, opened, isCut, dryRun)}</section>
`.text;
}

function restOf(shown: number, opened: number | null, isCut: boolean, dryRun: boolean): Markup | null {
  const of = opened === null || opened < shown ? '' : ` of ${counted(opened)}`;
  if (isCut)
    return html`<p>These are the first ${counted(shown)}${of}. The report of this reconciliation as CSV or JSON has all.</p>`;
  if (dryRun && opened !== null && opened > shown) {
    return html`<p>These are the first ${counted(shown)}${of}. Of a dry run no more are kept.</p>`;
  }
  return null;
}

function matchesSection({ dryRun }: Reconciliation, { unsure, unsureCount }: LookedThrough): Markup {
  const left = unsureCount - unsure.length;
  const none = dryRun ? 'Matches of a dry run are not kept.' : 'None: all matches are at least very likely.';
  return html`<section id="matches" aria-labelledby="matches-title"><h2 id="matches-title">Matches to look at (${counted(unsureCount)})</h2>
${unsureCount === 0 ? html`<p>${none}</p>` : html`<p class="soft">They are less sure than ${SURE}: right as far as can be told, but a person may know better.</p>${MATCHES_HEAD}${unsure.map(matchRow)}${TABLE_END}`}
${left > 0 && html`<p>These are the first ${counted(unsure.length)} of ${counted(unsureCount)}. The report of this reconciliation as CSV or JSON has all.</p>`}</section>
`;
}

function foot({ clock }: ReportSources): Markup {
  return html`</main>
<footer><p>Made by Kvitt on ${timeText(new Date(clock.now()))}. Days and times are UTC; those of a statement are as it has them.</p></footer>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`;
}
