import type { Encoding } from './decoder.ts';
import { quoted, StatementError } from './statement.ts';

const MARK_BYTES = 3;
const DECLARATION_BYTES_MAX = 256;
const NAMES: Readonly<Record<string, Encoding>> = {
  'utf-8': 'utf-8',
  'us-ascii': 'utf-8',
  'iso-8859-1': 'iso-8859-1',
  'iso-8859-15': 'iso-8859-15',
  'windows-1252': 'windows-1252',
};

/**
 * Encoding of an XML file by its byte order mark or its declaration.
 *
 * @param isAll are these all of its bytes?
 * @returns null when more bytes are needed
 */
export function xmlEncoding(head: Buffer, isAll: boolean): Encoding | null {
  if (head.length < MARK_BYTES && !isAll) return null;
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return 'utf-8';
  const text = head.toString('latin1', 0, DECLARATION_BYTES_MAX);
  const end = text.indexOf('?>');
  if (end === -1 && !isAll && text.length < DECLARATION_BYTES_MAX && '<?xml'.startsWith(text.slice(0, 5))) return null;
  if (!text.startsWith('<?xml')) return 'utf-8';
  const name = /\sencoding\s*=\s*["']([^"']*)["']/.exec(end === -1 ? text : text.slice(0, end))?.[1] ?? 'utf-8';
  const encoding = NAMES[name.toLowerCase()];
  if (encoding !== undefined) return encoding;
  throw new StatementError(
    `the XML is said to be ${quoted(name)}; what is read is ${Object.keys(NAMES).join(', ')}, and UTF-16 with a byte order mark`,
    1,
  );
}
