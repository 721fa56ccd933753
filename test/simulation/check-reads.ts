import type { StoredBlock } from '../../src/ledger/types.ts';

/** Times are of one clock that never goes back, in ms. */
interface Timed {
  readonly calledAt: number;
  readonly answeredAt: number;
  /** The process that was asked. */
  readonly process: number;
}

/** A balance that somebody read, and the height it was said to stand at. */
export interface BalanceRead extends Timed {
  readonly account: string;
  readonly posted: bigint;
  readonly height: number;
}

/** A command that was answered with an entry. */
export interface Acknowledged extends Timed {
  readonly id: string;
}

interface History {
  readonly blocks: readonly StoredBlock[];
  readonly reads: readonly BalanceRead[];
  readonly acknowledged: readonly Acknowledged[];
}

/**
 * Says which reads were wrong: of a value that the account did not have at that height, or of one that was over when
 * the read began, as the same process had already acknowledged or read a later one.
 */
export function readFaultsOf({ blocks, reads, acknowledged }: History): string[] {
  const { balances, heights } = replayed(blocks);
  const faults: string[] = [];
  const seen: Seen[] = reads.map(({ account, height, answeredAt, process }) => ({
    account,
    height,
    answeredAt,
    process,
  }));
  for (const { id, answeredAt, process } of acknowledged) {
    for (const { account, height } of heights.get(id) ?? []) seen.push({ account, height, answeredAt, process });
  }
  const floors = new Map<string, Floor>();
  for (const one of seen.sort((a, b) => a.answeredAt - b.answeredAt)) {
    const name = `${one.process}/${one.account}`;
    const floor = floors.get(name) ?? new Floor();
    floors.set(name, floor.raise(one));
  }
  for (const { account, posted, height, calledAt, process } of reads) {
    const had = height === 0 ? 0n : balances.get(account)?.get(height);
    if (had !== posted)
      faults.push(`${account} was read as ${posted} at ${height}, and had ${had ?? 'no entry there'}`);
    const floor = floors.get(`${process}/${account}`)?.before(calledAt) ?? 0;
    if (height < floor) faults.push(`${account} was read at ${height}, when ${floor} was known already`);
  }
  return faults;
}

interface Seen {
  readonly account: string;
  readonly height: number;
  readonly answeredAt: number;
  readonly process: number;
}

/** The highest height that was known at a time. */
class Floor {
  readonly #times: number[] = [];
  readonly #heights: number[] = [];

  /** In the order of time. */
  raise({ answeredAt, height }: Seen): this {
    this.#times.push(answeredAt);
    this.#heights.push(Math.max(height, this.#heights.at(-1) ?? 0));
    return this;
  }

  before(time: number): number {
    let low = 0;
    for (let high = this.#times.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#times[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return this.#heights[low - 1] ?? 0;
  }
}

/** Every balance at the end of every block that touched the account, and where each command's postings stand. */
function replayed(blocks: readonly StoredBlock[]) {
  const balances = new Map<string, Map<number, bigint>>();
  const latest = new Map<string, bigint>();
  const heights = new Map<string, { account: string; height: number }[]>();
  for (const { height, entries } of [...blocks].sort((a, b) => a.height - b.height)) {
    for (const { id, postings } of entries) {
      for (const { account, amount } of postings) {
        latest.set(account, (latest.get(account) ?? 0n) + amount);
        const ofAccount = balances.get(account) ?? new Map<number, bigint>();
        balances.set(account, ofAccount.set(height, latest.get(account)!));
        const ofCommand = heights.get(id) ?? [];
        ofCommand.push({ account, height });
        heights.set(id, ofCommand);
      }
    }
  }
  return { balances, heights };
}
