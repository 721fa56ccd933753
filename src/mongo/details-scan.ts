import { FIELDS as F } from './block-codec.ts';
import type { BsonScan } from './bson-scan.ts';

/** Passes over `reference`, `description` and `metadata`, as far as they are there: they stand alike in entries and claims. */
export function scanDetails(scan: BsonScan): void {
  if (scan.has(F.reference)) scan.string();
  if (scan.has(F.description)) scan.string();
  if (!scan.has(F.metadata)) return;
  const end = scan.open();
  while (scan.isBefore(end)) scan.anyString();
  scan.close(end);
}
