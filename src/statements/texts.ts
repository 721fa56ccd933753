/** Texts of a file as they are kept: without control characters, and no longer than they may be. */

const REFERENCE_MAX = 140;
const TEXT_MAX = 1_000;

/** What a terminal or a log would obey: controls, line and paragraph separators, and marks that turn text around. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
const CONTROLS = new RegExp(`${CONTROL.source}+`, 'gu');

export function hasControls(text: string): boolean {
  return CONTROL.test(text);
}

/** Without spaces around it, and with a space for each run of control characters. */
function tidy(text: string): string {
  return (CONTROL.test(text) ? text.replace(CONTROLS, ' ') : text).trim();
}

/** The parts that say something, each once, as one text of at most 1,000 characters: it is for people, so it is cut. */
export function joinTexts(parts: readonly string[], separator = '; '): string {
  const said: string[] = [];
  for (const part of parts) {
    const text = tidy(part);
    if (text !== '' && !said.includes(text)) said.push(text);
  }
  const joined = said.length === 1 ? said[0]! : said.join(separator);
  if (joined.length <= TEXT_MAX) return joined;
  const last = joined.charCodeAt(TEXT_MAX - 1);
  return joined.slice(0, last >= 0xd800 && last <= 0xdbff ? TEXT_MAX - 1 : TEXT_MAX);
}

export function isTooLong(reference: string): boolean {
  return reference.length > REFERENCE_MAX;
}

/** An id or reference that a bank put in by itself: null when empty or longer than 140 characters, as a part of one is none. */
export function optionalReference(text: string | null): string | null {
  if (text === null) return null;
  const reference = tidy(text);
  return reference === '' || isTooLong(reference) ? null : reference;
}

/** What banks write where a reference must be and is none. */
const NONE: ReadonlySet<string> = new Set(['NOTPROVIDED', 'NONREF', 'NOTAVAILABLE']);

/** Those of the candidates that are references, each once, in their order. */
export function referencesOf(candidates: readonly (string | null)[]): string[] {
  const references: string[] = [];
  for (const candidate of candidates) {
    const reference = optionalReference(candidate);
    if (reference === null || NONE.has(reference.toUpperCase()) || references.includes(reference)) continue;
    references.push(reference);
  }
  return references;
}
