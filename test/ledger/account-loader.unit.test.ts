import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AccountLoader } from '../../src/ledger/account-loader.ts';
import { AccountTable } from '../../src/ledger/account-table.ts';
import type { JournalPort } from '../../src/ledger/ports.ts';
import { Task } from '../../src/ledger/task.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { MemoryStore } from '../support/memory-store.ts';

/** A loader over accounts of which each has `posted` now; each read is answered when its release is called. */
function aLoader(posted: Map<string, bigint>, capacity: number) {
  const store = new MemoryStore();
  for (const id of posted.keys()) store.accounts.set(id, anAccount(id));
  const releases: (() => void)[] = [];
  const balances: JournalPort['balances'] = async (ids) => {
    const read = new Map(ids.map((id) => [id, { posted: posted.get(id)!, held: 0n, height: 1, at: 0 }]));
    await new Promise<void>((resolve) => releases.push(resolve));
    return read;
  };
  const table = new AccountTable(capacity);
  const loader = new AccountLoader(table, store, { ...store.journal(), balances });
  const aTask = async (source: string, destination: string) => {
    const task = new Task(aPayment(source, destination, 1n), 0, 0);
    expect(await loader.identify([task])).toEqual(new Map());
    return task;
  };
  const release = async (read: number) => {
    releases[read]!();
    await sleep(1);
  };
  return { table, loader, aTask, release };
}

describe('balances that are read', () => {
  it('are not taken when a block changed them meanwhile, though somebody else reads them again by then', async () => {
    const posted = new Map([
      ['a', 100n],
      ['b', 0n],
    ]);
    const { table, loader, aTask, release } = aLoader(posted, 10);
    const task = await aTask('a', 'b');
    const early = loader.load([task], () => true);
    // A block of another process takes all there is.
    posted.set('a', 0n);
    table.set(table.find('a'), 0n, 0n);
    const late = loader.load([task], () => true);
    await release(0);
    await release(1);
    // Whoever was told something old asks again.
    await release(2);
    await Promise.all([early, late]);
    expect(table.posted(table.find('a'))).toBe(0n);
  });

  it('are not taken for another account that took the place of one whose command ended meanwhile', async () => {
    const posted = new Map([
      ['a', 0n],
      ['b', 0n],
      ['c', 70n],
      ['d', 70n],
    ]);
    const { table, loader, aTask, release } = aLoader(posted, 2);
    const ended = await aTask('a', 'b');
    const early = loader.load([ended], () => true);
    loader.release(ended);
    const task = await aTask('c', 'd');
    const late = loader.load([task], () => true);
    await release(0);
    await release(1);
    await Promise.all([early, late]);
    expect([table.posted(table.find('c')), table.posted(table.find('d'))]).toEqual([70n, 70n]);
  });
});
