import { decodedText } from './mt940-lines.ts';
import { joinTexts } from './texts.ts';

/** What field `:86:` says about the line before it, in whichever of the three ways it is written. */
export interface Information {
  /** The most telling first. */
  readonly references: readonly string[];
  /** A mandate, which many payments share. */
  readonly mandate: string | null;
  readonly text: string;
}

/** `166?00SEPA CREDIT?20EREF+…`: a code of three digits, then subfields of two. */
const STRUCTURED = /^\d{3}([?<^~])(?=\d{2})/;
const SUBFIELD_LENGTH = 27;
const PLUS_KEYWORD = /(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|BREF|RREF|IBAN|BIC|PURP)\+/;
const SLASH_KEYWORD =
  /\/(EREF|KREF|PREF|RREF|MARF|CSID|REMI|NAME|TRTP|IBAN|BIC|ORDP|BENM|CNTP|ISDT|TRCD|PURP|RTRN|ULTD|ULTB|ULTC|SVCL|ADDR|ID|OCMT|CHGS|EXCH|INIT|MREF)(?=\/)/;

/** @param lines of the field, without line ends, not decoded yet: a line may end within a character */
export function informationOf(lines: readonly string[]): Information {
  const joined = decodedText(lines.join(''));
  const mark = STRUCTURED.exec(joined)?.[1];
  if (mark !== undefined) return subfields(joined.slice(3), mark);
  if (SLASH_KEYWORD.test(joined)) return slashes(joined);
  return { references: [], mandate: null, text: joinTexts(lines.map(decodedText), ' ') };
}

function subfields(text: string, mark: string): Information {
  let remittance = '';
  let name = '';
  let booking = '';
  for (const part of text.split(mark)) {
    const code = part.slice(0, 2);
    const value = part.slice(2);
    if (code === '00') booking = value;
    else if (code === '32' || code === '33') name += value;
    // A subfield that is not full ends where the text had a space or a line end.
    else if (/^(?:2\d|6[0-3])$/.test(code)) remittance += value.length < SUBFIELD_LENGTH ? `${value} ` : value;
  }
  const [before, ...rest] = remittance.split(PLUS_KEYWORD);
  const words = wordsOf(rest);
  return {
    references: found(words, ['EREF', 'KREF', 'BREF', 'RREF']),
    mandate: words.get('MREF') ?? null,
    text: joinTexts([before ?? '', words.get('SVWZ') ?? '', name, booking]),
  };
}

function slashes(text: string): Information {
  const [before, ...rest] = text.split(SLASH_KEYWORD);
  const words = wordsOf(rest.map((part) => part.replace(/^\/|\/$/g, '')));
  const remittance = words.get('REMI') ?? '';
  // `/REMI/STRD/CUR/<creditor reference>` and `/REMI/USTD//<text>`.
  const creditorReference = /^STRD\/(?:CUR|ISO)\/([^/]+)/.exec(remittance)?.[1];
  return {
    references: found(words, ['EREF', 'KREF']).concat(creditorReference ?? [], found(words, ['PREF', 'RREF'])),
    mandate: words.get('MARF') ?? words.get('MREF') ?? null,
    text: joinTexts([
      before ?? '',
      remittance.replace(/^(?:USTD\/\/|STRD\/(?:CUR|ISO)\/)/, ''),
      words.get('NAME') ?? '',
    ]),
  };
}

/** Keywords and what follows each, by turns: the first of each keyword. */
function wordsOf(parts: readonly string[]): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const value = parts[i + 1]!.trim();
    if (value !== '' && !words.has(parts[i]!)) words.set(parts[i]!, value);
  }
  return words;
}

function found(words: ReadonlyMap<string, string>, keywords: readonly string[]): string[] {
  return keywords.map((keyword) => words.get(keyword)).filter((word) => word !== undefined);
}
