import type { Claim } from '../../src/ledger/ports.ts';
import type { Account, Command, Entry, StoredBlock } from '../../src/ledger/types.ts';
import { lifeCycleFaultsOf } from './check-life-cycle.ts';

/** What a caller was told of its command. That nothing was written is meant of this call, not of others by its key. */
export interface Told {
  readonly key: string;
  readonly answer: 'posted' | 'rejected' | 'refused' | 'nothing written' | 'unknown';
  readonly id?: string;
}

export interface World {
  readonly blocks: readonly StoredBlock[];
  readonly claims: readonly Claim[];
  readonly accounts: readonly Account[];
  readonly told: readonly Told[];
}

/**
 * Replays a journal from nothing, knowing only the rules of bookkeeping, and says everything that is wrong with it. It
 * shares no code with the engine.
 */
export function faultsOf({ blocks, claims, accounts, told }: World): string[] {
  const faults: string[] = [];
  const byId = new Map<string, { entry: Entry; book: number }[]>();
  const homes = new Map(accounts.map(({ id, book }) => [id, book]));
  const balances = new Map(accounts.map(({ id }) => [id, 0n]));
  const below = new Map<number, { height: number; hash: Uint8Array; at: number }>();
  for (const block of [...blocks].sort((a, b) => a.height - b.height)) {
    const { height, hash, at } = below.get(block.book) ?? { height: 0, hash: new Uint8Array(32), at: 0 };
    if (block.height !== height + 1) faults.push(`gap below ${block.height}`);
    if (Buffer.compare(block.prev, hash) !== 0) faults.push(`block ${block.height} does not follow`);
    if (block.at < at) faults.push(`time goes backwards at ${block.height}`);
    below.set(block.book, block);
    for (const entry of block.entries) {
      byId.set(entry.id, [...(byId.get(entry.id) ?? []), { entry, book: block.book }]);
      for (const currency of unbalancedIn(entry)) faults.push(`${entry.id} is unbalanced in ${currency}`);
      for (const { account, amount, posted } of entry.postings) {
        if (homes.has(account) && homes.get(account) !== block.book) faults.push(`${account} is in two books`);
        const balance = (balances.get(account) ?? 0n) + amount;
        balances.set(account, balance);
        if (posted !== balance) faults.push(`${entry.id} says ${account} has ${posted}, and it has ${balance}`);
      }
    }
  }
  for (const { id, state } of claims) if (state === 'pending') faults.push(`claim ${id} is pending`);
  const claimed = new Map(claims.flatMap(({ commands }) => commands.map((command) => [command.key, command])));
  const ids = new Map([...claimed.values()].map((command) => [command.id, command]));
  const outcomes = new Map<string, Outcome>();
  for (const [id, command] of ids) {
    const outcome = outcomeOf(command, byId.get(id) ?? []);
    if (outcome === 'posted' || outcome === 'rejected') outcomes.set(id, outcome);
    else faults.push(`${id} ${outcome}`);
  }
  for (const id of byId.keys()) if (!ids.has(id)) faults.push(`${id} stands and was never claimed`);
  for (const [account, balance] of balances) {
    // All is settled, so nothing is on its way: what one book owes another, that one is owed.
    const [kind, book, other, currency] = account.split(':');
    if (kind !== 'transit') continue;
    const mirror = balances.get(`transit:${other}:${book}:${currency}`) ?? 0n;
    if (balance + mirror !== 0n) faults.push(`${account} has ${balance}, its mirror ${mirror}`);
  }
  const calls = new Map<string, number>();
  for (const { key } of told) calls.set(key, (calls.get(key) ?? 0) + 1);
  for (const { key, answer, id } of told) {
    const own = claimed.get(key)?.id ?? '';
    const outcome = outcomes.get(own);
    const isDenied = answer === 'refused' || (answer === 'nothing written' && calls.get(key) === 1);
    if (isDenied && byId.has(own)) {
      faults.push(`${key}: ${answer}, but it stands`);
    }
    if (answer !== 'posted' && answer !== 'rejected') continue;
    if (own !== id) faults.push(`${key} was answered with ${id} and is ${own || 'lost'}`);
    else if (outcome !== answer) faults.push(`${key} was told ${answer} and is ${outcome}`);
  }
  return [...faults, ...lifeCycleFaultsOf({ blocks, claims, accounts })];
}

function unbalancedIn({ postings }: Entry): string[] {
  const sums = new Map<string, bigint>();
  for (const { currency, amount } of postings) sums.set(currency, (sums.get(currency) ?? 0n) + amount);
  return [...sums].filter(([, sum]) => sum !== 0n).map(([currency]) => currency);
}

type Outcome = 'posted' | 'rejected';

/**
 * What the entries of one command amount to, judged by the money alone: every account got exactly its leg, or nobody
 * anything. What an account could not take stands on its book's suspense account. Else: what is wrong.
 */
function outcomeOf({ legs: asked, hold }: Command, parts: readonly { entry: Entry; book: number }[]): string {
  if (parts.length === 0) return 'was claimed and stands nowhere';
  // What is only held does not move.
  const legs = hold ? [] : asked;
  const places = parts.map(({ entry, book }) => `${book}/${entry.span?.part ?? 'whole'}`);
  if (new Set(places).size < places.length) return `stands twice: ${places.join(' ')}`;
  const moved = new Map<string, bigint>();
  for (const { entry } of parts) {
    for (const { account, amount } of entry.postings) {
      if (!account.startsWith('transit:')) moved.set(account, (moved.get(account) ?? 0n) + amount);
    }
  }
  for (const [account, amount] of moved) if (amount === 0n) moved.delete(account);
  const isRejected = parts.some(({ entry }) => entry.kind === 'rejected');
  if (isRejected) {
    const kept = [...moved].filter(([account]) => !account.startsWith('suspense:'));
    const sum = [...moved.values()].reduce((all, amount) => all + amount, 0n);
    // A reversal that its account could not take is in suspense: then the two cancel.
    return sum === 0n && (kept.length === 0 || kept.length < moved.size)
      ? 'rejected'
      : `is rejected and moved ${[...moved]}`;
  }
  const suspended = [...moved]
    .filter(([account]) => account.startsWith('suspense:'))
    .reduce((all, [, amount]) => all + amount, 0n);
  let missing = 0n;
  for (const { account, amount } of legs) {
    const got = moved.get(account) ?? 0n;
    if (got === amount) continue;
    if (got !== 0n || amount < 0n) return `moved ${got} instead of ${amount} on ${account}`;
    missing += amount;
  }
  return missing === suspended ? 'posted' : `lacks ${missing}, and has ${suspended} in suspense`;
}
