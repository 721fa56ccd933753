/** One payment to several destinations: who gets how much. */
import type { Leg } from '../ledger/types.ts';

export const BASIS_POINTS_WHOLE = 10_000;

/** What one destination gets: an amount, a share of the whole in basis points, or what the others leave. */
export type Split =
  | { readonly destination: string; readonly amount: bigint }
  | { readonly destination: string; readonly basisPoints: number }
  | { readonly destination: string; readonly rest: true };

/** Why splits do not divide an amount. `index`: the split to blame; null: all of them. */
export class SplitError extends Error {
  override readonly name = 'SplitError';
  constructor(
    message: string,
    readonly index: number | null = null,
  ) {
    super(message);
  }
}

/**
 * Divides an amount: what each split gets, in their order, in minor units. The sum is always the amount.
 *
 * - A split by amount gets just that.
 * - A split by basis points gets that share of the whole amount, rounded down.
 * - What is left goes to the split that takes the rest. Where there is none, amounts and basis points must make up the
 *   whole; the few units that rounding down has left then go one each to the splits by basis points with the largest
 *   fractions, and among equal fractions to those named first.
 *
 * @throws SplitError when they do not make up the amount, or one of them would get nothing
 */
export function divide(amount: bigint, splits: readonly Split[]): bigint[] {
  const rests = splits.filter((split) => 'rest' in split).length;
  if (rests > 1) throw new SplitError('only one split can take the rest');
  const shares = splits.map((split) => {
    if ('amount' in split) return split.amount;
    return 'rest' in split ? 0n : (amount * BigInt(split.basisPoints)) / BigInt(BASIS_POINTS_WHOLE);
  });
  const left = amount - sumOf(shares);
  if (left < 0n) throw new SplitError(`the splits make up ${amount - left}, more than the amount of ${amount}`);
  const rest = splits.findIndex((split) => 'rest' in split);
  if (rest >= 0) shares[rest] = left;
  else spread(amount, left, splits, shares);
  const empty = shares.indexOf(0n);
  if (empty >= 0) throw new SplitError('this split would get nothing', empty);
  return shares;
}

function spread(amount: bigint, left: bigint, splits: readonly Split[], shares: bigint[]): void {
  const byPoints = splits.flatMap((split, index) => ('basisPoints' in split ? [{ index, split }] : []));
  const whole = BigInt(BASIS_POINTS_WHOLE);
  const fraction = (points: number) => (amount * BigInt(points)) % whole;
  const fractions = byPoints.reduce((sum, { split }) => sum + fraction(split.basisPoints), 0n);
  // What rounding has taken away is whole units in sum only when the splits make up the amount.
  if (fractions !== left * whole) {
    throw new SplitError(`the splits make up ${amount - left}, not the amount of ${amount}; let one take the rest`);
  }
  byPoints.sort((a, b) => compare(fraction(b.split.basisPoints), fraction(a.split.basisPoints)) || a.index - b.index);
  for (const { index } of byPoints.slice(0, Number(left))) shares[index]! += 1n;
}

/**
 * Divides a part of what is still open, in proportion to what is open for each: rounded down, and the units that are
 * left one each to the largest fractions, among equal ones to those that come first. Nobody gets more than is open, so
 * that parts which make up the whole give each just what it was to get.
 *
 * @param part at most the sum of `open`
 */
export function divideOpen(part: bigint, open: readonly bigint[]): bigint[] {
  const whole = sumOf(open);
  if (whole === 0n) return open.map(() => 0n);
  const shares = open.map((one) => (part * one) / whole);
  const left = part - sumOf(shares);
  const order = open.map((_, index) => index);
  const fraction = (index: number) => (part * open[index]!) % whole;
  order.sort((a, b) => compare(fraction(b), fraction(a)) || a - b);
  for (const index of order.slice(0, Number(left))) shares[index]! += 1n;
  return shares;
}

/** The legs of a payment from one source; destinations that get nothing are left out. */
export function legsFrom(
  source: string,
  currency: string,
  destinations: readonly { readonly account: string; readonly amount: bigint }[],
): Leg[] {
  const paid = destinations.filter(({ amount }) => amount > 0n);
  const taken = sumOf(paid.map(({ amount }) => amount));
  return [
    { account: source, amount: -taken, currency },
    ...paid.map(({ account, amount }) => ({ account, amount, currency })),
  ];
}

function sumOf(amounts: readonly bigint[]): bigint {
  return amounts.reduce((sum, amount) => sum + amount, 0n);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
