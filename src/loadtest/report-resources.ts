/** Small pictures of what was read while a run went on: one for each thing it is of and each unit. */
import {
  acrossOf,
  belowAxis,
  clockText,
  leftAxisName,
  linear,
  linePath,
  roundTicks,
  timeTicks,
  upOf,
} from '../html/chart.ts';
import { html, type Markup } from '../html/markup.ts';
import { type Frame, gridLine, svg } from '../html/picture.ts';
import { thinned } from './report-slots.ts';
import { lineKey } from './report-timeline.ts';
import { figureText } from './report-words.ts';
import type { ResourceSeries } from './result.ts';

const FRAME: Frame = { width: 380, height: 190, left: 50, right: 14, top: 28, bottom: 26 };
/** There are so many ways to draw a line that are told apart. */
const LINES_MAX = 5;

interface Group {
  readonly of: string;
  readonly unit: ResourceSeries['unit'];
  readonly series: readonly ResourceSeries[];
}

/** In the order in which they come, a group for each `of` and unit, or more where there are many. */
function groupsOf(resources: readonly ResourceSeries[]): Group[] {
  const groups = new Map<string, { of: string; unit: ResourceSeries['unit']; series: ResourceSeries[] }>();
  for (const one of resources) {
    const key = JSON.stringify([one.of, one.unit]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { of: one.of, unit: one.unit, series: [one] });
    else known.series.push(one);
  }
  return [...groups.values()].flatMap(({ of, unit, series }) =>
    Array.from({ length: Math.ceil(series.length / LINES_MAX) }, (_, at) => {
      return { of, unit, series: series.slice(at * LINES_MAX, (at + 1) * LINES_MAX) };
    }),
  );
}

/** `prefix` keeps the pictures of one section apart from those of another in the same document. */
export function resourcePictures(prefix: string, resources: readonly ResourceSeries[], seconds: number): Markup {
  const groups = groupsOf(resources.filter(({ points }) => points.length > 0));
  if (groups.length === 0) return html`<p>Nothing was read.</p>`;
  const end = Math.max(seconds, 1, ...groups.flatMap(({ series }) => series.map(({ points }) => points.at(-1)![0])));
  return html`<div class="small">${groups.map((group, at) => groupFigure(`${prefix}-${at}`, group, end))}</div>`;
}

function groupFigure(id: string, { of, unit, series }: Group, end: number): Markup {
  const stats = series.map(({ points }) => {
    const values = points.map(([, value]) => value);
    const highest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, highest };
  });
  const keys = series.map(
    ({ name }, at) =>
      html`<li>${lineKey(at)}${name} <span>mean ${valueText(stats[at]!.mean, unit)}, highest ${valueText(stats[at]!.highest, unit)}</span></li>`,
  );
  const most = Math.max(...stats.map(({ highest }) => highest));
  const desc = series.map(({ name }, at) => `${name}: mean ${valueText(stats[at]!.mean, unit)}.`).join(' ');
  return html`<figure><figcaption><b>${of}</b><span>${series.map(({ name }) => name).join(', ')}</span></figcaption>
${chart(id, `${of}, ${unit}`, desc, unit, series, end, most)}<ul class="keys">${keys}</ul></figure>`;
}

function chart(
  id: string,
  title: string,
  desc: string,
  unit: ResourceSeries['unit'],
  series: readonly ResourceSeries[],
  end: number,
  most: number,
): Markup {
  const ticks = roundTicks(unit === 'share' && most > 0.5 && most <= 1 ? 1 : most);
  const [x, y] = [linear(0, end, ...acrossOf(FRAME)), linear(0, ticks.at(-1)!, ...upOf(FRAME))];
  const labels = timeTicks(end).filter((_, at, all) => all.length <= 5 || at % 2 === 0);
  return svg(FRAME, id, title, desc, [
    leftAxisName(FRAME, unit === 'share' ? 'per cent' : unit),
    ...ticks.map((tick) => gridLine(FRAME, y(tick), unit === 'share' ? figureText(tick * 100) : figureText(tick))),
    ...series.map(
      ({ points }, at) =>
        html`<path class="s${at}" d="${linePath(thinned(points).map(([second, value]) => [x(second), y(value)]))}"/>`,
    ),
    belowAxis(
      FRAME,
      x,
      labels.map((tick) => [tick, clockText(tick)]),
      null,
    ),
  ]);
}

/** The axis says what of, but shares read oddly without. */
function valueText(value: number, unit: ResourceSeries['unit']): string {
  return unit === 'share' ? `${figureText(value * 100)} %` : figureText(value);
}
