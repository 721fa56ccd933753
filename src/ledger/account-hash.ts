const LOW_BITS = 2 ** 32;
const HIGH_MASK = 0x1fffff;
const ASCII_MAX = 0x7f;

/**
 * The number under which the journal's index knows an account: 0 to 2^53 - 1, the same for ever. Numbers are shorter and
 * faster to index than ids. Two accounts may share one (among 100 million some single pair does), so whoever looks one up
 * must compare the id as well. Two lanes of FNV-1a over the UTF-16 code units, each finished as in MurmurHash3.
 */
export function accountHash(id: string): number {
  let a = 0x811c9dc5;
  let b = 0x050c5d1f;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca77);
  }
  return (finished(b ^ (a >>> 15)) & HIGH_MASK) * LOW_BITS + (finished(a ^ (b >>> 13)) >>> 0);
}

/** The same of an id that stands as bytes from `start` to before `end`, one a character; -1 when it is not plain ASCII. */
export function accountHashOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let a = 0x811c9dc5;
  let b = 0x050c5d1f;
  let all = 0;
  for (let i = start; i < end; i++) {
    const unit = bytes[i]!;
    all |= unit;
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca77);
  }
  if (all > ASCII_MAX) return -1;
  return (finished(b ^ (a >>> 15)) & HIGH_MASK) * LOW_BITS + (finished(a ^ (b >>> 13)) >>> 0);
}

function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
