/** How a reference may have been damaged on its way through a bank. */

const LENGTH_MAX = 140;
const TEXT_MAX = 2_048;
const previous = new Uint16Array(LENGTH_MAX + 1);
const current = new Uint16Array(LENGTH_MAX + 1);

/**
 * The fewest characters that have to be replaced, left out or put in so that a reference stands in a text (Sellers).
 * Answers `most + 1` when it is more than `most`. Both are normalised.
 */
export function editsWithin(text: string, reference: string, most: number): number {
  const size = Math.min(reference.length, LENGTH_MAX);
  let [before, row] = [previous, current];
  for (let i = 0; i <= size; i++) before[i] = i;
  let fewest = before[size]!;
  const end = Math.min(text.length, TEXT_MAX);
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    // It may begin anywhere.
    row[0] = 0;
    for (let i = 1; i <= size; i++) {
      const replaced = before[i - 1]! + (reference.charCodeAt(i - 1) === code ? 0 : 1);
      const other = Math.min(before[i]!, row[i - 1]!) + 1;
      row[i] = Math.min(replaced, other);
    }
    if (row[size]! < fewest) fewest = row[size]!;
    [before, row] = [row, before];
  }
  return Math.min(fewest, most + 1);
}

/** The form of a reference: its runs of letters and of digits, and what stands between them. */
export function formOf(reference: string): string {
  return reference
    .toUpperCase()
    .replace(/\p{L}+/gu, 'A')
    .replace(/\p{N}+/gu, '9');
}
