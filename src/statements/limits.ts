const GIB = 1_073_741_824;

/** How much one file may ask for. Reading takes memory of a batch, so these bound time, not memory, unless they say so. */
export interface StatementLimits {
  /** Of the file. Default 4 GiB. */
  readonly bytesMax?: number | undefined;
  /** Lines of all its statements. Default 5,000,000. */
  readonly linesMax?: number | undefined;
  /** Statements of the file, which are kept in memory. Default 100,000. */
  readonly statementsMax?: number | undefined;
  /** Characters of a CSV record, of a field of MT940 or between two XML tags; kept in memory. Default 65,536. */
  readonly recordCharactersMax?: number | undefined;
  /** Transactions of one camt.053 entry, which are kept in memory until it ends. Default 100,000. */
  readonly detailsMax?: number | undefined;
  /** Payouts of a settlement report whose sums are kept in memory. Default 100,000. */
  readonly payoutsMax?: number | undefined;
}

export type Limits = { readonly [Name in keyof StatementLimits]-?: number };

export function limitsOf(limits: StatementLimits = {}): Limits {
  return {
    bytesMax: limits.bytesMax ?? 4 * GIB,
    linesMax: limits.linesMax ?? 5_000_000,
    statementsMax: limits.statementsMax ?? 100_000,
    recordCharactersMax: limits.recordCharactersMax ?? 65_536,
    detailsMax: limits.detailsMax ?? 100_000,
    payoutsMax: limits.payoutsMax ?? 100_000,
  };
}
