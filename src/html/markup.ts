/** HTML and SVG, written so that text cannot become markup. */

/** Text that is HTML already. Only {@link html} and what this code itself has written make it. */
export class Markup {
  constructor(readonly text: string) {}
}

type Value = string | number | bigint | Markup | null | false | readonly Value[];

/** Text goes in escaped, fit for elements and for attributes in double quotes; {@link Markup} as it is; nothing for null. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.reduce((text, part, at) => text + written(values[at - 1] ?? null) + part));
}

function written(value: Value): string {
  if (value === null || value === false) return '';
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(written).join('');
  return escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters, and those that turn the direction of writing, make a reader see what does not stand there. */
function escaped(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A table that is wider than the screen is moved to and fro, with the keyboard too. */
export function scrolled(label: string, table: Markup): Markup {
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${label}">${table}</div>`;
}
