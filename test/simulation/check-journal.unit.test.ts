import { beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../src/ledger/engine.ts';
import type { Claim } from '../../src/ledger/ports.ts';
import type { Entry, Posting, StoredBlock } from '../../src/ledger/types.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { faultsOf, type Told, type World } from './check-journal.ts';
import { type Acknowledged, type BalanceRead, readFaultsOf } from './check-reads.ts';

/** What the engine wrote, sound: payments within a book and between two, one of them rejected. */
let sound: World;
const ids: Record<'within' | 'across' | 'rejected', string> = { within: '', across: '', rejected: '' };

beforeAll(async () => {
  const store = new MemoryStore();
  const accounts = [
    anAccount('world', { minBalance: null }),
    anAccount('a', { book: 0 }),
    anAccount('b', { book: 1 }),
    anAccount('c', { book: 0, maxBalance: 1_000n }),
  ];
  for (const account of accounts) store.accounts.set(account.id, account);
  const engine = new Engine({
    journal: store.journal(),
    claims: store.claimsPort(),
    accounts: store,
    log: quietLog,
  });
  const told: Told[] = [];
  const pay = async (source: string, destination: string, amount: bigint) => {
    const command = aPayment(source, destination, amount);
    const { entry } = await engine.submit(command);
    told.push({ key: command.key, answer: entry.kind === 'rejected' ? 'rejected' : 'posted', id: entry.id });
    return command.id;
  };
  ids.within = await pay('world', 'a', 100n);
  ids.across = await pay('a', 'b', 30n);
  ids.rejected = await pay('c', 'a', 5n);
  await pay('b', 'c', 10n);
  await engine.stop();
  const blocks = [...store.blocks.values()];
  sound = { blocks, claims: [...store.claims.values()], accounts: [...store.accounts.values()], told };
});

/** The sound world with other blocks: what stood at a height stands there no more, and no hash gives it away. */
function withEntries(change: (entry: Entry, block: StoredBlock) => readonly Entry[]): World {
  const blocks = sound.blocks.map((block) => ({
    ...block,
    entries: block.entries.flatMap((entry) => change(entry, block)),
  }));
  return { ...sound, blocks };
}

function withPostings(id: string, change: (posting: Posting) => Posting): World {
  return withEntries((entry) => [entry.id === id ? { ...entry, postings: entry.postings.map(change) } : entry]);
}

function withTold(id: string, change: (told: Told) => Told): World {
  return { ...sound, told: sound.told.map((one) => (one.id === id ? change(one) : one)) };
}

function withClaims(change: (claim: Claim) => readonly Claim[]): World {
  return { ...sound, claims: sound.claims.flatMap(change) };
}

describe('the checker of a journal', () => {
  it('finds nothing wrong with what the engine wrote', () => {
    expect(sound.blocks.flatMap(({ entries }) => entries)).toHaveLength(6);
    expect(faultsOf(sound)).toEqual([]);
  });

  it('finds an acknowledged payment that is lost', () => {
    const found = faultsOf(withEntries((entry) => (entry.id === ids.within ? [] : [entry])));
    expect(found).toContainEqual(`${ids.within} was claimed and stands nowhere`);
    expect(found).toContainEqual(expect.stringContaining('was told posted and is undefined'));
  });

  it('finds an acknowledged payment that was never claimed', () => {
    const found = faultsOf(withClaims((claim) => (claim.commands[0]!.id === ids.within ? [] : [claim])));
    expect(found).toContainEqual(`${ids.within} stands and was never claimed`);
    expect(found).toContainEqual(expect.stringContaining(`was answered with ${ids.within} and is lost`));
  });

  it('finds an acknowledgement under the id of another payment', () => {
    const found = faultsOf(withTold(ids.within, (one) => ({ ...one, id: ids.across })));
    expect(found).toEqual([expect.stringContaining(`was answered with ${ids.across} and is ${ids.within}`)]);
  });

  it('finds a payment that stands twice, also when its running balances go on', () => {
    const later = (entry: Entry): Entry => ({
      ...entry,
      postings: entry.postings.map((posting) => ({ ...posting, posted: posting.posted + posting.amount })),
    });
    const found = faultsOf(withEntries((entry) => (entry.id === ids.within ? [entry, later(entry)] : [entry])));
    expect(found).toContainEqual(`${ids.within} stands twice: 0/whole 0/whole`);
  });

  it('finds the doubled credit of a payment between books', () => {
    const found = faultsOf(withEntries((entry) => (entry.span?.part === 'credit' ? [entry, entry] : [entry])));
    expect(found).toContainEqual(`${ids.across} stands twice: 1/credit 1/credit 0/debit`);
  });

  it('finds a transfer whose credit never came, and the transit account that still holds it', () => {
    const isIts = (entry: Entry) => entry.id === ids.across && entry.span?.part === 'credit';
    const found = faultsOf(withEntries((entry) => (isIts(entry) ? [] : [entry])));
    expect(found).toContainEqual(`${ids.across} lacks 30, and has 0 in suspense`);
    expect(found).toContainEqual('transit:0:1:EUR has 20, its mirror 10');
  });

  it('finds a transfer that was credited without its debit', () => {
    const isIts = (entry: Entry) => entry.id === ids.across && entry.span?.part === 'debit';
    const found = faultsOf(withEntries((entry) => (isIts(entry) ? [] : [entry])));
    expect(found).toContainEqual(`${ids.across} moved 0 instead of -30 on a`);
  });

  it('finds transit accounts of two books that do not agree, even when no running balance is wrong', () => {
    const elsewhere = (posting: Posting) => ({
      ...posting,
      account: posting.account.replace('transit:1:0', 'transit:1:2'),
    });
    const found = faultsOf(withPostings(ids.across, elsewhere));
    expect(found).toContainEqual(expect.stringMatching(/^transit:0:1:EUR has .*, its mirror/));
  });

  it('finds a wrong running balance', () => {
    const wrong = (posting: Posting) =>
      posting.account === 'a' ? { ...posting, posted: posting.posted + 1n } : posting;
    expect(faultsOf(withPostings(ids.within, wrong))).toEqual([`${ids.within} says a has 101, and it has 100`]);
  });

  it('finds a rejected payment that moved money, and one told posted that was rejected', () => {
    const moved = withEntries((entry) => [
      entry.id === ids.within
        ? { ...entry, kind: 'rejected', rejection: { reason: 'expired', kind: 'payment', legs: [] } }
        : entry,
    ]);
    expect(faultsOf(moved)).toContainEqual(`${ids.within} is rejected and moved world,-100,a,100`);
    const found = faultsOf(withTold(ids.rejected, (one) => ({ ...one, answer: 'posted' })));
    expect(found).toEqual([expect.stringContaining('was told posted and is rejected')]);
  });

  it.each(['refused', 'nothing written'] as const)(
    'finds a payment that stands though its caller was told: %s',
    (answer) => {
      const found = faultsOf(withTold(ids.across, ({ key }) => ({ key, answer })));
      expect(found).toEqual([expect.stringContaining(`: ${answer}, but it stands`)]);
    },
  );

  it('finds a claim that stays pending', () => {
    const [first] = sound.claims;
    const found = faultsOf(withClaims((claim) => [claim === first ? { ...claim, state: 'pending' } : claim]));
    expect(found).toEqual([`claim ${first!.id} is pending`]);
  });

  it('finds an entry that is unbalanced in a currency, though its sum is zero', () => {
    const other = (posting: Posting) => (posting.account === 'a' ? { ...posting, currency: 'USD' } : posting);
    const found = faultsOf(withPostings(ids.within, other));
    expect(found).toEqual([`${ids.within} is unbalanced in EUR`, `${ids.within} is unbalanced in USD`]);
  });

  it('finds balances beyond their limits', () => {
    const accounts = sound.accounts.map((account) =>
      account.id === 'world'
        ? { ...account, minBalance: -99n }
        : account.id === 'c'
          ? { ...account, maxBalance: 9n }
          : account,
    );
    expect(faultsOf({ ...sound, accounts })).toEqual(['world is below -99', 'c is above 9']);
  });

  it('finds a missing block, one that does not follow and a time that goes back', () => {
    const without = sound.blocks.filter(({ book, height }) => book !== 0 || height !== 2);
    expect(faultsOf({ ...sound, blocks: without })).toEqual(
      expect.arrayContaining(['gap below 3', 'block 3 does not follow']),
    );
    const back = sound.blocks.map((block) => (block.book === 0 && block.height === 3 ? { ...block, at: 1 } : block));
    expect(faultsOf({ ...sound, blocks: back })).toEqual(['time goes backwards at 3']);
  });
});

describe('the checker of balances that were read', () => {
  const of = (answeredAt: number, more: Partial<BalanceRead> = {}): BalanceRead => {
    const { entry, height } = placedOf(ids.within);
    const { posted } = entry.postings.find(({ account }) => account === 'a')!;
    return { account: 'a', posted, height, calledAt: answeredAt - 1, answeredAt, process: 0, ...more };
  };
  const placedOf = (id: string) =>
    sound.blocks
      .filter(({ book }) => book === 0)
      .flatMap(({ entries, height }) => entries.map((entry) => ({ entry, height })))
      .find(({ entry }) => entry.id === id)!;
  const check = (reads: BalanceRead[], acknowledged: Acknowledged[] = []) =>
    readFaultsOf({ blocks: sound.blocks, reads, acknowledged });

  it('finds nothing wrong with what was true between call and answer', () => {
    const before = of(10, { posted: 0n, height: 0 });
    // The later entry was acknowledged while the read was on its way, and by another process before it began.
    const { within, across } = ids;
    const later = [
      { id: across, calledAt: 25, answeredAt: 29.5, process: 0 },
      { id: within, calledAt: 1, answeredAt: 2, process: 1 },
    ];
    expect(check([before, of(30)], later)).toEqual([]);
  });

  it('finds a value that the account never had at that height', () => {
    const { height } = of(30);
    expect(check([of(30, { posted: 7n })])).toEqual([`a was read as 7 at ${height}, and had 100`]);
    expect(check([of(30, { height: 1 })])).toEqual(['a was read as 100 at 1, and had no entry there']);
  });

  it('finds a stale read: behind what the same process acknowledged or read before', () => {
    const { height } = placedOf(ids.across);
    const stale = [`a was read at ${of(30).height}, when ${height} was known already`];
    expect(check([of(30)], [{ id: ids.across, calledAt: 1, answeredAt: 20, process: 0 }])).toEqual(stale);
    const { posted } = placedOf(ids.across).entry.postings.find(({ account }) => account === 'a')!;
    expect(check([of(20, { posted, height }), of(30)])).toEqual(stale);
  });
});
