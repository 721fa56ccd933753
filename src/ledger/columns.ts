/** Copies a column to the beginning of a longer one, and answers that. */
export function widened<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
