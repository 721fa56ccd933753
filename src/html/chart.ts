/** Axes, lines and areas of charts, in the pixels of their frame. */
import { html, type Markup } from './markup.ts';
import { type Frame, round } from './picture.ts';

/** From a value to its place. */
export type Scale = (value: number) => number;

/** From `low` at `start` to `high` at `end`; pixels. */
export function linear(low: number, high: number, start: number, end: number): Scale {
  const span = high - low || 1;
  return (value) => start + ((value - low) / span) * (end - start);
}

/** As {@link linear}, of logarithms; what is below `low` is drawn at `low`. */
export function logarithmic(low: number, high: number, start: number, end: number): Scale {
  const scale = linear(Math.log(low), Math.log(high), start, end);
  return (value) => scale(Math.log(Math.max(low, value)));
}

/** Across the plot of a frame. */
export function acrossOf(frame: Frame): [start: number, end: number] {
  return [frame.left, frame.width - frame.right];
}

/** Up the plot of a frame. */
export function upOf(frame: Frame): [start: number, end: number] {
  return [frame.height - frame.bottom, frame.top];
}

/** Round numbers from 0 until `most` or just past it, three to six; fractions too. */
export function roundTicks(most: number): readonly number[] {
  if (!(most > 0)) return [0, 1];
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= most / 4 - 1e-12)!;
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
}

const LABELS_MAX = 8;

/** For a logarithmic axis that shows from `low` to `high`: 1, 2 and 5 of each power of ten, or fewer where they are many. */
export function logTicks(low: number, high: number): readonly number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: to - from + 1 }, (_, at) => from + at);
  const shown = (times: readonly number[]) =>
    powers
      .flatMap((power) => times.map((one) => Number((one * 10 ** power).toPrecision(3))))
      .filter((tick) => tick >= low && tick <= high);
  const fine = shown([1, 2, 5]);
  return fine.length <= LABELS_MAX ? fine : shown([1]);
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

/** Whole seconds, minutes or hours from 0 to `seconds`. */
export function timeTicks(seconds: number): readonly number[] {
  const step = TIME_STEPS.find((size) => seconds / size <= LABELS_MAX) ?? 86_400;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, at) => at * step);
}

/** `0:05`, `12:30`, `1:00:00` */
export function clockText(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
  const end = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${end}` : `${minutes}:${end}`;
}

/** Labels below the plot, each with a short line up to it, and what the axis is of. */
export function belowAxis(
  frame: Frame,
  x: Scale,
  labels: readonly (readonly [at: number, label: string])[],
  what: string | null,
): Markup {
  const base = frame.height - frame.bottom;
  const [start, end] = acrossOf(frame);
  return html`<line class="base" x1="${start}" x2="${end}" y1="${base}" y2="${base}"/>${labels.map(
    ([at, label]) =>
      html`<line class="base" x1="${round(x(at))}" x2="${round(x(at))}" y1="${base}" y2="${base + 4}"/><text class="axis" text-anchor="middle" x="${round(x(at))}" y="${base + 17}">${label}</text>`,
  )}${what !== null && html`<text class="axis" text-anchor="middle" x="${(start + end) / 2}" y="${base + 36}">${what}</text>`}`;
}

/** What the axis at the left is of, above it. */
export function leftAxisName(frame: Frame, name: string): Markup {
  return html`<text class="axis" x="0" y="${Math.max(12, frame.top - 10)}">${name}</text>`;
}

type Point = readonly [x: number, y: number];

/** Pixels. */
const ALONE = 8;

/** Through points; interrupted where there is none. A point alone is a short line. */
export function linePath(points: readonly (Point | null)[]): string {
  let d = '';
  points.forEach((point, at) => {
    if (point === null) return;
    const isFirst = (points[at - 1] ?? null) === null;
    const isAlone = isFirst && (points[at + 1] ?? null) === null;
    d += `${isFirst ? 'M' : 'L'}${round(point[0] - (isAlone ? ALONE / 2 : 0))} ${round(point[1])}${isAlone ? `h${ALONE}` : ''}`;
  });
  return d;
}

/** Bars that touch each other, from `low` up to `high`, as one area. */
export function stepArea(
  bars: readonly { readonly from: number; readonly to: number; readonly low: number; readonly high: number }[],
): string {
  const [first] = bars;
  if (first === undefined) return '';
  const over = bars.map(({ from, to, high }) => `L${round(from)} ${round(high)}H${round(to)}`).join('');
  const back = bars.toReversed().map(({ from, to, low }) => `L${round(to)} ${round(low)}H${round(from)}`);
  return `M${round(first.from)} ${round(first.low)}${over}${back.join('')}Z`;
}

/** Moves labels apart so that none covers another, and keeps them between `top` and `bottom`. In the given order. */
export function apart(places: readonly number[], gap: number, top: number, bottom: number): number[] {
  const order = places.map((_, at) => at).sort((a, b) => places[a]! - places[b]!);
  const moved = [...places];
  let least = top;
  for (const at of order) {
    moved[at] = Math.max(moved[at]!, least);
    least = moved[at]! + gap;
  }
  let most = bottom;
  for (const at of order.toReversed()) {
    moved[at] = Math.min(moved[at]!, most);
    most = moved[at]! - gap;
  }
  return moved;
}
