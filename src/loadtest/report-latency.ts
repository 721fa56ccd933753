/** Pictures of how latencies are spread: over time, over calls, and over operations. */
import {
  acrossOf,
  apart,
  belowAxis,
  leftAxisName,
  linear,
  linePath,
  logarithmic,
  logTicks,
  roundTicks,
  type Scale,
  upOf,
} from '../html/chart.ts';
import { html, type Markup } from '../html/markup.ts';
import { type Frame, gridLine, round, svg } from '../html/picture.ts';
import { counted, plural } from '../html/words.ts';
import { callsOf, type Latencies, merged, quantileMs } from './distribution.ts';
import type { Slot } from './report-slots.ts';
import { endOf, rangeOf, timeAxis, WIDE } from './report-timeline.ts';
import { figureText, latencyText, latencyTick, OPERATION_WORDS } from './report-words.ts';
import { bucketFrom, type OperationResult } from './result.ts';

/** Rows of the heat map and bars of the histogram, so many to a doubling: each is 19 per cent above the one below. */
const BUCKETS_TOGETHER = 4;
const SHADES = 6;
const HALF: Frame = { width: 520, height: 270, left: 64, right: 20, top: 30, bottom: 44 };

/** Fewer and wider buckets, by their lowest latency in ms. */
function bars(latencies: Latencies): (readonly [row: number, calls: number])[] {
  return [...merged([latencies.map(([bucket, calls]) => [Math.floor(bucket / BUCKETS_TOGETHER), calls] as const)])];
}

function lowOf(row: number): number {
  return bucketFrom(row * BUCKETS_TOGETHER) / 1_000;
}

/** Logarithmic latency upwards, time to the right, and the more calls, the stronger the shade; null: nothing was answered. */
export function heatMap(slots: readonly Slot[]): Markup | null {
  const columns = slots.map(({ latencies, seconds }) => {
    return bars(latencies).map(([row, calls]) => [row, calls / seconds] as const);
  });
  const rows = columns.flatMap((column) => column.map(([row]) => row));
  if (rows.length === 0) return null;
  const end = endOf(slots);
  const frame = { ...WIDE, height: 340 };
  const [first, last] = [Math.min(...rows), Math.max(...rows) + 1];
  const y = logarithmic(lowOf(first), lowOf(last), ...upOf(frame));
  const x = linear(0, end, ...acrossOf(frame));
  const most = Math.max(...columns.flatMap((column) => column.map(([, calls]) => calls)));
  const cells = Array.from({ length: SHADES }, () => '');
  columns.forEach((column, at) => {
    const { at: from, seconds } = slots[at]!;
    const [left, right] = [round(x(from)), round(x(from + seconds))];
    for (const [row, calls] of column) {
      const [top, bottom] = [round(y(lowOf(row + 1))), round(y(lowOf(row)))];
      cells[shadeOf(calls, most)] += `M${left} ${top}H${right}V${bottom}H${left}Z`;
    }
  });
  const desc = `Latencies from ${latencyText(lowOf(first))} to ${latencyText(lowOf(last))} on a logarithmic axis; the fullest cell has ${figureText(most)} calls a second.`;
  return svg(frame, 'heat', 'Latencies over time: how many calls took how long', desc, [
    leftAxisName(frame, 'latency, logarithmic'),
    ...logTicks(lowOf(first), lowOf(last)).map((tick) => gridLine(frame, y(tick), latencyTick(tick))),
    ...cells.map((d, shade) => (d === '' ? null : html`<path class="cell l${shade + 1}" d="${d}"/>`)),
    heatLegend(frame, most),
    timeAxis(frame, x, end),
  ]);
}

/** 0 to below {@link SHADES}, by the logarithm: single slow calls must be seen beside thousands of fast ones. */
function shadeOf(calls: number, most: number): number {
  const least = Math.min(0.5, most / 2);
  const share = Math.log(Math.max(calls, least) / least) / Math.log(most / least);
  return Math.min(SHADES - 1, Math.floor(share * SHADES));
}

function heatLegend({ width, right, top }: Frame, most: number): Markup {
  const least = Math.min(0.5, most / 2);
  const x = width - right + 14;
  const keys = Array.from({ length: SHADES }, (_, at) => {
    const shade = SHADES - 1 - at;
    const from = least * (most / least) ** (shade / SHADES);
    const y = top + 22 + at * 20;
    return html`<rect class="cell l${shade + 1}" x="${x}" y="${y - 11}" width="18" height="14"/><text x="${x + 25}" y="${y}">${shade === 0 ? 'fewer' : `from ${figureText(Number(from.toPrecision(2)))}`}</text>`;
  });
  return html`<text class="axis" x="${x}" y="${top}">calls a second</text>${keys}`;
}

/** null: nothing was answered. */
export function histogram(latencies: Latencies): Markup | null {
  const counts = bars(latencies);
  const [first, last] = [counts[0]?.[0], counts.at(-1)?.[0]];
  if (first === undefined || last === undefined) return null;
  const x = logarithmic(lowOf(first), lowOf(last + 1), ...acrossOf(HALF));
  const ticks = roundTicks(Math.max(...counts.map(([, calls]) => calls)));
  const y = linear(0, ticks.at(-1)!, ...upOf(HALF));
  const base = y(0);
  const drawn = counts.map(([row, calls]) => {
    const [left, right] = [x(lowOf(row)), x(lowOf(row + 1))];
    const top = Math.min(y(calls), base - 1);
    return html`<rect class="plain" x="${round(left)}" y="${round(top)}" width="${round(Math.max(1, right - left - 1))}" height="${round(base - top)}"><title>${latencyText(lowOf(row))} to ${latencyText(lowOf(row + 1))}: ${plural(calls, 'call')}</title></rect>`;
  });
  const marked = (['p50', 'p99'] as const).map((name) => {
    const at = round(x(quantileMs(latencies, name === 'p50' ? 0.5 : 0.99)!));
    return html`<line class="mark" x1="${at}" x2="${at}" y1="${HALF.top - 4}" y2="${base}"/><text text-anchor="middle" x="${at}" y="${HALF.top - 9}">${name}</text>`;
  });
  const desc = `${plural(callsOf(latencies), 'call')} by how long they took, on a logarithmic axis; half took up to ${latencyText(quantileMs(latencies, 0.5))}.`;
  return svg(HALF, 'histogram', 'How many calls took how long', desc, [
    leftAxisName(HALF, 'calls'),
    ...ticks.map((tick) => gridLine(HALF, y(tick), figureText(tick))),
    ...drawn,
    ...marked,
    belowAxis(
      HALF,
      x,
      sparse(logTicks(lowOf(first), lowOf(last + 1))).map((tick) => [tick, latencyTick(tick)]),
      'latency, logarithmic',
    ),
  ]);
}

/** Labels below stand side by side: there is less room than at the left. */
function sparse(ticks: readonly number[]): readonly number[] {
  return ticks.length <= 6 ? ticks : ticks.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
}

export interface Curve {
  readonly name: string;
  readonly latencies: Latencies;
}

/** Pixels. */
const LABEL_WIDTH = 42;
const CURVE_TICKS = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999];

/** Each percentile with its latency, the rare ones with as much room as the common ones; null: nothing was answered. */
export function percentileCurve(id: string, curves: readonly Curve[], frame: Frame = HALF): Markup | null {
  const shown = curves.filter(({ latencies }) => callsOf(latencies) > 0);
  if (shown.length === 0) return null;
  const calls = Math.max(...shown.map(({ latencies }) => callsOf(latencies)));
  const points = shown.map(({ latencies }) => curvePoints(latencies));
  const [low, high] = rangeOf(points.flatMap((all) => all.map(([, ms]) => ms)));
  const x = logarithmic(1, Math.max(10, calls), ...acrossOf(frame));
  const y = logarithmic(low, high, ...upOf(frame));
  const ends = points.map((all) => y(all.at(-1)![1]));
  const names = apart(ends, 15, frame.top, frame.height - frame.bottom);
  const said = shown.map(({ name, latencies }) => {
    return `${name}: p50 ${latencyText(quantileMs(latencies, 0.5))}, p99 ${latencyText(quantileMs(latencies, 0.99))}, p99.9 ${latencyText(quantileMs(latencies, 0.999))}.`;
  });
  return svg(frame, id, 'Latency by percentile', said.join(' '), [
    leftAxisName(frame, 'latency, logarithmic'),
    ...logTicks(low, high).map((tick) => gridLine(frame, y(tick), latencyTick(tick))),
    ...points.map((all, at) => html`<path class="s${at}" d="${linePath(all.map(([q, ms]) => [x(q), y(ms)]))}"/>`),
    ...(shown.length === 1
      ? []
      : shown.map(
          ({ name }, at) =>
            html`<text class="t${at}" x="${frame.width - frame.right + 8}" y="${round(names[at]! + 4)}">${name}</text>`,
        )),
    belowAxis(
      frame,
      x,
      curveTicks(calls, x).map((q) => [1 / (1 - q), `${Number((q * 100).toFixed(4))} %`]),
      'share of calls that were no slower',
    ),
  ]);
}

/** Only those that have room beside the one before. */
function curveTicks(calls: number, x: Scale): number[] {
  const shown: number[] = [];
  for (const q of CURVE_TICKS.filter((one) => 1 / (1 - one) <= Math.max(10, calls))) {
    const before = shown.at(-1);
    if (before === undefined || x(1 / (1 - q)) - x(1 / (1 - before)) >= LABEL_WIDTH) shown.push(q);
  }
  return shown;
}

/** One over the share of calls that took longer, and the latency, ms. */
function curvePoints(latencies: Latencies): (readonly [number, number])[] {
  const calls = callsOf(latencies);
  let below = 0;
  return latencies.map(([bucket, count]) => {
    below += count;
    return [calls / Math.max(1, calls - below), bucketFrom(bucket + 1) / 1_000] as const;
  });
}

const ROW = 30;

/** From the median to the slowest call of each operation, on one logarithmic axis; null: nothing was answered. */
export function operationRanges(operations: readonly OperationResult[]): Markup | null {
  const rows = operations.flatMap(({ operation, latencyMs }) => (latencyMs === null ? [] : [{ operation, latencyMs }]));
  if (rows.length === 0) return null;
  const frame: Frame = { width: 1080, height: rows.length * ROW + 66, left: 150, right: 40, top: 22, bottom: 44 };
  const [low, high] = rangeOf(rows.flatMap(({ latencyMs: { p50, max } }) => [p50, max]));
  const x = logarithmic(low, high, ...acrossOf(frame));
  const ticks = logTicks(low, high);
  const base = frame.height - frame.bottom;
  const grid = ticks.map(
    (tick) => html`<line class="grid" x1="${round(x(tick))}" x2="${round(x(tick))}" y1="${frame.top}" y2="${base}"/>`,
  );
  const drawn = rows.map(({ operation, latencyMs: { p50, p99, p999, max } }, at) => {
    const y = frame.top + at * ROW + ROW / 2;
    const tick = (value: number, half: number) =>
      html`<line class="whisker" x1="${round(x(value))}" x2="${round(x(value))}" y1="${y - half}" y2="${y + half}"/>`;
    return html`<g><title>${OPERATION_WORDS[operation]}: p50 ${latencyText(p50)}, p99 ${latencyText(p99)}, p99.9 ${latencyText(p999)}, max ${latencyText(max)}</title><text text-anchor="end" x="${frame.left - 12}" y="${y + 4}">${OPERATION_WORDS[operation]}</text><line class="base" x1="${round(x(p50))}" x2="${round(x(max))}" y1="${y}" y2="${y}"/><rect class="plain" x="${round(x(p50))}" y="${y - 5}" width="${round(Math.max(1, x(p99) - x(p50)))}" height="10"/><circle class="round" cx="${round(x(p50))}" cy="${y}" r="4.5"/>${tick(p99, 8)}${tick(p999, 5)}${tick(max, 3)}</g>`;
  });
  const desc = `${plural(rows.length, 'operation')}; numbers are in the table below.`;
  return svg(frame, 'ranges', 'Latency of each operation', desc, [
    ...grid,
    ...drawn,
    belowAxis(
      frame,
      x,
      ticks.map((tick) => [tick, latencyTick(tick)]),
      'latency, logarithmic: ring p50, bar to p99, then ticks at p99.9 and the slowest call',
    ),
  ]);
}

/** Of all seconds, for those who do not see the picture. */
export function numbersOverTime(slots: readonly Slot[]): Markup {
  const every = Math.ceil(slots.length / 60);
  const rows = slots
    .filter((_, at) => at % every === 0)
    .map(({ at, seconds, arrivals, counts, latencyMs }) => {
      const cells = [
        figureText(arrivals / seconds),
        figureText((counts.ok + counts.declined) / seconds),
        counted(counts.refused + counts.failed + counts.unknown + counts.held_back),
        ...(['p50', 'p90', 'p99', 'p999', 'max'] as const).map((name) => latencyText(latencyMs?.[name] ?? null)),
      ];
      return html`<tr><th scope="row">${at} s</th>${cells.map((cell) => html`<td class="number">${cell}</td>`)}</tr>
`;
    });
  const head = ['Journeys a second', 'Answered a second', 'Errors', 'p50', 'p90', 'p99', 'p99.9', 'max'];
  return html`<details><summary>The numbers${every > 1 && `, every ${every * slots[0]!.seconds} seconds`}</summary><div class="scroll" role="region" tabindex="0" aria-label="The numbers over time"><table><thead><tr><th scope="col">At</th>${head.map((name) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead><tbody>
${rows}</tbody></table></div></details>`;
}
