/** JSON as Jackson writes and reads it, where that differs from what JavaScript does. */

const ESCAPE = /\\(?:u([0-9a-f]{4})|.)/g;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SPACE = /[ \t\r\n]*/y;

/** A string value: control characters with upper-case hex, half a surrogate pair as Java's UTF-8 has it. */
export function writeString(text: string): string {
  const json = JSON.stringify(text.replace(LONE_SURROGATE, '?'));
  return json.replace(ESCAPE, (escaped, hex?: string) => (hex === undefined ? escaped : `\\u${hex.toUpperCase()}`));
}

/**
 * The value that the text begins with, whatever comes after it.
 *
 * @returns The value, and where it ends in the text.
 * @throws SyntaxError when it begins with none
 */
export function readFirst(text: string, from = 0): { value: unknown; end: number } {
  SPACE.lastIndex = from;
  SPACE.exec(text);
  const start = SPACE.lastIndex;
  const end = endOf(text, start);
  return { value: JSON.parse(text.slice(start, end)), end };
}

/** Where the value ends if it is right; if it is not, the parser says so. */
function endOf(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') return /[ \t\r\n,\]}]|$/.exec(text.slice(start))!.index + start;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at) - 1;
    else if (character === '{' || character === '[') depth++;
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1;
  }
  return text.length;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}
