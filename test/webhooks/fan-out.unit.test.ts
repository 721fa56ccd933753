import { expect, it } from 'vitest';
import { EventStreams } from '../../src/events/streams.ts';
import type { Entry, StoredBlock } from '../../src/ledger/types.ts';
import { FanOut } from '../../src/webhooks/fan-out.ts';
import { MemoryNotices } from '../events/support/notices.ts';
import { anEndpoint, MemoryWebhooks } from './support/memory-webhooks.ts';

function blockOf(height: number): StoredBlock {
  const id = `txn_${height}`;
  const changed = { account: 'a', status: 'open', minBalance: null, maxBalance: null } as const;
  const entry: Entry = { id, key: id, kind: 'account_change', postings: [], changed, details: {} };
  const none = new Uint8Array(32);
  return {
    ...{ book: 0, height, prev: none, hash: none, term: 1, at: height, kind: 'entries', postingsBelow: 0 },
    entries: [entry],
  };
}

it('an endpoint is told of all that happens once it is there, also when it comes while endpoints are read', async () => {
  const blocks: StoredBlock[] = [blockOf(1)];
  const webhooks = new MemoryWebhooks(anEndpoint('old'));
  let reached = 0;
  let reads = 0;
  const fanOut = new FanOut({
    streams: new EventStreams(
      {
        read: async (_, from, limit) => blocks.slice(from - 1, from - 1 + limit),
        findEntries: async () => [],
        heightAt: async () => blocks.length,
        books: async () => [0],
      },
      new MemoryNotices(),
    ),
    progress: {
      position: async () => ({ height: reached, epoch: null }),
      moveOn: async (_, __, height) => {
        reached = height;
      },
    },
    endpoints: {
      all: async () => {
        const found = await webhooks.endpoints.all();
        if (reads++ === 1) {
          // It was created just after they were read, and something happened at once.
          webhooks.add(anEndpoint('new'));
          blocks.push(blockOf(blocks.length + 1));
        }
        return found;
      },
    },
    deliveries: webhooks,
  });
  await fanOut.advance(0);
  // From now on several blocks are read at once.
  blocks.push(blockOf(2));
  while (!(await fanOut.advance(0)).isAtTip);
  const eventsOf = (endpoint: string) => webhooks.of(endpoint).map(({ eventId }) => eventId);
  expect(eventsOf('old')).toEqual(['evt_1', 'evt_2', 'evt_3']);
  expect(eventsOf('new')).toEqual(['evt_3']);
  expect(reached).toBe(3);
});
