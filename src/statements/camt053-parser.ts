import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { type Detail, detailOf } from './camt053-detail.ts';
import { XmlNode } from './camt053-node.ts';
import { CamtStatement } from './camt053-statement.ts';
import { Decoder } from './decoder.ts';
import type { Limits } from './limits.ts';
import { type FormatParser, type Output, tooLarge } from './output.ts';
import { quoted, StatementError } from './statement.ts';
import { xmlEncoding } from './xml-encoding.ts';

const NAMESPACE = 'urn:iso:std:iso:20022:tech:xsd:';
const VERSION_MIN = 2;
const VERSION_MAX = 13;
const ACCEPTED = `camt.053.001.02 to camt.053.001.${VERSION_MAX} are read`;

const AMOUNT = 'Amt';
const SPACE = 0x20;
const DEPTH_MAX = 64;
/** Of one transaction, or of an entry without its transactions; real ones have tens. */
const NODES_MAX = 10_000;
/** Depths of `<Document><BkToCstmrStmt><Stmt>`, from 1. */
const STATEMENT_DEPTH = 3;
/**
 * Names of the elements within a statement that are read. All others are passed over with what is in them, which may have
 * the names of other things. A map, because a name that comes from it is compared faster than one out of the file.
 */
const READ: ReadonlyMap<string, string> = new Map(
  `Acct AcctSvcrRef AddtlNtryInf AddtlRmtInf AddtlTxInf Amt AmtDtls Bal BookgDt Btch Cd CdOrPrtry CdtDbtInd Cdtr CdtrRefInf
   ChqNb ChrgInclInd Chrgs Dbtr Dt DtTm EndToEndId FrDtTm FrToDt IBAN Id InstdAmt InstrId LastPgInd MndtId MsgId NbOfNtries
   NbOfTxs Nm Ntry NtryDtls NtryRef Othr PgNb PmtInfId Pty Rcrd Ref Refs RltdPties RmtInf RvslInd StmtPgntn Strd Sts Sum
   ToDtTm Tp TtlNtries TxAmt TxDtls TxId TxsSummry UETR Ustrd ValDt`
    .split(/\s+/)
    .map((name) => [name, name]),
);

/**
 * camt.053 (ISO 20022, bank to customer statement), versions 02 to 13, in memory of one entry, or of one transaction and
 * the amounts and texts of those before it in the same entry.
 *
 * The file must be well-formed XML to its last tag, and may not have a DOCTYPE, so there are no entities but those of XML
 * itself. It is not validated by the schema: what is not read may be wrong.
 */
export class Camt053Parser implements FormatParser {
  readonly #xml = new SaxesParser<{ position: false; xmlns: false }>({ position: false, xmlns: false });
  #head: Buffer | null = Buffer.alloc(0);
  #decoder: Decoder | null = null;
  /** With the colon; empty: the elements have none. */
  #prefix = '';
  #version = 0;
  #statements = 0;
  /** Names of the open elements, to say within which the file is cut off. */
  readonly #open: string[] = [];
  #depth = 0;
  /** Depth of the element that is passed over. */
  #skippedFrom = Number.POSITIVE_INFINITY;
  /** Open elements of the part of a statement that is being read, from its own on. */
  readonly #nodes: XmlNode[] = [];
  #node: XmlNode | null = null;
  #nodesOfPart = 0;
  #statement: CamtStatement | null = null;
  #details: Detail[] = [];
  #charactersSinceTag = 0;

  constructor(
    private readonly limits: Pick<Limits, 'recordCharactersMax' | 'detailsMax'>,
    private readonly output: Output,
  ) {
    const text = (part: string) => this.#text(part);
    this.#xml.on('error', (error) => {
      throw new StatementError(`the XML is damaged: ${error.message}; get the file again`, this.#xml.line);
    });
    this.#xml.on('doctype', () => {
      throw new StatementError('the XML has a DOCTYPE; a statement has none', this.#xml.line);
    });
    this.#xml.on('opentag', (tag) => this.#openTag(tag));
    this.#xml.on('closetag', () => this.#closeTag());
    this.#xml.on('text', text);
    this.#xml.on('cdata', text);
  }

  write(bytes: Uint8Array): void {
    this.#decode(bytes, false);
  }

  end(): void {
    this.#decode(new Uint8Array(0), true);
    this.#write(this.#decoder?.end() ?? '');
    const open = this.#open.at(-1);
    if (open !== undefined) {
      throw new StatementError(`the file is cut off within <${open}>; get it again`, this.#xml.line);
    }
    this.#xml.close();
    if (this.#statements === 0) throw new StatementError('the file has no statement (Stmt)', this.#xml.line);
  }

  #decode(bytes: Uint8Array, isAll: boolean): void {
    if (this.#decoder === null) {
      // Bytes are held back until the declaration is whole.
      this.#head = Buffer.concat([this.#head!, bytes]);
      const encoding = xmlEncoding(this.#head, isAll);
      if (encoding === null) return;
      this.#decoder = new Decoder(encoding, () => this.#xml.line);
      bytes = this.#head;
      this.#head = null;
    }
    if (bytes.length > 0) this.#write(this.#decoder.write(bytes));
  }

  #write(text: string): void {
    if (text === '') return;
    this.#charactersSinceTag += text.length;
    this.#xml.write(text);
    // The tokenizer keeps what is between two tags; an end that never comes must not fill the memory.
    if (this.#charactersSinceTag > 2 * this.limits.recordCharactersMax + 65_536) throw this.#tooLong();
  }

  #tooLong(): StatementError {
    return tooLarge(`more than ${this.limits.recordCharactersMax} characters in one element`, this.#xml.line);
  }

  #openTag(tag: SaxesTagPlain): void {
    this.#charactersSinceTag = 0;
    if (++this.#depth > DEPTH_MAX) {
      throw new StatementError(`elements are nested deeper than ${DEPTH_MAX}`, this.#xml.line);
    }
    if (this.#depth === 1) this.#root(tag);
    this.#open.push(tag.name);
    if (this.#depth > this.#skippedFrom) return;
    if (this.#depth <= STATEMENT_DEPTH) {
      this.#outer(this.#localName(tag.name));
      return;
    }
    if (this.#statement === null) return;
    const name = READ.get(this.#localName(tag.name));
    if (name === undefined) {
      this.#skippedFrom = this.#depth;
      return;
    }
    if (++this.#nodesOfPart > NODES_MAX) {
      throw tooLarge(`more than ${NODES_MAX} elements in one entry or transaction`, this.#xml.line);
    }
    // A look into the attributes takes its time, and one kind of element alone has one that is read.
    const currency = name === AMOUNT ? (tag.attributes.Ccy ?? null) : null;
    const node = new XmlNode(name, this.#xml.line, currency);
    this.#nodes.push(node);
    this.#node = node;
  }

  /** Elements down to the statement. */
  #outer(name: string): void {
    if (this.#depth === 2 && name !== 'BkToCstmrStmt') {
      throw new StatementError(`Document must hold BkToCstmrStmt, not ${quoted(name)}`, this.#xml.line);
    }
    if (this.#depth !== STATEMENT_DEPTH || name !== 'Stmt') return;
    this.#statements++;
    this.#statement = new CamtStatement(this.#version, this.output);
  }

  #root(tag: SaxesTagPlain): void {
    const colon = tag.name.indexOf(':');
    this.#prefix = tag.name.slice(0, colon + 1);
    const local = tag.name.slice(colon + 1);
    const namespace = tag.attributes[colon === -1 ? 'xmlns' : `xmlns:${tag.name.slice(0, colon)}`] ?? '';
    const message = namespace.startsWith(NAMESPACE) ? namespace.slice(NAMESPACE.length) : null;
    const version = Number(/^camt\.053\.001\.(\d\d)$/.exec(message ?? '')?.[1] ?? Number.NaN);
    if (local === 'Document' && version >= VERSION_MIN && version <= VERSION_MAX) {
      this.#version = version;
      return;
    }
    const found = message ?? (namespace === '' ? `<${tag.name}> without a namespace` : namespace);
    throw new StatementError(`the file is ${quoted(found)}; of ISO 20022, ${ACCEPTED}`, this.#xml.line);
  }

  /** Elements of other namespaces keep their prefix, and so the name of nothing that is looked for. */
  #localName(name: string): string {
    return this.#prefix !== '' && name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : name;
  }

  #text(text: string): void {
    if (this.#node === null || this.#depth >= this.#skippedFrom) return;
    // Most is the space between tags.
    if (text.charCodeAt(0) <= SPACE && text.trim() === '') return;
    const { text: before } = this.#node;
    if (before.length + text.length > this.limits.recordCharactersMax) throw this.#tooLong();
    this.#node.text = before === '' ? text : before + text;
  }

  #closeTag(): void {
    this.#charactersSinceTag = 0;
    this.#open.pop();
    const depth = this.#depth--;
    if (depth > this.#skippedFrom) return;
    if (depth === this.#skippedFrom) {
      this.#skippedFrom = Number.POSITIVE_INFINITY;
      return;
    }
    if (depth === STATEMENT_DEPTH && this.#statement !== null) {
      this.#statement.end(this.#xml.line);
      this.#statement = null;
      return;
    }
    const node = this.#nodes.pop();
    if (node !== undefined) this.#closeNode(node, this.#statement!);
  }

  #closeNode(node: XmlNode, statement: CamtStatement): void {
    const parent = this.#nodes.at(-1);
    this.#node = parent ?? null;
    if (parent === undefined) {
      statement.part(node, this.#details);
      this.#details = [];
      this.#nodesOfPart = 0;
    } else if (node.name === 'TxDtls' && parent.name === 'NtryDtls') {
      if (this.#details.length >= this.limits.detailsMax) {
        throw tooLarge(`the entry has more than ${this.limits.detailsMax} transactions`, node.line);
      }
      this.#details.push(detailOf(node, parent));
      this.#nodesOfPart = 0;
    } else {
      parent.add(node);
    }
  }
}
