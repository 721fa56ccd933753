/** What pictures are made of: SVG that needs no script, with a title and a description for those who do not see it. */
import { html, type Markup } from './markup.ts';

/** Of the whole picture, and what is left around the plot for axes; pixels. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** `id` must be the only one in the document: title and description are found by it. */
export function svg(
  { width, height }: Frame,
  id: string,
  title: string,
  desc: string,
  parts: readonly (Markup | null)[],
): Markup {
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${title}</title><desc id="${id}-desc">${desc}</desc>
${parts}
</svg>`;
}

/** With its label to the left. */
export function gridLine({ width, left, right }: Frame, y: number, label: string): Markup {
  return html`<line class="grid" x1="${left}" x2="${width - right}" y1="${round(y)}" y2="${round(y)}"/><text class="axis" text-anchor="end" x="${left - 8}" y="${round(y + 4)}">${label}</text>`;
}

/** Round numbers from 0 until past `most`, four to six of them where there are so many whole ones. */
export function ticksUpTo(most: number): { ticks: number[]; top: number } {
  const rough = Math.max(1, most / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough)!);
  const ticks = Array.from({ length: Math.max(1, Math.ceil(most / step)) + 1 }, (_, at) => at * step);
  return { ticks, top: ticks.at(-1)! };
}

export function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}

/** Of coordinates: a tenth of a pixel is not seen. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
