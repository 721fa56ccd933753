import { describe, expect, it } from 'vitest';
import { type JournalEntry, type QueueWorld, queueFaultsOf, type SentBody } from './support/check-queue.ts';

function sentBody(id: string | null, amount: bigint | null, text = `${id}: ${amount}`): SentBody {
  const asks = amount === null ? null : { source: 'world', destination: 'alice', amount };
  return { text, id, asks, messageIds: new Set([`message of ${text}`]), unsure: 0 };
}

function entry(event: string, amount: bigint, posted: bigint, more: Partial<JournalEntry> = {}): JournalEntry {
  const postings = [
    { account: 'world', amount: -amount, posted: -posted },
    { account: 'alice', amount, posted },
  ];
  return { book: 0, id: `txn of ${event}`, key: `sqs/${event}`, kind: 'payment', part: null, postings, ...more };
}

const DONE = [sentBody('one', 1n), sentBody('two', 2n)];
const MALFORMED = sentBody(null, null, '{');
const FIRST = sentBody('used', 4n);
const OTHER = sentBody('used', 5n);
const POOR = { ...sentBody('poor', 9n), asks: { source: 'bob', destination: 'alice', amount: 9n } };
const letterOf = ({ text }: SentBody) => ({ body: text, of: `message of ${text}`, reason: 'because' });

/** Events done, one refused, one rejected, and an id that was used for two. */
const RIGHT: QueueWorld = {
  sent: [...DONE, MALFORMED, FIRST, OTHER, POOR],
  entries: [
    entry('one', 1n, 1n),
    entry('used', 4n, 5n),
    entry('poor', 0n, 0n, { kind: 'rejected', postings: [] }),
    entry('two', 2n, 7n),
  ],
  unlimited: ['world'],
  letters: [letterOf(MALFORMED), letterOf(OTHER)],
  left: { visible: 0, hidden: 0 },
};
const [ONE, USED, REJECTED, TWO] = RIGHT.entries as [JournalEntry, JournalEntry, JournalEntry, JournalEntry];

/** Of a payment from book 0 to book 1. */
const crossing = [
  {
    ...entry('two', 2n, 7n),
    part: 'debit',
    postings: [TWO.postings[0]!, { account: 'transit:0:1:EUR', amount: 2n, posted: 2n }],
  },
  {
    ...entry('two', 2n, 7n),
    book: 1,
    part: 'credit',
    postings: [TWO.postings[1]!, { account: 'transit:1:0:EUR', amount: -2n, posted: -2n }],
  },
];

describe('the checker of the queue path', () => {
  it.each<[string, Partial<QueueWorld>]>([
    ['one entry an event', {}],
    [
      'the other body of an id that was used for two',
      {
        entries: [ONE, entry('used', 5n, 6n), REJECTED, entry('two', 2n, 8n)],
        letters: [letterOf(MALFORMED), letterOf(FIRST)],
      },
    ],
    ['both parts of a payment between books', { entries: [ONE, USED, REJECTED, ...crossing] }],
    ['a dead letter that is there twice', { letters: [...RIGHT.letters, letterOf(MALFORMED)] }],
    [
      'a dead letter of a message that may have been sent',
      {
        sent: [...DONE, { ...MALFORMED, unsure: 1 }, FIRST, OTHER, POOR],
        letters: [...RIGHT.letters, { ...letterOf(MALFORMED), of: 'who knows' }],
      },
    ],
  ])('finds nothing wrong with %s', (_, change) => {
    expect(queueFaultsOf({ ...RIGHT, ...change })).toEqual([]);
  });

  it.each<[string, Partial<QueueWorld>, string[]]>([
    ['a lost event', { entries: [ONE, USED, REJECTED] }, ['two is lost']],
    [
      'an event that happened twice',
      { entries: [...RIGHT.entries, entry('two', 2n, 9n, { id: 'another txn' })] },
      ['two happened more than once', 'world has -9 instead of -5', 'alice has 9 instead of 5'],
    ],
    [
      'an entry that stands twice',
      { entries: [...RIGHT.entries, entry('two', 2n, 9n)] },
      ['two stands twice: 0/null 0/null', 'world has -9 instead of -5', 'alice has 9 instead of 5'],
    ],
    [
      'a wrong amount',
      { entries: [ONE, USED, REJECTED, entry('two', 3n, 8n)] },
      ['two moved -3 on world, 3 on alice', 'world has -8 instead of -5', 'alice has 8 instead of 5'],
    ],
    [
      'a payment whose other half is missing',
      { entries: [ONE, USED, REJECTED, crossing[0]!] },
      ['two moved -2 on world', 'world has -7 instead of -5'],
    ],
    [
      'a balance that is not the sum',
      { entries: [entry('one', 1n, 2n), USED, REJECTED, TWO] },
      ['one says world has -2, and it has -1', 'one says alice has 2, and it has 1'],
    ],
    [
      'an event that was not sent',
      { entries: [...RIGHT.entries, entry('three', 1n, 8n)] },
      ['three stands and was not to be done', 'world has -8 instead of -7', 'alice has 8 instead of 7'],
    ],
    [
      'an entry that no event asked for',
      { entries: [...RIGHT.entries, entry('x', 1n, 8n, { key: 'shop/x' })] },
      ['txn of x was not asked for by an event'],
    ],
    [
      'a rejection that nothing justifies',
      { entries: [ONE, USED, REJECTED, { ...REJECTED, id: TWO.id, key: TWO.key }] },
      ['two was rejected, but world had enough'],
    ],
    [
      'both bodies of an id',
      { entries: [...RIGHT.entries, entry('used', 5n, 12n, { id: 'another txn' })], letters: [letterOf(MALFORMED)] },
      ['used happened more than once', 'world has -12 instead of -3', 'alice has 12 instead of 3'],
    ],
    ['a missing dead letter', { letters: [letterOf(OTHER)] }, ['there is no dead letter of message of {: {']],
    [
      'a missing dead letter of a used id',
      { letters: [letterOf(MALFORMED)] },
      ['there is no dead letter of message of used: 5: used: 5'],
    ],
    [
      'a dead letter of what was done',
      { letters: [...RIGHT.letters, letterOf(DONE[0]!)] },
      ['a dead letter was to be done: one: 1'],
    ],
    [
      'a dead letter of nothing that was sent',
      { letters: [...RIGHT.letters, { body: 'what?', of: 'message', reason: 'because' }] },
      ['a dead letter was never sent: what?'],
    ],
    [
      'a dead letter of another message',
      { letters: [...RIGHT.letters, { ...letterOf(MALFORMED), of: 'who knows' }] },
      ['dead letters of messages that were not sent, who knows: {'],
    ],
    ['a message that is left', { left: { visible: 1, hidden: 2 } }, ['1 messages are left, and 2 hidden']],
  ])('finds %s', (_, change, faults) => {
    expect(queueFaultsOf({ ...RIGHT, ...change })).toEqual(faults);
  });
});
