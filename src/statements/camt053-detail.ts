import type { XmlNode } from './camt053-node.ts';
import { directionOf, flagAt, type Money, moneyOf } from './camt053-values.ts';
import { joinTexts, optionalReference, referencesOf } from './texts.ts';

/** Charges of one currency, less those given back, in minor units; zero when more were given back. */
export interface Charges {
  /** Those that are said to be in the booked amount already. */
  readonly included: bigint;
  /** Those of which nobody says whether they are. */
  readonly unsaid: bigint;
}

/** One transaction of an entry (`TxDtls`), kept until its entry ends. */
export interface Detail {
  readonly line: number;
  /** What it may have come to, the most telling first: its own amount, that of the transaction, that which was instructed. */
  readonly amounts: readonly Money[];
  /** null: that of the entry. */
  readonly direction: 'in' | 'out' | null;
  readonly references: readonly string[];
  /** Many payments share one, so it tells least. */
  readonly mandate: string | null;
  readonly id: string | null;
  readonly remittance: readonly string[];
  readonly debtor: string | null;
  readonly creditor: string | null;
  readonly chargesNodes: readonly XmlNode[];
  /** The `NtryDtls` that it is in. */
  readonly group: XmlNode;
}

/** After the payer's own. */
const REFERENCES = ['TxId', 'InstrId', 'UETR', 'ChqNb', 'PmtInfId', 'AcctSvcrRef'];

export function detailOf(node: XmlNode, group: XmlNode): Detail {
  const refs = node.child('Refs');
  const remittance = node.child('RmtInf');
  const structured = remittance?.all('Strd') ?? [];
  const candidates = [refs?.textAt('EndToEndId') ?? null];
  for (const part of structured) candidates.push(part.textAt('CdtrRefInf', 'Ref'));
  if (refs !== null) for (const name of REFERENCES) candidates.push(refs.textAt(name));
  return {
    line: node.line,
    amounts: amountsOf(node),
    direction: node.child('CdtDbtInd') === null ? null : directionOf(node),
    references: referencesOf(candidates),
    mandate: refs?.textAt('MndtId') ?? null,
    id: optionalReference(refs?.textAt('AcctSvcrRef') ?? null),
    remittance: [
      joinTexts(remittance?.all('Ustrd').map((part) => part.text) ?? [], ' '),
      ...structured.flatMap((part) => part.all('AddtlRmtInf').map((info) => info.text)),
      node.textAt('AddtlTxInf') ?? '',
    ],
    debtor: nameOf(node, 'Dbtr'),
    creditor: nameOf(node, 'Cdtr'),
    chargesNodes: node.all('Chrgs'),
    group,
  };
}

function amountsOf(node: XmlNode): Money[] {
  const amounts: Money[] = [];
  const own = node.child('Amt');
  if (own !== null) amounts.push(moneyOf(own));
  const details = node.child('AmtDtls');
  for (const name of ['TxAmt', 'InstdAmt']) {
    const amount = details?.at(name, 'Amt') ?? null;
    if (amount !== null) amounts.push(moneyOf(amount));
  }
  return amounts;
}

/** Of a party, which has a layer more (`Pty`) since version 08. */
function nameOf(details: XmlNode, role: 'Dbtr' | 'Cdtr'): string | null {
  const party = details.at('RltdPties', role);
  return party && (party.textAt('Nm') ?? party.textAt('Pty', 'Nm'));
}

/** Text of a transaction for people, as the owner of the account sees it: what it is for, and who it is from or to. */
export function textOf(detail: Detail, direction: 'in' | 'out', additional: string): string {
  const counterparty = direction === 'in' ? detail.debtor : detail.creditor;
  return joinTexts([...detail.remittance, counterparty ?? '', additional]);
}

/**
 * Charges in `Chrgs` elements: in each itself (version 02), or in its records. Those of another currency cannot be in an
 * amount of this one, and those that are only announced (`ChrgInclInd` false) are not yet.
 */
export function chargesOf(nodes: readonly XmlNode[], currency: string): Charges {
  let included = 0n;
  let unsaid = 0n;
  for (const node of nodes) {
    for (const record of node.child('Amt') === null ? node.all('Rcrd') : [node]) {
      const amountNode = record.child('Amt');
      const isIncluded = flagAt(record, 'ChrgInclInd');
      if (amountNode === null || isIncluded === false) continue;
      const money = moneyOf(amountNode);
      if (money.currency !== currency) continue;
      const isCharged = record.child('CdtDbtInd') === null || directionOf(record) === 'out';
      const amount = isCharged ? money.amount : -money.amount;
      if (isIncluded === null) unsaid += amount;
      else included += amount;
    }
  }
  return { included: included > 0n ? included : 0n, unsaid: unsaid > 0n ? unsaid : 0n };
}
