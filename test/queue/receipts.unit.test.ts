import { expect, test } from 'vitest';
import type { SqsCalls } from '../../src/queue/calls.ts';
import { Health } from '../../src/queue/health.ts';
import { Receipts } from '../../src/queue/receipts.ts';
import { quietLog } from '../support/log.ts';

test('a message counts as deleted only when the server says so of it', async () => {
  const asked: string[][] = [];
  // Of what it is asked it does the first, refuses one that is called stale, and is silent about the others.
  const deleteBatch: SqsCalls['deleteBatch'] = async ({ Entries = [] }) => {
    asked.push(Entries.map(({ ReceiptHandle }) => ReceiptHandle!));
    const stale = Entries.filter(({ ReceiptHandle }) => ReceiptHandle === 'stale');
    const Failed = stale.map(({ Id }) => ({ Id, SenderFault: true, Code: 'ReceiptHandleIsInvalid' }));
    return { Successful: Entries.slice(0, 1).map(({ Id }) => ({ Id })), Failed };
  };
  const receipts = new Receipts({ deleteBatch } as SqsCalls, 'q', new Health(quietLog, 'it', 'look'));
  const done = await Promise.all(['a', 'stale', 'b', 'c'].map((receipt) => receipts.delete(receipt)));
  expect(done).toEqual([true, false, true, true]);
  expect(asked).toEqual([['a', 'stale', 'b', 'c'], ['b', 'c'], ['c']]);
});
