/**
 * How long to wait before the next attempt, in milliseconds: doubles with each failure in a row up to `maxMs`, and is
 * drawn from its upper half, so that many who failed together do not come back together.
 *
 * `failures` counts from 1.
 */
export function backoffMs(failures: number, baseMs: number, maxMs: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return ceiling * (0.5 + Math.random() / 2);
}
