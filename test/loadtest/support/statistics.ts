/** How far counts are from what they should be, in ways that do not depend on luck beyond a fixed seed. */

/** Pearson's sum for counts that were expected so; those expected are all above 0. */
export function chiSquare(counts: readonly number[], expected: readonly number[]): number {
  return counts.reduce((sum, count, index) => sum + (count - expected[index]!) ** 2 / expected[index]!, 0);
}

/** What chi-square stays below in 999 of 1,000 cases, by Wilson and Hilferty. */
export function chiSquareMax(degrees: number): number {
  const z = 3.09;
  const part = 2 / (9 * degrees);
  return degrees * (1 - part + z * Math.sqrt(part)) ** 3;
}
