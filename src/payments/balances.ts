/** Balances of many accounts in one answer. */
import type { BalanceQueries, KnownBalance } from './ports.ts';
import { type BalanceSum, type BalanceSums, type BalancesView, PaymentsError } from './types.ts';

/** Each is looked at, so there must be an end. */
const ACCOUNTS_SUMMED_MAX = 10_000;
const SEPARATOR = ':';

export async function balancesOf(
  queries: BalanceQueries,
  accounts: readonly string[],
  at?: Date,
): Promise<BalancesView> {
  const asOf = at ?? new Date();
  const found = await queries.balancesOf(accounts, at);
  return {
    balances: accounts.flatMap((id) => {
      const one = found.get(id);
      return one ? [{ ...one, available: one.posted - one.held, asOf }] : [];
    }),
    unknown: [...new Set(accounts)].filter((id) => !found.has(id)),
  };
}

export async function balanceSums(queries: BalanceQueries, prefix: string, level?: number): Promise<BalanceSums> {
  const asOf = new Date();
  const found = await queries.balancesBelow(prefix, ACCOUNTS_SUMMED_MAX);
  if (found) return { prefix, sums: summed(found, (id) => (level === undefined ? prefix : partsOf(id, level))), asOf };
  throw new PaymentsError(
    'too_many_accounts',
    `more than ${ACCOUNTS_SUMMED_MAX} accounts begin with ${prefix}: ask for longer prefixes`,
  );
}

/** The first parts of an id, with the separator after them when there are more: what all that have them begin with. */
function partsOf(id: string, level: number): string {
  const parts = id.split(SEPARATOR);
  return parts.slice(0, level).join(SEPARATOR) + (parts.length > level ? SEPARATOR : '');
}

function summed(found: readonly KnownBalance[], prefixOf: (id: string) => string): BalanceSum[] {
  const sums = new Map<string, BalanceSum>();
  for (const { account, currency, posted, held } of found) {
    const prefix = prefixOf(account);
    const key = `${prefix} ${currency}`;
    const sum = sums.get(key) ?? { prefix, currency, accounts: 0, posted: 0n, held: 0n, available: 0n };
    sum.accounts++;
    sum.posted += posted;
    sum.held += held;
    sum.available += posted - held;
    sums.set(key, sum);
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
}
