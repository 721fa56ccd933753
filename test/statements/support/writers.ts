/**
 * Writers of each format, by the rules of the formats and not by those of the readers: for round trips, and for large
 * files, which is why they are generators.
 */
import { minorUnitDigits } from '../../../src/ledger/currencies.ts';
import { dayText } from '../../../src/statements/statement.ts';
import type { StatementLine } from '../../../src/statements/types.ts';

/** A line to write; in camt.053 and MT940 each has a direction. */
export type WrittenLine = Omit<StatementLine, 'line' | 'statement' | 'count'>;

export interface BankOptions {
  /** Signed minor units. Default 0. */
  readonly opening?: bigint;
  /** Default: of the lines, which are gone through twice for it; null: not written (camt.053 only). */
  readonly closing?: bigint | null;
  readonly currency?: string;
  readonly account?: string;
  readonly id?: string;
}

export interface CamtOptions extends BankOptions {
  /** 2 to 13; default 8. */
  readonly version?: number;
}

export interface Mt940Options extends BankOptions {
  /** How `:86:` is written. Default `plain`. */
  readonly style?: 'plain' | 'structured' | 'slash';
  /** With `{1:…}{4:` and `-}`? Default true. */
  readonly isInBlocks?: boolean;
  /** Lines of a page (`:62M:`, `:60M:`). Default: one page. */
  readonly linesOfPage?: number;
}

export function major(amount: bigint, currency: string, mark = '.'): string {
  const digits = minorUnitDigits(currency);
  const [sign, text] = amount < 0n ? ['-', `${-amount}`] : ['', `${amount}`];
  if (digits === 0) return sign + text;
  const padded = text.padStart(digits + 1, '0');
  return `${sign}${padded.slice(0, -digits)}${mark}${padded.slice(-digits)}`;
}

/** What a line moves on the account: the fee is taken off whichever way it goes. */
export function movement(line: Pick<WrittenLine, 'amount' | 'fee' | 'direction'>): bigint {
  return (line.direction === 'out' ? -line.amount : line.amount) - line.fee;
}

function closingOf(lines: Iterable<WrittenLine>, options: BankOptions): bigint | null {
  if (options.closing !== undefined) return options.closing;
  let closing = options.opening ?? 0n;
  for (const line of lines) closing += movement(line);
  return closing;
}

const XML_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const xml = (text: string) => text.replace(/[&<>]/g, (character) => XML_ESCAPES[character]!);
const element = (name: string, text: string | null | undefined) => (text ? `<${name}>${xml(text)}</${name}>` : '');

/** Consecutive lines of the same batch are one entry, the transactions of which come to its amount. */
export function* writeCamt053(lines: Iterable<WrittenLine>, options: CamtOptions = {}): Generator<string> {
  const { version = 8, currency = 'EUR', opening = 0n, account = 'DE89370400440532013000', id = 'STMT-1' } = options;
  const closing = closingOf(lines, options);
  const balance = (code: string, amount: bigint) =>
    `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp><Amt Ccy="${currency}">${major(amount < 0n ? -amount : amount, currency)}</Amt>` +
    `<CdtDbtInd>${amount < 0n ? 'DBIT' : 'CRDT'}</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>\n`;
  yield '<?xml version="1.0" encoding="UTF-8"?>\n';
  yield `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.${`${version}`.padStart(2, '0')}">\n<BkToCstmrStmt>\n`;
  yield '<GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-01-31T23:55:00+01:00</CreDtTm></GrpHdr>\n<Stmt>\n';
  yield `<Id>${xml(id)}</Id><Acct><Id><IBAN>${account}</IBAN></Id><Ccy>${currency}</Ccy></Acct>\n`;
  yield balance('OPBD', opening);
  if (closing !== null) yield balance('CLBD', closing);
  let group: WrittenLine[] = [];
  for (const line of lines) {
    if (group.length > 0 && (line.batch === null || line.batch !== group[0]!.batch)) {
      yield entry(group, version);
      group = [];
    }
    group.push(line);
  }
  if (group.length > 0) yield entry(group, version);
  yield '</Stmt>\n</BkToCstmrStmt>\n</Document>\n';
}

function entry(lines: readonly WrittenLine[], version: number): string {
  const first = lines[0]!;
  const total = lines.reduce((sum, line) => sum + movement(line), 0n);
  const [amount, mark] = total < 0n ? [-total, 'DBIT'] : [total, 'CRDT'];
  const single = first.batch === null;
  return (
    `<Ntry>\n  <Amt Ccy="${first.currency}">${major(amount, first.currency)}</Amt>\n  <CdtDbtInd>${mark}</CdtDbtInd>\n` +
    (first.isReversal ? '  <RvslInd>true</RvslInd>\n' : '') +
    `  <Sts>${version === 2 ? 'BOOK' : '<Cd>BOOK</Cd>'}</Sts>\n  <BookgDt><Dt>${dayText(first.day)}</Dt></BookgDt>\n` +
    (first.valueDay === null ? '' : `  <ValDt><Dt>${dayText(first.valueDay)}</Dt></ValDt>\n`) +
    (single && first.id !== null ? `  ${element('AcctSvcrRef', first.id)}\n` : '') +
    '  <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>\n' +
    '  <NtryDtls>\n' +
    (single ? '' : `    <Btch><PmtInfId>${xml(first.batch!)}</PmtInfId><NbOfTxs>${lines.length}</NbOfTxs></Btch>\n`) +
    `${lines.map((line) => transaction(line, single, version)).join('')}  </NtryDtls>\n</Ntry>\n`
  );
}

function transaction(line: WrittenLine, single: boolean, version: number): string {
  const [endToEnd, txId, instrId] = line.references.filter((reference) => reference !== line.id);
  const gross = `<Amt Ccy="${line.currency}">${major(line.amount, line.currency)}</Amt>`;
  const mark = `<CdtDbtInd>${line.direction === 'out' ? 'DBIT' : 'CRDT'}</CdtDbtInd>`;
  const charge = `<Amt Ccy="${line.currency}">${major(line.fee, line.currency)}</Amt><CdtDbtInd>DBIT</CdtDbtInd>`;
  return (
    '    <TxDtls>\n      <Refs>' +
    (single ? '' : element('AcctSvcrRef', line.id)) +
    element('InstrId', instrId) +
    `${element('EndToEndId', endToEnd ?? 'NOTPROVIDED')}${element('TxId', txId)}</Refs>\n      ` +
    (version === 2 ? `<AmtDtls><TxAmt>${gross}</TxAmt></AmtDtls>` : `${gross}${mark}`) +
    (line.fee === 0n
      ? ''
      : version === 2
        ? `<Chrgs>${charge}</Chrgs>`
        : `<Chrgs><Rcrd>${charge}<ChrgInclInd>true</ChrgInclInd></Rcrd></Chrgs>`) +
    `\n      <RltdPties><DbtrAcct><Id><IBAN>DE02120300000000202051</IBAN></Id></DbtrAcct></RltdPties>\n` +
    (line.text === '' ? '' : `      <RmtInf>${element('Ustrd', line.text)}</RmtInf>\n`) +
    '      <RltdAgts><DbtrAgt><FinInstnId><BICFI>BYLADEM1001</BICFI></FinInstnId></DbtrAgt></RltdAgts>\n' +
    '      <Purp><Cd>OTHR</Cd></Purp>\n      <RltdDts><AccptncDtTm>2026-01-30T10:15:00</AccptncDtTm></RltdDts>\n' +
    '    </TxDtls>\n'
  );
}

/** One statement. References of up to 16 characters of the SWIFT set but for slashes; no fees and no batches. */
export function* writeMt940(lines: Iterable<WrittenLine>, options: Mt940Options = {}): Generator<string> {
  const { currency = 'EUR', opening = 0n, account = 'DE89370400440532013000', id = '1', isInBlocks = true } = options;
  const balance = (tag: string, amount: bigint) =>
    `:${tag}:${amount < 0n ? 'D' : 'C'}260131${currency}${amountOf(amount < 0n ? -amount : amount, currency)}\r\n`;
  const begin = (page: number) =>
    `${isInBlocks ? '{1:F01TESTDEFFAXXX0000000000}{2:I940TESTDEFFXXXXN}{4:\r\n' : ''}:20:PAGE${page}\r\n:25:${account}\r\n:28C:${id}/${page}\r\n`;
  const end = isInBlocks ? '-}\r\n' : '-\r\n';
  let page = 1;
  let onPage = 0;
  let sum = opening;
  yield begin(page) + balance('60F', opening);
  for (const line of lines) {
    if (onPage === options.linesOfPage) {
      yield balance('62M', sum) + end + begin(++page) + balance('60M', sum);
      onPage = 0;
    }
    onPage++;
    sum += movement(line);
    yield booking(line) + information(line, options.style ?? 'plain');
  }
  yield balance('62F', options.closing ?? sum) + end;
}

/** The decimal comma is always there. */
function amountOf(amount: bigint, currency: string): string {
  return minorUnitDigits(currency) === 0 ? `${amount},` : major(amount, currency, ',');
}

function booking(line: WrittenLine): string {
  const day = (value: number) => dayText(value).replaceAll('-', '').slice(2);
  const isIn = line.direction === 'in';
  const mark = line.isReversal ? (isIn ? 'RD' : 'RC') : isIn ? 'C' : 'D';
  const customer = line.references.filter((reference) => reference !== line.id).at(-1) ?? 'NONREF';
  return (
    `:61:${day(line.valueDay ?? line.day)}${day(line.day).slice(2)}${mark}${amountOf(line.amount, line.currency)}NTRF${customer}` +
    `${line.id === null ? '' : `//${line.id}`}\r\n`
  );
}

function information(line: WrittenLine, style: 'plain' | 'structured' | 'slash'): string {
  const endToEnd = line.references.filter((reference) => reference !== line.id)[0] ?? 'NOTPROVIDED';
  if (style === 'plain') return line.text === '' ? '' : `:86:${wrapped(line.text)}`;
  if (style === 'slash') return `:86:${wrapped(`/TRTP/SEPA/EREF/${endToEnd}/REMI/${line.text}`)}`;
  const parts = [...cut(`EREF+${endToEnd}`, 27), ...cut(`SVWZ+${line.text}`, 27)];
  return `:86:${wrapped(`166${parts.map((part, i) => `?${20 + i}${part}`).join('')}`)}`;
}

function cut(text: string, length: number): string[] {
  return text.match(new RegExp(`.{1,${length}}`, 'gs')) ?? [];
}

/** Lines of 65 characters, none of which begins like a field or the end of a message. */
function wrapped(text: string): string {
  return cut(text, 61)
    .map((part) => `${part}\r\n`)
    .join('');
}

export interface CsvOptions {
  readonly delimiter?: string;
  /** Is every field in quotes? Else those that need it. */
  readonly isQuoted?: boolean;
  readonly lineEnd?: string;
}

/** Columns reference, amount, currency, date, id and description. */
export function* writeCsv(lines: Iterable<WrittenLine>, options: CsvOptions = {}): Generator<string> {
  yield record(['reference', 'amount', 'currency', 'date', 'id', 'description'], options);
  for (const line of lines) {
    const { references, amount, currency, day, id, text } = line;
    yield record([references[0] ?? '', major(amount, currency), currency, dayText(day), id ?? '', text], options);
  }
}

/** Columns of a settlement report; a payout row after the last line of each payout. */
export function* writePsp(lines: Iterable<WrittenLine>, options: CsvOptions = {}): Generator<string> {
  yield record(
    ['type', 'reference', 'id', 'gross', 'fee', 'net', 'currency', 'date', 'payout', 'description'],
    options,
  );
  let last: WrittenLine | null = null;
  let sum = 0n;
  const payout = (of: WrittenLine) =>
    record(
      [
        'payout',
        '',
        '',
        major(-sum, of.currency),
        '0',
        major(-sum, of.currency),
        of.currency,
        dayText(of.day),
        of.batch!,
        '',
      ],
      options,
    );
  for (const line of lines) {
    if (last !== null && last.batch !== null && last.batch !== line.batch) yield payout(last);
    if (last?.batch !== line.batch) sum = 0n;
    const { references, amount, fee, currency, day, id, text, batch, direction } = line;
    const gross = direction === 'out' ? -amount : amount;
    const type = line.isReversal ? 'refund' : direction === 'out' ? 'adjustment' : 'charge';
    const [grossText, feeText, netText] = [gross, fee, gross - fee].map((value) => major(value, currency));
    yield record(
      [type, references[0] ?? '', id ?? '', grossText!, feeText!, netText!, currency, dayText(day), batch ?? '', text],
      options,
    );
    sum += gross - fee;
    last = line;
  }
  if (last !== null && last.batch !== null) yield payout(last);
}

function record(fields: readonly string[], { delimiter = ',', isQuoted = false, lineEnd = '\n' }: CsvOptions): string {
  const needsQuotes = (field: string) => isQuoted || field.includes(delimiter) || /["\r\n]/.test(field);
  const written = fields.map((field) => (needsQuotes(field) ? `"${field.replaceAll('"', '""')}"` : field));
  return written.join(delimiter) + lineEnd;
}

/** Many lines that look like those of a shop, the same ones each time. Each batch has 100 of them. */
export function* sampleLines(count: number, hasBatches = false): Generator<WrittenLine> {
  for (let i = 1; i <= count; i++) {
    const isRefund = i % 50 === 0;
    const id = `2026013100${i}`;
    const reference = `INV-2026-${i}`;
    yield {
      day: 20_454 + (i % 31),
      valueDay: 20_454 + (i % 31),
      amount: BigInt(100 + (i % 100_000)),
      currency: 'EUR',
      direction: isRefund ? 'out' : 'in',
      fee: 0n,
      references: [reference, id],
      text: `Invoice ${i} of January, thank you`,
      id,
      batch: hasBatches ? `PO-${Math.ceil(i / 100)}` : null,
      isReversal: isRefund,
    };
  }
}
