import { describe, expect, test } from 'vitest';
import { brief, failure, fixture, readAll } from './support/read.ts';

const VERSIONS = Array.from({ length: 12 }, (_, i) => i + 2);
const file = (version: number) => fixture(`camt053-v${`${version}`.padStart(2, '0')}.xml`).toString();

/** Of `camt053-v08.xml`, checked by hand. */
const LINES = [
  '27: 2026-01-30 value 2026-01-31 in 25000 EUR [INV-2026-0001 8a562c67-ca16-48ba-b074-65581be6f001 BANK-0001 MANDATE-7] "Invoice 1 of January; Agnes Müller & Co" id=BANK-0001',
  '50: 2026-01-30 out 8050 EUR [RF18539007547034 TX-2 INSTR-2 BANK-0002] "Papier Nord AG; SEPA transfer" id=BANK-0002',
  '83: 2026-01-31 in 12000 EUR [INV-2026-0002 BANK-0003-1] "" id=BANK-0003-1 batch=COLLECT-31',
  '88: 2026-01-31 in 18000 EUR [INV-2026-0003 BANK-0003-2] "" id=BANK-0003-2 batch=COLLECT-31',
  '95: 2026-01-31 out 45000 EUR [SALARY-01-A SALARY-01 BANK-0004] "Salaries" id=BANK-0004 batch=SALARY-01-A count=3',
  '107: 2026-01-31 in 8050 EUR [BANK-0005] "Return of BANK-0002" id=BANK-0005 reversal',
  '117: 2026-01-31 in 10000 fee 100 EUR [INV-2026-0004 BANK-0006] "" id=BANK-0006',
  '156: 2026-01-31 value 2026-01-31 in 1200 JPY [] "" id=JP-1 statement=1',
];
const STATEMENTS = [
  {
    id: 'STMT-2026-017',
    account: 'DE89370400440532013000',
    currency: 'EUR',
    from: 20_483,
    to: 20_484,
    opening: 100_000n,
    closing: 119_900n,
    lines: 7,
  },
  {
    id: 'STMT-2026-018',
    account: '0532013001',
    currency: 'JPY',
    from: 20_484,
    to: 20_484,
    opening: -500n,
    closing: 700n,
    lines: 1,
  },
];

/** A statement of one entry. */
const entry = (inner: string, outer = '', amount = '12.00', version = '08') =>
  `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.${version}"><BkToCstmrStmt><Stmt><Id>1</Id>${outer}
<Ntry><Amt Ccy="EUR">${amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-01-31</Dt></BookgDt>${inner}</Ntry>
</Stmt></BkToCstmrStmt></Document>`;
const details = (...inner: string[]) => `<NtryDtls>${inner.map((of) => `<TxDtls>${of}</TxDtls>`).join('')}</NtryDtls>`;
const of = async (xml: string) => (await readAll('camt053', xml)).lines.map((line) => brief(line).slice(14));

describe('camt.053 is read', () => {
  test.each(VERSIONS)('in version %i: batches, reversals, charges, and several statements a file', async (version) => {
    const { lines, statements } = await readAll('camt053', file(version));
    const expected =
      version < 8 ? LINES.map((line) => line.replace(' 8a562c67-ca16-48ba-b074-65581be6f001', '')) : LINES;
    const withoutNumber = (line: string) => line.replace(/^\d+: /, '');
    expect(lines.map(brief).map(withoutNumber)).toEqual(expected.map(withoutNumber));
    expect(statements).toEqual(STATEMENTS);
  });

  test('with the line of the file on which each entry or transaction begins', async () => {
    expect((await readAll('camt053', file(8))).lines.map(brief)).toEqual(LINES);
  });

  test('with prefixes, elements of other namespaces, CDATA and ISO-8859-1', async () => {
    const { lines } = await readAll('camt053', fixture('camt053-prefix-latin1.xml'));
    expect(lines.map(brief)).toEqual(['4: 2026-01-31 out 1200 DKK [] "Smørrebrød & kaffe"']);
  });

  test('in UTF-16 and in UTF-8 with a byte order mark', async () => {
    const xml = file(8).replace(' encoding="UTF-8"', '');
    const little = Buffer.from(`\uFEFF${xml}`, 'utf16le');
    for (const bytes of [little, Buffer.from(little).swap16(), Buffer.from(`\uFEFF${xml}`)]) {
      expect((await readAll('camt053', bytes)).lines.map(brief)).toEqual(LINES);
    }
  });

  test('with no lines for entries of zero', async () => {
    expect(await of(entry('', '', '0.00'))).toEqual([]);
  });
});

describe('a batch of camt.053', () => {
  const amount = (text: string, mark = 'CRDT') => `<Amt Ccy="EUR">${text}</Amt><CdtDbtInd>${mark}</CdtDbtInd>`;
  const charge = (text: string, included = '') =>
    `<Chrgs><Rcrd><Amt Ccy="EUR">${text}</Amt><CdtDbtInd>DBIT</CdtDbtInd>${included}</Rcrd></Chrgs>`;
  const INCLUDED = '<ChrgInclInd>true</ChrgInclInd>';

  test.each<[string, string, string[]]>([
    [
      'is told apart when its transactions come to it',
      details(amount('5.00'), amount('7.00')),
      ['in 500 EUR', 'in 700 EUR'],
    ],
    ['may hold returns', details(amount('15.00'), amount('3.00', 'DBIT')), ['in 1500 EUR', 'out 300 EUR']],
    ['is one line when they do not', details(amount('5.00'), amount('6.00')), ['in 1200 EUR count=2']],
    [
      'is one line when they are of another currency',
      details(amount('5.00'), '<Amt Ccy="USD">7.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'),
      ['in 1200 EUR count=2'],
    ],
    ['is one line when one has no amount', details(amount('12.00'), ''), ['in 1200 EUR count=2']],
    [
      'has the charges of each transaction as its fee, when they explain the difference',
      details(amount('5.50') + charge('0.50'), amount('7.25') + charge('0.25')),
      ['in 550 fee 50 EUR', 'in 725 fee 25 EUR'],
    ],
    [
      'has a line for charges of all of it, when they explain the difference',
      charge('1.00') + details(amount('5.50'), amount('7.50')),
      ['in 550 EUR', 'in 750 EUR', 'out 100 EUR'],
    ],
    [
      'has amounts before charges that are said to be taken off already',
      details(amount('5.00') + charge('0.50', INCLUDED), amount('7.00')),
      ['in 550 fee 50 EUR', 'in 700 EUR'],
    ],
  ])('%s', async (_name, inner, expected) => {
    const short = (line: string) => line.replace(/ \[.*\] ".*"/, '');
    expect((await of(entry(inner))).map(short)).toEqual(expected);
  });

  test('has the id of the booking when it has none of its own', async () => {
    const lines = await of(entry(`<AcctSvcrRef>BOOKING</AcctSvcrRef>${details(amount('5.00'), amount('7.00'))}`));
    expect(lines).toEqual(['in 500 EUR [] "" batch=BOOKING', 'in 700 EUR [] "" batch=BOOKING']);
  });
});

describe('charges of a camt.053 entry are its fee', () => {
  const charge = (included: string, mark = 'DBIT') =>
    `<Chrgs><Rcrd><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>${mark}</CdtDbtInd>${included}</Rcrd></Chrgs>`;
  const gross = details('<AmtDtls><InstdAmt><Amt Ccy="EUR">13.00</Amt></InstdAmt></AmtDtls>');
  test.each<[string, string, string]>([
    ['when they are said to be in it', charge('<ChrgInclInd>true</ChrgInclInd>'), 'in 1300 fee 100 EUR'],
    ['not when they are only announced', charge('<ChrgInclInd>false</ChrgInclInd>'), 'in 1200 EUR'],
    ['when nothing is said and the transaction shows it', charge('') + gross, 'in 1300 fee 100 EUR'],
    ['not when nothing is said nor shown', charge(''), 'in 1200 EUR'],
    ['not when they were given back', charge('<ChrgInclInd>true</ChrgInclInd>', 'CRDT'), 'in 1200 EUR'],
    [
      'not when they are of another currency',
      charge('<ChrgInclInd>true</ChrgInclInd>').replace('"EUR"', '"USD"'),
      'in 1200 EUR',
    ],
  ])('%s', async (_name, inner, expected) => {
    expect(await of(entry(inner))).toEqual([`${expected} [] ""`]);
  });

  test('by definition in version 02', async () => {
    const xml = entry('<Chrgs><Amt Ccy="EUR">1.00</Amt></Chrgs>', '', '12.00', '02').replace('<Cd>BOOK</Cd>', 'BOOK');
    expect(await of(xml)).toEqual(['in 1300 fee 100 EUR [] ""']);
  });

  test('on top of what was sent, when it went out; but a booking that is all charge is a movement', async () => {
    const out = (amount: string) =>
      entry(charge('<ChrgInclInd>true</ChrgInclInd>'), '', amount).replace('>CRDT<', '>DBIT<');
    expect(await of(out('12.00'))).toEqual(['out 1100 fee 100 EUR [] ""']);
    expect(await of(out('1.00'))).toEqual(['out 100 EUR [] ""']);
  });
});

describe('texts of camt.053', () => {
  test('too long for a reference are none, as a part of one is another', async () => {
    const long = 'x'.repeat(141);
    const lines = await of(
      entry(
        `<AcctSvcrRef>${long}</AcctSvcrRef>${details(`<Refs><EndToEndId>${long}</EndToEndId><TxId>T</TxId></Refs>`)}`,
      ),
    );
    expect(lines).toEqual(['in 1200 EUR [T] ""']);
  });

  test('for people are cut after 1,000 characters, not within one', async () => {
    const { lines } = await readAll('camt053', entry(`<AddtlNtryInf>${'x'.repeat(999)}😀</AddtlNtryInf>`));
    expect(lines[0]!.text).toBe('x'.repeat(999));
  });

  test('have spaces for control characters and marks that turn text around', async () => {
    const { lines } = await readAll('camt053', entry('<AddtlNtryInf>a&#9;\nb\u202ec\u0085d</AddtlNtryInf>'));
    expect(lines[0]!.text).toBe('a b c d');
  });
});

describe('a camt.053 file is refused, with the line and the reason', () => {
  const whole = file(8);
  const root = (namespace: string) => `<Document xmlns="${namespace}"><BkToCstmrStmt/></Document>`;
  const urn = 'urn:iso:std:iso:20022:tech:xsd:';
  test.each<[string, string | Uint8Array, number | null, RegExp]>([
    ['when it is cut off', fixture('damaged-camt053-cut.xml'), 105, /cut off within <Ntry>/],
    ['when its balances do not agree', fixture('damaged-camt053-balance.xml'), 20, /STMT-2026-017.*differ.*0\.10 EUR/],
    ['when a day is none', fixture('damaged-camt053-date.xml'), 78, /such as 2026-01-31.*"2026-02-30"/],
    ['when it is empty', '', null, /empty/],
    ['when it is no XML', 'reference,amount', 1, /XML is damaged/],
    ['when tags are crossed', whole.replace('</Bal>', '</Ball>'), 19, /XML is damaged: unexpected close tag/],
    ['when it goes on after its end', `${whole}<more/>`, null, /XML is damaged/],
    ['when it has a DOCTYPE', `<!DOCTYPE x [<!ENTITY e "e">]>${entry('')}`, 1, /DOCTYPE/],
    ['when an entity is unknown', entry('<AddtlNtryInf>&e;</AddtlNtryInf>'), 2, /XML is damaged: undefined entity/],
    [
      'when it is camt.054',
      root(`${urn}camt.054.001.08`),
      1,
      /camt\.054\.001\.08.*camt\.053\.001\.02 to camt\.053\.001\.13/,
    ],
    ['when its version is unknown', root(`${urn}camt.053.001.14`), 1, /"camt\.053\.001\.14".*are read/],
    ['when it has no namespace', '<Document/>', 1, /<Document> without a namespace/],
    [
      'when it holds something else',
      root(`${urn}camt.053.001.08`).replace('BkToCstmrStmt', 'Other'),
      1,
      /BkToCstmrStmt/,
    ],
    ['when it has no statement', root(`${urn}camt.053.001.08`), null, /no statement/],
    ['when it is not of its encoding', Buffer.from(whole.replace('&#252;', 'ü'), 'latin1'), null, /not UTF-8/],
    ['when its encoding is unknown', whole.replace('UTF-8', 'EBCDIC'), 1, /"EBCDIC".*utf-8/],
    ['when its number of entries is wrong', whole.replace('>6<', '>5<'), 26, /says 5 entries, but there are 6/],
    ['when its sum is wrong', whole.replace('1260.00', '1260.01'), 26, /1260\.01 EUR.*1260\.00 EUR/],
    ['when a status is unknown', entry('').replace('BOOK', 'DONE'), 2, /Sts must be BOOK.*"DONE"/],
    ['when an amount is none', entry('', '', '12,00'), 2, /Amt must be digits.*"12,00"/],
    ['when an amount has too many decimals', entry('', '', '12.001'), 2, /EUR has 2 decimals/],
    ['when an amount is below zero', entry('', '', '-12.00'), 2, /Amt must be digits/],
    ['when an amount is too large', entry('', '', '10000000000000.00'), 2, /at most 999999999999999/],
    ['when a currency does not exist', entry('').replace('"EUR"', '"EUX"'), 2, /Ccy must be an ISO 4217 code.*"EUX"/],
    ['when a mark is none', entry('').replace('>CRDT<', '>CRED<'), 2, /CRDT or DBIT, not "CRED"/],
    ['when an entry has no day', entry('').replace(/<BookgDt>.*<\/BookgDt>/, ''), 2, /neither BookgDt nor ValDt/],
    ['when an entry has no amount', entry('').replace(/<Amt.*<\/Amt>/, ''), 2, /no Amt/],
    ['when it is nested too deeply', entry('<Refs>'.repeat(65)), 2, /nested deeper/],
  ])('%s', async (_name, xml, line, reason) => {
    const error = await failure('camt053', xml);
    expect(error.message).toMatch(reason);
    if (line !== null) expect(error.line).toBe(line);
  });

  test('when it asks for too much', async () => {
    const two = entry(details('', '', ''));
    const limited = (limits: object) => failure('camt053', two, { limits });
    expect((await limited({ detailsMax: 2 })).reason).toMatch(/more than 2 transactions/);
    expect((await limited({ bytesMax: 100 })).reason).toMatch(/larger than 100 bytes/);
    expect((await failure('camt053', file(8), { limits: { linesMax: 3 } })).line).toBe(88);
    expect((await failure('camt053', file(8), { limits: { statementsMax: 1 } })).reason).toMatch(
      /more than 1 statements/,
    );
    const long = entry(`<AddtlNtryInf>${'x'.repeat(200_000)}</AddtlNtryInf>`);
    expect((await failure('camt053', long)).code).toBe('statement_too_large');
    const mixed = entry(`<AddtlNtryInf>${`${'x'.repeat(1_000)}<a/>`.repeat(100)}</AddtlNtryInf>`);
    expect((await failure('camt053', mixed)).reason).toMatch(/more than 65536 characters in one element/);
    const many = entry(details('<Refs></Refs>'.repeat(10_001)));
    expect((await failure('camt053', many)).reason).toMatch(/more than 10000 elements/);
  });
});

test('balances of a page are not checked, as they are those of all pages', async () => {
  const balance = (code: string, amount: string) =>
    `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">${amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>`;
  const balances = balance('OPBD', '0.00') + balance('CLBD', '99.00');
  const page = '<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>';
  expect(await of(entry('', page + balances))).toEqual(['in 1200 EUR [] ""']);
  expect((await failure('camt053', entry('', balances))).reason).toMatch(/differ/);
});
