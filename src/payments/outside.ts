/** `world:<currency>` stands for the outside: money comes from there into the ledger, and leaves it to there. */
export const OUTSIDE = 'world:';

export function isOutside(account: string): boolean {
  return account.startsWith(OUTSIDE);
}
