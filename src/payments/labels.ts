import { accountHash } from '../ledger/account-hash.ts';

/**
 * The numbers under which an index knows pairs of metadata. Two pairs may share one, so whoever looks one up must compare
 * the pair as well. Absent when there are none, so that nothing is indexed.
 */
export function labelsOf(metadata: Readonly<Record<string, string>>): { labels?: bigint[] } {
  const labels = Object.entries(metadata).map(([key, value]) => labelOf(key, value));
  return labels.length === 0 ? {} : { labels };
}

/** Keys hold no `=`, so no two pairs are written alike. */
export function labelOf(key: string, value: string): bigint {
  return BigInt(accountHash(`${key}=${value}`));
}
