/** Statistics of comparisons: whether a difference is more than chance. */

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** NaN: there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Of a sample: its sum of squares over n - 1. */
export function varianceOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

/** An estimated difference, how far off it may be, and how much is behind that. */
export interface Estimate {
  readonly value: number;
  /** Standard error. */
  readonly error: number;
  /** Degrees of freedom. */
  readonly freedom: number;
}

export interface Inference {
  /** Ends of the 95 per cent interval. */
  readonly interval: readonly [number, number];
  /** How often chance alone would give as great a difference, or a greater one. */
  readonly pValue: number;
}

/** Below it, a difference is one of rounding. */
const EXACT = 1e-9;

/** By Student's distribution. */
export function inferenceOf({ value, error, freedom }: Estimate): Inference {
  if (error < EXACT) return { interval: [value, value], pValue: Math.abs(value) < EXACT ? 1 : 0 };
  const reach = error * studentReach(freedom);
  return { interval: [value - reach, value + reach], pValue: studentTwoSided(Math.abs(value) / error, freedom) };
}

/** The difference of means of two samples whose variances may differ (Welch). At least two values each. */
export function welch(before: readonly number[], after: readonly number[]): Estimate {
  const [a, b] = [varianceOf(before) / before.length, varianceOf(after) / after.length];
  const freedom = (a + b) ** 2 / (a ** 2 / (before.length - 1) + b ** 2 / (after.length - 1));
  return { value: meanOf(after) - meanOf(before), error: Math.sqrt(a + b), freedom };
}

/** Corrected for how many there are (Holm): the share of cases in which any of them is wrongly called significant stays. */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, at) => at).sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = pValues.map(() => 1);
  let least = 0;
  order.forEach((at, rank) => {
    least = Math.max(least, Math.min(1, pValues[at]! * (pValues.length - rank)));
    adjusted[at] = least;
  });
  return adjusted;
}

/**
 * How long blocks must be so that what lies in them keeps its likeness to what came just before: the rule of Politis
 * and White (2004, corrected 2009) for circular blocks. 1: neighbours are not alike.
 */
export function blockLength(series: readonly number[]): number {
  const n = series.length;
  const covariances = autocovariances(series, Math.min(n - 1, Math.ceil(Math.sqrt(n)) * 2 + 10));
  if (covariances[0]! <= 0) return 1;
  const reach = 2 * lastAlike(covariances, n);
  if (reach === 0) return 1;
  let [weighted, total] = [0, covariances[0]!];
  for (let lag = 1; lag <= Math.min(reach, covariances.length - 1); lag++) {
    const weight = 2 * flatTop(lag / reach) * covariances[lag]!;
    weighted += weight * lag;
    total += weight;
  }
  if (total <= 0) return 1;
  return ((3 * weighted ** 2) / (2 * total ** 2)) ** (1 / 3) * n ** (1 / 3);
}

function autocovariances(series: readonly number[], lags: number): number[] {
  const mean = meanOf(series);
  return Array.from({ length: lags + 1 }, (_, lag) => {
    let sum = 0;
    for (let at = lag; at < series.length; at++) sum += (series[at]! - mean) * (series[at - lag]! - mean);
    return sum / series.length;
  });
}

/** The last lag before five in a row that could be chance. */
function lastAlike(covariances: readonly number[], n: number): number {
  const chance = 2 * Math.sqrt(Math.log10(n) / n) * covariances[0]!;
  let quiet = 0;
  for (let lag = 1; lag < covariances.length; lag++) {
    quiet = Math.abs(covariances[lag]!) < chance ? quiet + 1 : 0;
    if (quiet === 5) return lag - 5;
  }
  return covariances.length - 1;
}

function flatTop(share: number): number {
  return share <= 0.5 ? 1 : Math.max(0, 2 * (1 - share));
}

/** How often Student's t is as far from 0 as `t`, on either side. */
export function studentTwoSided(t: number, freedom: number): number {
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** What 95 per cent of Student's t lie within, on both sides of 0. */
export function studentReach(freedom: number): number {
  let [low, high] = [0, 1_000];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (studentTwoSided(middle, freedom) > 0.05) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Regularized: I_x(a, b). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

/** Lentz's way of reckoning a continued fraction. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const safe = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / safe(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / safe(1 + even * d);
    c = safe(1 + even / c);
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / safe(1 + odd * d);
    c = safe(1 + odd / c);
    result *= d * c;
    if (Math.abs(d * c - 1) < 1e-13) break;
  }
  return result;
}

const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
];

/** Of positive numbers. */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + LANCZOS.length - 1.5;
  const sum = LANCZOS.reduce((total, one, at) => total + one / (x + at), 0.9999999999998099);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
