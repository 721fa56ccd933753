import { Buffer } from 'node:buffer';

export const STATEMENT_FORMATS = ['camt053', 'mt940', 'csv', 'psp'] as const;
export type StatementFormat = (typeof STATEMENT_FORMATS)[number];

const HEAD_BYTES = 4_096;
const DELIMITERS = [',', ';', '\t', '|'];

/**
 * The format of a file by its first bytes (4 KiB are enough); null: none that is known.
 *
 * Of CSV only that it is CSV: its mapping must be known from elsewhere. A table with columns of gross, fee and net is a
 * settlement report.
 */
export function detectFormat(head: Uint8Array): StatementFormat | null {
  const text = textOf(Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, HEAD_BYTES)));
  if (text.startsWith('<')) return text.includes('camt.053.') ? 'camt053' : null;
  if (/^\{1:[^}]*\}\{2:[IO]940/.test(text) || /^\{4:\s*:20:/.test(text)) return 'mt940';
  if (/^(?:[^:\r\n]*\r?\n){0,5}:20:/.test(text) && /^:(?:25P?|28C?|60[FM]):/m.test(text)) return 'mt940';
  return tableFormat(text);
}

function textOf(head: Buffer): string {
  const isLittle = head[0] === 0xff && head[1] === 0xfe;
  const isBig = head[0] === 0xfe && head[1] === 0xff;
  const text =
    isLittle || isBig ? new TextDecoder(isBig ? 'utf-16be' : 'utf-16le').decode(head) : head.toString('latin1');
  return text.replace(/^(?:\u00ef\u00bb\u00bf|\ufeff)?\s*/, '');
}

/** A table has a line of three names or more, with the same mark between them. */
function tableFormat(text: string): 'csv' | 'psp' | null {
  for (const line of text.split(/\r?\n/, 20)) {
    const names = DELIMITERS.map((delimiter) => line.split(delimiter)).reduce((a, b) => (b.length > a.length ? b : a));
    if (names.length < 3) continue;
    const columns = new Set(names.map((name) => name.replaceAll('"', '').trim().toLowerCase()));
    if (/\p{Cc}/u.test(line.replaceAll('\t', ''))) return null;
    return ['gross', 'fee', 'net'].every((column) => columns.has(column)) ? 'psp' : 'csv';
  }
  return null;
}
