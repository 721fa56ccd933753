/** Pictures of the report, as SVG that needs no script. Numbers stand in them or beside them: colour never says it alone. */
import { html, type Markup } from '../html/markup.ts';
import { type Frame, gridLine, round, sum, svg, ticksUpTo } from '../html/picture.ts';
import { counted, percentText, plural } from '../html/words.ts';
import type { DayCount } from '../matching/comparison.ts';
import { RULES, type RuleName } from '../matching/types.ts';
import { dayText } from '../statements/statement.ts';
import { confidenceWords, RULE_WORDS } from './report-words.ts';

/** A reconciliation as the trend shows it. */
export interface TrendPoint {
  readonly id: string;
  /** Last day that was compared, since 1970-01-01. */
  readonly day: number;
  readonly lines: number;
  readonly matchedLines: number;
}

/** How many matches of a rule were seen, and the sum of how sure they are, from 0 to 1 each. */
export interface RuleSureness {
  readonly matches: number;
  readonly confidence: number;
}

const DAYS_FRAME: Frame = { width: 1080, height: 240, left: 56, right: 12, top: 12, bottom: 30 };
const TREND_FRAME: Frame = { width: 480, height: 230, left: 62, right: 64, top: 12, bottom: 30 };
/** What is there is seen, however little of the whole it is. */
const BAR_MIN = 3;
const DATES_MAX = 8;

/** Stacked bars: lines by day, or by the days that are counted together, matched below and not matched above. */
export function matchedOverTime(counts: readonly DayCount[]): Markup {
  const frame = DAYS_FRAME;
  const most = counts.reduce((max, { lines }) => Math.max(max, lines), 0);
  const { ticks, top } = ticksUpTo(most);
  const step = (frame.width - frame.left - frame.right) / counts.length;
  const [base, plot] = [frame.height - frame.bottom, frame.height - frame.bottom - frame.top];
  const y = (count: number) => base - (count / top) * plot;
  const bars = counts.map(({ day, lines, matched }, at) => {
    const width = Math.min(40, Math.max(1, step * 0.8));
    const x = frame.left + at * step + (step - width) / 2;
    const rise = (count: number) => (count === 0 ? 0 : Math.max(BAR_MIN, (count / top) * plot));
    const [low, high] = [rise(matched), rise(lines - matched)];
    return html`<g><title>${dayText(day)}: ${plural(lines, 'line')}, ${counted(matched)} matched, ${counted(lines - matched)} not</title>
${low > 0 && html`<rect class="matched" x="${round(x)}" y="${round(base - low)}" width="${round(width)}" height="${round(low)}"/>`}
${high > 0 && html`<rect class="unmatched" x="${round(x)}" y="${round(base - low - high)}" width="${round(width)}" height="${round(high)}"/>`}</g>`;
  });
  const every = Math.ceil(counts.length / DATES_MAX);
  const dates = counts.map(({ day }, at) => {
    if (at % every !== 0) return null;
    return html`<text class="axis" text-anchor="middle" x="${round(frame.left + (at + 0.5) * step)}" y="${frame.height - 10}">${dayText(day)}</text>`;
  });
  const [lines, matched] = [sum(counts, (one) => one.lines), sum(counts, (one) => one.matched)];
  const desc = `${counts.length} bars. ${counted(matched)} of ${plural(lines, 'line')} are matched. The highest bar has ${plural(most, 'line')}.`;
  return svg(frame, 'over-time', 'Lines of the statement over time, matched and not', desc, [
    html`<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-back" width="6" height="6"/><line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>`,
    ...ticks.map((tick) => gridLine(frame, y(tick), counted(tick))),
    ...bars,
    ...dates,
  ]);
}

/** Days between one bar and the next; 1 where there is but one. */
export function daysTogether(counts: readonly DayCount[]): number {
  const [first, second] = counts;
  return first === undefined || second === undefined ? 1 : second.day - first.day;
}

const RULE_ROW = 46;

/** A bar for each rule that has matched something. `sure` knows nothing of a dry run, whose matches are not kept. */
export function matchesByRule(
  byRule: Readonly<Record<RuleName, number>>,
  sure: ReadonlyMap<RuleName, RuleSureness>,
): Markup {
  const rules = RULES.filter((rule) => byRule[rule] > 0).sort((a, b) => byRule[b] - byRule[a]);
  const all = sum(rules, (rule) => byRule[rule]);
  const frame = { ...TREND_FRAME, height: rules.length * RULE_ROW + 4, left: 0, right: 0 };
  const rows = rules.map((rule, at) => {
    const [top, width] = [at * RULE_ROW, Math.max(BAR_MIN, (byRule[rule] / all) * frame.width)];
    const { matches, confidence } = sure.get(rule) ?? { matches: 0, confidence: 0 };
    const said = matches === 0 ? '' : ` · ${confidenceWords(confidence / matches)}`;
    return html`<text x="0" y="${top + 15}">${RULE_WORDS[rule].name}</text>
<text x="${frame.width}" y="${top + 15}" text-anchor="end">${counted(byRule[rule])} · ${percentText(byRule[rule], all)}${said}</text>
<rect class="track" x="0" y="${top + 22}" width="${frame.width}" height="10"/>
<rect class="matched" x="0" y="${top + 22}" width="${round(width)}" height="10"/>`;
  });
  return svg(
    frame,
    'by-rule',
    'Matches by rule',
    `${plural(all, 'match', 'matches')} by ${plural(rules.length, 'rule')}.`,
    rows,
  );
}

/** How much of the lines was matched, oldest first; the last point is this reconciliation. */
export function trend(points: readonly TrendPoint[]): Markup {
  const frame = TREND_FRAME;
  const shares = points.map(({ lines, matchedLines }) => matchedLines / lines);
  const floor = Math.min(0.95, Math.floor(Math.min(...shares) * 20) / 20);
  const [base, plot] = [frame.height - frame.bottom, frame.height - frame.bottom - frame.top];
  const y = (share: number) => base - ((share - floor) / (1 - floor)) * plot;
  const span = frame.width - frame.left - frame.right - 16;
  const x = (at: number) => frame.left + 8 + (points.length === 1 ? span : (at / (points.length - 1)) * span);
  const dots = points.map(({ id, day, lines, matchedLines }, at) => {
    const isLast = at === points.length - 1;
    return html`<circle class="point${isLast && ' this'}" cx="${round(x(at))}" cy="${round(y(shares[at]!))}" r="${isLast ? 5 : 3.5}"><title>${dayText(day)}: ${counted(matchedLines)} of ${plural(lines, 'line')}, ${percentText(matchedLines, lines)} (${id})</title></circle>`;
  });
  const last = points.at(-1)!;
  const path = shares.map((share, at) => `${round(x(at))},${round(y(share))}`).join(' ');
  const worst = points.reduce((least, one) =>
    one.matchedLines / one.lines < least.matchedLines / least.lines ? one : least,
  );
  const desc = `${plural(points.length, 'reconciliation')}; this one ${percentText(last.matchedLines, last.lines)}, the lowest ${percentText(worst.matchedLines, worst.lines)} up to ${dayText(worst.day)}.`;
  return svg(frame, 'trend', 'Matched share of the last reconciliations of this source', desc, [
    ...[floor, (floor + 1) / 2, 1].map((share) => gridLine(frame, y(share), `${Number((share * 100).toFixed(1))} %`)),
    html`<polyline class="trend" points="${path}"/>`,
    ...dots,
    html`<text x="${round(x(points.length - 1) + 12)}" y="${round(y(shares.at(-1)!) + 4)}">${percentText(last.matchedLines, last.lines)}</text>`,
    html`<text class="axis" x="${frame.left}" y="${frame.height - 8}">${dayText(points[0]!.day)}</text>`,
    points.length > 1
      ? html`<text class="axis" text-anchor="end" x="${frame.width - frame.right + 8}" y="${frame.height - 8}">${dayText(last.day)}</text>`
      : null,
  ]);
}
