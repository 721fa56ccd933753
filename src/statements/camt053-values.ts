import { isCurrency } from '../ledger/currencies.ts';
import { decimalsOf, minorUnits } from './amounts.ts';
import type { XmlNode } from './camt053-node.ts';
import { dayReader } from './days.ts';
import { quoted, StatementError } from './statement.ts';

/** How the values of camt.053 elements are read; each throws a StatementError that says the line and what is wrong. */

const DECIMAL = /^(\d{1,18})(?:\.(\d{0,17}))?$/;
const readDay = dayReader('iso');

export interface Money {
  readonly amount: bigint;
  readonly currency: string;
}

/** `<Amt Ccy="EUR">12.34</Amt>`: zero or more. */
export function moneyOf(node: XmlNode): Money {
  const currency = node.currency ?? '';
  if (!isCurrency(currency)) {
    throw new StatementError(`Ccy must be an ISO 4217 code such as EUR, not ${quoted(currency)}`, node.line);
  }
  return { amount: amountOf(node, currency), currency };
}

/** A decimal of a known currency. `1000.00` of a currency without decimals is as exact as `1000`, and many write it. */
export function amountOf(node: XmlNode, currency: string): bigint {
  const text = node.text.trim();
  const parts = DECIMAL.exec(text);
  if (parts === null) {
    const reason = `${node.name} must be digits with a decimal point, such as 1234.50, not ${quoted(text)}`;
    throw new StatementError(reason, node.line);
  }
  const amount = minorUnits(parts[1]!, (parts[2] ?? '').replace(/0+$/, ''), currency);
  if (amount === null) {
    throw new StatementError(`${decimalsOf(currency)}, so ${node.name} cannot be ${quoted(text)}`, node.line);
  }
  return amount;
}

/** `CdtDbtInd` of an element. */
export function directionOf(parent: XmlNode): 'in' | 'out' {
  const node = parent.child('CdtDbtInd');
  const text = node?.text.trim() ?? '';
  if (text === 'CRDT') return 'in';
  if (text === 'DBIT') return 'out';
  const reason = `CdtDbtInd of ${parent.name} must be CRDT or DBIT, not ${quoted(text)}`;
  throw new StatementError(reason, node?.line ?? parent.line);
}

/** `Dt` or `DtTm` in an element of dates; null when the element is not there. */
export function dateAt(parent: XmlNode, name: string): number | null {
  const node = parent.child(name);
  if (node === null) return null;
  return dayOfNode(node.child('Dt') ?? node.child('DtTm') ?? node);
}

/** A day or a time. */
function dayOfNode(node: XmlNode): number {
  const text = node.text.trim();
  const day = readDay(text);
  if (day === null) {
    throw new StatementError(
      `${node.name} must be a day such as 2026-01-31, or a time, not ${quoted(text)}`,
      node.line,
    );
  }
  return day;
}

/** `true` or `1`; null when it is not there. */
export function flagAt(parent: XmlNode, name: string): boolean | null {
  const node = parent.child(name);
  const text = node?.text.trim();
  if (node === null || text === undefined) return null;
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new StatementError(`${name} must be true or false, not ${quoted(text)}`, node.line);
}

/** A whole number; null when it is not there. */
export function countAt(parent: XmlNode, name: string): number | null {
  const node = parent.child(name);
  if (node === null) return null;
  const text = node.text.trim();
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new StatementError(`${name} must be a whole number, not ${quoted(text)}`, node.line);
}
