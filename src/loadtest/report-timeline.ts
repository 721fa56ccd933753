/** Pictures of a run over time: rates with their outcomes, percentiles, errors, and how the generator fared. */
import {
  acrossOf,
  apart,
  belowAxis,
  clockText,
  leftAxisName,
  linear,
  linePath,
  logarithmic,
  logTicks,
  roundTicks,
  type Scale,
  stepArea,
  timeTicks,
  upOf,
} from '../html/chart.ts';
import { html, type Markup } from '../html/markup.ts';
import { type Frame, gridLine, round, svg } from '../html/picture.ts';
import { counted } from '../html/words.ts';
import type { Slot } from './report-slots.ts';
import {
  ERROR_OUTCOMES,
  errorsOf,
  figureText,
  latencyText,
  latencyTick,
  OUTCOME_WORDS,
  rateText,
} from './report-words.ts';
import { OUTCOMES, type Outcome } from './result.ts';

export const WIDE: Frame = { width: 1080, height: 280, left: 64, right: 130, top: 30, bottom: 44 };
const HALF: Frame = { width: 520, height: 250, left: 56, right: 62, top: 30, bottom: 44 };
const SINCE = 'time since the run began';
const LABEL_GAP = 15;

/** Of the first slot's beginning and the last one's end. */
export function endOf(slots: readonly Slot[]): number {
  return slots.reduce((end, { at, seconds }) => Math.max(end, at + seconds), 1);
}

export function timeAxis(frame: Frame, x: Scale, seconds: number): Markup {
  return belowAxis(
    frame,
    x,
    timeTicks(seconds).map((tick) => [tick, clockText(tick)]),
    SINCE,
  );
}

/** Where arrivals ended and only answers were waited for. */
function endMark(frame: Frame, x: Scale, arrivalsEnd: number, end: number): Markup | null {
  if (end - arrivalsEnd < 1) return null;
  const at = round(x(arrivalsEnd));
  return html`<line class="mark" x1="${at}" x2="${at}" y1="${frame.top}" y2="${frame.height - frame.bottom}"/><text class="axis" text-anchor="end" x="${at - 5}" y="${frame.top + 12}">arrivals end</text>`;
}

function stacked(slots: readonly Slot[], outcomes: readonly Outcome[], x: Scale, y: Scale): Markup[] {
  const below = slots.map(() => 0);
  return outcomes.flatMap((outcome) => {
    if (slots.every(({ counts }) => counts[outcome] === 0)) return [];
    const bars = slots.map(({ at, seconds, counts }, index) => {
      const low = below[index]!;
      below[index] = low + counts[outcome] / seconds;
      return { from: x(at), to: x(at + seconds), low: y(low), high: y(below[index]) };
    });
    const runs = splitWhere(bars, ({ low, high }) => low === high);
    return [html`<path class="o-${outcome}" d="${runs.map(stepArea).join('')}"/>`];
  });
}

/** Outlines along what is not there would be seen as something. */
function splitWhere<T>(all: readonly T[], isEmpty: (one: T) => boolean): T[][] {
  const parts: T[][] = [[]];
  for (const one of all) {
    if (isEmpty(one)) parts.push([]);
    else parts.at(-1)!.push(one);
  }
  return parts.filter(({ length }) => length > 0);
}

export function ratesOverTime(slots: readonly Slot[], arrivalsEnd: number): Markup {
  const end = endOf(slots);
  const totals = slots.map(({ counts, seconds }) => OUTCOMES.reduce((sum, one) => sum + counts[one], 0) / seconds);
  const journeys = slots.map(({ arrivals, seconds }) => arrivals / seconds);
  const ticks = roundTicks(Math.max(...totals, ...journeys, 0));
  const [x, y] = [linear(0, end, ...acrossOf(WIDE)), linear(0, ticks.at(-1)!, ...upOf(WIDE))];
  const line = slots.map(({ at, seconds }, index) => [x(at + seconds / 2), y(journeys[index]!)] as const);
  const last = line.at(-1)?.[1] ?? y(0);
  const desc = `At most ${rateText(Math.max(...totals, 0))} of calls, and ${rateText(Math.max(...journeys, 0))} of journeys that began.`;
  return svg(WIDE, 'rates', 'Calls a second over time by their outcome, and journeys that began', desc, [
    leftAxisName(WIDE, 'a second'),
    ...ticks.map((tick) => gridLine(WIDE, y(tick), figureText(tick))),
    ...stacked(slots, OUTCOMES, x, y),
    html`<path class="s1" d="${linePath(line)}"/>`,
    html`<text class="t1" x="${WIDE.width - WIDE.right + 8}" y="${round(last + 4)}">journeys begun</text>`,
    endMark(WIDE, x, arrivalsEnd, end),
    timeAxis(WIDE, x, end),
  ]);
}

/** null: there were no errors. */
export function errorsOverTime(slots: readonly Slot[], arrivalsEnd: number): Markup | null {
  const rates = slots.map(({ counts, seconds }) => errorsOf(counts) / seconds);
  const most = Math.max(...rates, 0);
  if (most === 0) return null;
  const end = endOf(slots);
  const frame = { ...WIDE, height: 210 };
  const ticks = roundTicks(most);
  const [x, y] = [linear(0, end, ...acrossOf(frame)), linear(0, ticks.at(-1)!, ...upOf(frame))];
  const worst = slots[rates.indexOf(most)]!;
  const desc = `At most ${rateText(most)}, at ${clockText(worst.at)}.`;
  return svg(frame, 'errors', 'Errors a second over time by their kind', desc, [
    leftAxisName(frame, 'a second'),
    ...ticks.map((tick) => gridLine(frame, y(tick), figureText(tick))),
    ...stacked(slots, ERROR_OUTCOMES, x, y),
    endMark(frame, x, arrivalsEnd, end),
    timeAxis(frame, x, end),
  ]);
}

/** Swatches with the names and numbers of outcomes, those first that there are. */
export function outcomeKeys(counts: Readonly<Record<Outcome, number>>, outcomes: readonly Outcome[]): Markup {
  const items = outcomes
    .filter((outcome) => counts[outcome] > 0)
    .map(
      (outcome) =>
        html`<li><svg class="swatch" viewBox="0 0 26 14" aria-hidden="true"><rect class="o-${outcome}" x="1" y="1" width="24" height="12"/></svg>${OUTCOME_WORDS[outcome].name} ${counted(counts[outcome])} <span>${OUTCOME_WORDS[outcome].meaning}</span></li>`,
    );
  return html`<ul class="keys">${items}</ul>`;
}

/** How lines of a number are drawn, so that they are told apart without colour too. */
export function lineKey(style: number): Markup {
  return html`<svg class="swatch" viewBox="0 0 26 14" aria-hidden="true"><path class="s${style}" d="M1 7H25"/></svg>`;
}

interface Line {
  readonly name: string;
  /** Class of its looks, 0 to 4. */
  readonly style: number;
  readonly values: readonly (number | null)[];
}

/** Lines with their names at their ends. */
function namedLines(frame: Frame, slots: readonly Slot[], lines: readonly Line[], x: Scale, y: Scale): Markup[] {
  const drawn = lines.map(({ values }) =>
    values.map((value, at) =>
      value === null ? null : ([x(slots[at]!.at + slots[at]!.seconds / 2), y(value)] as const),
    ),
  );
  const ends = drawn.map((points) => points.findLast((point) => point !== null)?.[1] ?? frame.top);
  const places = apart(ends, LABEL_GAP, frame.top, frame.height - frame.bottom);
  return lines.map(
    ({ name, style }, at) =>
      html`<path class="s${style}" d="${linePath(drawn[at]!)}"/><text class="t${style}" x="${frame.width - frame.right + 8}" y="${round(places[at]! + 4)}">${name}</text>`,
  );
}

/** null: nothing was answered. */
export function percentilesOverTime(slots: readonly Slot[], arrivalsEnd: number): Markup | null {
  const of = (name: 'p50' | 'p90' | 'p99' | 'p999' | 'max') => slots.map(({ latencyMs }) => latencyMs?.[name] ?? null);
  const lines: Line[] = [
    { name: 'max', style: 4, values: of('max') },
    { name: 'p99.9', style: 3, values: of('p999') },
    { name: 'p99', style: 1, values: of('p99') },
    { name: 'p90', style: 2, values: of('p90') },
    { name: 'p50', style: 0, values: of('p50') },
  ];
  const values = lines.flatMap((line) => line.values.filter((value) => value !== null));
  if (values.length === 0) return null;
  const end = endOf(slots);
  const frame = { ...WIDE, height: 330 };
  const [low, high] = rangeOf(values);
  const [x, y] = [linear(0, end, ...acrossOf(frame)), logarithmic(low, high, ...upOf(frame))];
  const medians = of('p50').filter((value) => value !== null);
  const desc = `Logarithmic axis. The median is between ${latencyText(Math.min(...medians))} and ${latencyText(Math.max(...medians))}; the slowest call took ${latencyText(Math.max(...values))}.`;
  return svg(frame, 'percentiles', 'Percentiles of latency over time', desc, [
    leftAxisName(frame, 'latency, logarithmic'),
    ...logTicks(low, high).map((tick) => gridLine(frame, y(tick), latencyTick(tick))),
    ...namedLines(frame, slots, lines, x, y),
    endMark(frame, x, arrivalsEnd, end),
    timeAxis(frame, x, end),
  ]);
}

/** Of a logarithmic axis that shows all values with a little room. */
export function rangeOf(values: readonly number[]): [low: number, high: number] {
  const [least, most] = [
    values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    values.reduce((a, b) => Math.max(a, b), 0),
  ];
  const low = Math.max(least, 1e-3);
  return [low / 1.15, Math.max(most, low * 2) * 1.15];
}

export function outstandingOverTime(slots: readonly Slot[], outstandingMax: number): Markup {
  const values = slots.map(({ outstanding }) => outstanding);
  const most = Math.max(...values, 0);
  const desc = `At most ${counted(most)}; the generator would have held calls back at ${counted(outstandingMax)}.`;
  return halfChart('outstanding', 'Calls without an answer at the end of each second', desc, 'calls', slots, [
    { name: 'waiting', style: 0, values },
  ]);
}

export function lagOverTime(slots: readonly Slot[]): Markup {
  const lines = [
    { name: 'max', style: 4, values: slots.map(({ lagMs }) => lagMs.max) },
    { name: 'p99', style: 1, values: slots.map(({ lagMs }) => lagMs.p99) },
  ];
  const desc = `At most ${latencyText(Math.max(...lines[0]!.values, 0))}.`;
  return halfChart('lag', 'How late the generator sent calls', desc, 'ms', slots, lines);
}

function halfChart(
  id: string,
  title: string,
  desc: string,
  unit: string,
  slots: readonly Slot[],
  lines: readonly Line[],
): Markup {
  const end = endOf(slots);
  const ticks = roundTicks(Math.max(...lines.flatMap(({ values }) => values.map((value) => value ?? 0)), 0));
  const [x, y] = [linear(0, end, ...acrossOf(HALF)), linear(0, ticks.at(-1)!, ...upOf(HALF))];
  return svg(HALF, id, title, desc, [
    leftAxisName(HALF, unit),
    ...ticks.map((tick) => gridLine(HALF, y(tick), figureText(tick))),
    ...namedLines(HALF, slots, lines, x, y),
    timeAxis(HALF, x, end),
  ]);
}
