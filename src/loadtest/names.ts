/** How a run names its accounts and calls: nothing of it meets another run, or what was there before. */

export function walletId(run: string, wallet: number): string {
  return `lt:${run}:w:${wallet}`;
}

export function merchantId(run: string, merchant: number): string {
  return `lt:${run}:m:${merchant}`;
}

/** Idempotency key of a call, and the reference of its payment. */
export function referenceOf(run: string, call: number): string {
  return `lt:${run}:${call}`;
}

/** The number of the call; null: it is not of this run. */
export function callOf(run: string, reference: string | null): number | null {
  const prefix = `lt:${run}:`;
  if (reference === null || !reference.startsWith(prefix)) return null;
  const digits = reference.slice(prefix.length);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null;
}

export function outside(currency: string): string {
  return `world:${currency}`;
}
