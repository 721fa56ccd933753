import { chargesOf, type Detail, textOf } from './camt053-detail.ts';
import type { XmlNode } from './camt053-node.ts';
import { countAt, dateAt, directionOf, flagAt, type Money, moneyOf } from './camt053-values.ts';
import type { Output } from './output.ts';
import { quoted, StatementError } from './statement.ts';
import { joinTexts, optionalReference, referencesOf } from './texts.ts';
import type { StatementLine } from './types.ts';

/** Codes of an entry that moved nothing on the account yet: pending, for information, to come. */
const NOT_BOOKED: ReadonlySet<string> = new Set(['PDNG', 'INFO', 'FUTR']);

/** An entry (`Ntry`) without its transactions. */
export interface Entry {
  readonly node: XmlNode;
  readonly isBooked: boolean;
  readonly money: Money;
  readonly direction: 'in' | 'out';
}

/** A line without what all lines of an entry have in common. */
type OwnPart = Omit<StatementLine, 'statement' | 'day' | 'valueDay' | 'currency' | 'isReversal'>;

export function entryOf(node: XmlNode): Entry {
  const amount = node.child('Amt');
  if (amount === null) throw new StatementError('the entry has no Amt', node.line);
  return { node, isBooked: isBooked(node), money: moneyOf(amount), direction: directionOf(node) };
}

function isBooked(node: XmlNode): boolean {
  const status = node.child('Sts');
  // A code by itself in version 02, in <Cd> since.
  const code = (status?.child('Cd') ?? status)?.text.trim() ?? '';
  if (code === 'BOOK') return true;
  if (NOT_BOOKED.has(code)) return false;
  throw new StatementError(`Sts must be BOOK, PDNG, INFO or FUTR, not ${quoted(code)}`, status?.line ?? node.line);
}

/**
 * The lines of a booked entry: one; or one for each of its transactions, if these come to what was booked; or one that
 * stands for all of them, with their number. An entry of zero moves nothing and has none.
 */
export function addLines(entry: Entry, details: readonly Detail[], version: number, output: Output): void {
  const { node, money } = entry;
  if (money.amount === 0n) return;
  const valueDay = dateAt(node, 'ValDt');
  const day = dateAt(node, 'BookgDt') ?? valueDay;
  if (day === null) throw new StatementError('the entry has neither BookgDt nor ValDt', node.line);
  const isReversal = flagAt(node, 'RvslInd') ?? false;
  for (const own of ownParts(entry, details, version)) {
    // All fields by name, as everywhere: a spread of many fields costs as much as the rest of a line.
    output.add({
      line: own.line,
      statement: output.statement,
      day,
      valueDay,
      amount: own.amount,
      currency: money.currency,
      direction: own.direction,
      fee: own.fee,
      references: own.references,
      text: own.text,
      id: own.id,
      batch: own.batch,
      count: own.count,
      isReversal,
    });
  }
}

function ownParts(entry: Entry, details: readonly Detail[], version: number): readonly OwnPart[] {
  const batches = entry.node.all('NtryDtls').flatMap((group) => group.all('Btch'));
  const told = batches.reduce((sum, batch) => sum + (countAt(batch, 'NbOfTxs') ?? 0), 0);
  const items = details.length > 1 ? itemised(entry, details) : null;
  if (items !== null) return items;
  const count = Math.max(told, details.length);
  return [count > 1 ? whole(entry, details, count, batches) : single(entry, details[0] ?? null, version)];
}

/** The entry and its transaction, if it has one, are the same movement. */
function single(entry: Entry, detail: Detail | null, version: number): OwnPart {
  const { node, money, direction } = entry;
  const fee = feeOf(entry, detail === null ? [] : [detail], version);
  const additional = node.textAt('AddtlNtryInf') ?? '';
  const bankId = optionalReference(node.textAt('AcctSvcrRef'));
  return {
    line: node.line,
    amount: beforeFee(money.amount, fee, direction),
    fee,
    direction,
    references: referencesOf([...(detail?.references ?? []), bankId, detail?.mandate ?? null]),
    text: detail === null ? joinTexts([additional]) : textOf(detail, direction, additional),
    id: bankId ?? detail?.id ?? optionalReference(node.textAt('NtryRef')),
    batch: null,
    count: null,
  };
}

/** A batch whose transactions are not told apart. */
function whole(entry: Entry, details: readonly Detail[], count: number, batches: readonly XmlNode[]): OwnPart {
  const { node, money, direction } = entry;
  const bankId = optionalReference(node.textAt('AcctSvcrRef'));
  const fee = feeOf(entry, details, null);
  return {
    line: node.line,
    amount: beforeFee(money.amount, fee, direction),
    fee,
    direction,
    references: referencesOf([
      ...batches.flatMap((batch) => [batch.textAt('PmtInfId'), batch.textAt('MsgId')]),
      bankId,
    ]),
    text: joinTexts([node.textAt('AddtlNtryInf') ?? '']),
    id: bankId ?? optionalReference(node.textAt('NtryRef')),
    batch: batches.map(batchIdOf).find((id) => id !== null) ?? null,
    count,
  };
}

/**
 * A line for each transaction, when they come to what was booked, or to it and the charges that were taken off; null
 * when they do not, or when one of them is in another currency.
 */
function itemised(entry: Entry, details: readonly Detail[]): OwnPart[] | null {
  const { node, money } = entry;
  const charges = details.map((detail) => chargesOf(detail.chargesNodes, money.currency));
  const ofDetails = charges.reduce((sum, { included, unsaid }) => sum + included + unsaid, 0n);
  const ofEntry = chargesOf(node.all('Chrgs'), money.currency);
  const taken = ofDetails > 0n ? ofDetails : ofEntry.included + ofEntry.unsaid;
  let sum = 0n;
  for (const detail of details) {
    const amount = amountIn(detail, money.currency);
    if (amount === null) return null;
    sum += signed(amount, detail.direction ?? entry.direction);
  }
  const booked = signed(money.amount, entry.direction);
  const isNet = sum === booked;
  if (!isNet && sum - taken !== booked) return null;

  const additional = node.textAt('AddtlNtryInf') ?? '';
  const ofAll = optionalReference(node.textAt('AcctSvcrRef')) ?? optionalReference(node.textAt('NtryRef'));
  const parts: OwnPart[] = [];
  for (const [i, detail] of details.entries()) {
    const direction = detail.direction ?? entry.direction;
    const amount = amountIn(detail, money.currency)!;
    if (amount === 0n) continue;
    const { included, unsaid } = charges[i]!;
    const fee = isNet ? feeWithin(amount, included, direction) : included + unsaid;
    parts.push({
      line: detail.line,
      amount: isNet ? beforeFee(amount, fee, direction) : amount,
      fee,
      direction,
      references: referencesOf([...detail.references, detail.mandate]),
      text: textOf(detail, direction, additional),
      id: detail.id,
      batch: batchIdOf(detail.group.child('Btch')) ?? ofAll,
      count: null,
    });
  }
  // Charges for the batch as a whole belong to none of its transactions.
  if (!isNet && ofDetails === 0n) {
    parts.push({
      line: node.line,
      amount: taken,
      fee: 0n,
      direction: 'out',
      references: [],
      text: joinTexts(['charges', additional]),
      id: null,
      batch: batchIdOf(details[0]!.group.child('Btch')) ?? ofAll,
      count: null,
    });
  }
  return parts;
}

/**
 * What was taken off the booked amount: charges that are said to be in it, and those of which nobody says, if the
 * transaction's own amount shows that they are. Where it shows nothing they are in it in version 02, by its definition.
 */
function feeOf(entry: Entry, details: readonly Detail[], version: number | null): bigint {
  const { node, money, direction } = entry;
  const ofEntry = node.all('Chrgs');
  const nodes = ofEntry.length > 0 ? ofEntry : details.flatMap((detail) => detail.chargesNodes);
  const { included, unsaid } = chargesOf(nodes, money.currency);
  if (unsaid === 0n) return feeWithin(money.amount, included, direction);
  const grosses = (details.length === 1 ? details[0]!.amounts : []).filter((own) => own.currency === money.currency);
  const isTaken =
    grosses.length > 0
      ? grosses.some((gross) => gross.amount === beforeFee(money.amount, included + unsaid, direction))
      : version === 2;
  return feeWithin(money.amount, isTaken ? included + unsaid : included, direction);
}

/** A fee that was added to what was paid out is less than all of it; an entry that is all charge is a movement itself. */
function feeWithin(booked: bigint, fee: bigint, direction: 'in' | 'out'): bigint {
  return direction === 'out' && fee >= booked ? 0n : fee;
}

function beforeFee(booked: bigint, fee: bigint, direction: 'in' | 'out'): bigint {
  return direction === 'in' ? booked + fee : booked - fee;
}

function signed(amount: bigint, direction: 'in' | 'out'): bigint {
  return direction === 'in' ? amount : -amount;
}

function amountIn(detail: Detail, currency: string): bigint | null {
  return detail.amounts.find((own) => own.currency === currency)?.amount ?? null;
}

function batchIdOf(batch: XmlNode | null): string | null {
  return batch && (optionalReference(batch.textAt('PmtInfId')) ?? optionalReference(batch.textAt('MsgId')));
}
