import { test } from '@fast-check/vitest';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noticeEvent, partsOf, storedOf } from '../../src/events/notices.ts';
import { presentEvent } from '../../src/events/present.ts';
import { publishedSchemas } from '../../src/events/published.ts';
import { followedStreams } from '../../src/events/streams.ts';
import { type EventView, NOTICES, type Notice } from '../../src/events/types.ts';
import { aBreak, anAdjustedBreak, aReconciliation, opened } from './support/notices.ts';

const EACH: readonly Notice[] = [
  { type: 'reconciliation.completed', object: aReconciliation('1') },
  { type: 'reconciliation.completed', object: aReconciliation('2', { source: null, kind: 'internal', file: null }) },
  { type: 'reconciliation.break_opened', object: aBreak('1') },
  {
    type: 'reconciliation.break_resolved',
    object: anAdjustedBreak('1', 'txn_7'),
    askedBy: { requestId: 'req_1', idempotencyKey: 'k' },
  },
];

const AT = 1_000;

function eventsOf(batch: string, notices: readonly Notice[], at = AT): EventView[] {
  const entries = partsOf(notices).flatMap((some, part) => storedOf({ batch, part }, at, some));
  return entries.map((entry, index) => noticeEvent({ entry, book: NOTICES, height: 3, at, index }));
}

describe('the event of a notice', () => {
  const events = eventsOf('batch', EACH).map(presentEvent);

  it('is as its published schema says', () => {
    const ajv = new Ajv2020({ strict: true, allErrors: true });
    addFormats.default(ajv);
    for (const event of events) {
      const validate = ajv.compile(JSON.parse(publishedSchemas().get(`${event.type}.json`)!));
      expect(validate(event), JSON.stringify(validate.errors)).toBe(true);
      expect(validate({ ...event, book: 0 })).toBe(false);
    }
  });

  it('stands in no book, in the group of its source', () => {
    expect(events.map(({ book, height, created_at }) => [book, height, created_at])).toEqual(
      EACH.map(() => [null, 3, '1970-01-01T00:00:01.000Z']),
    );
    expect(events.map(({ group }) => group)).toEqual([
      'reconciliation:bank',
      'reconciliation',
      'reconciliation:bank',
      'reconciliation:bank',
    ]);
  });

  it('names the transaction that resolved a break, and who asked for it, and otherwise nothing', () => {
    expect(events.map(({ transaction_id }) => transaction_id)).toEqual([null, null, null, 'txn_7']);
    const nobody = { id: null, idempotency_key: null };
    expect(events.map(({ request }) => request)).toEqual([
      ...[nobody, nobody, nobody],
      { id: 'req_1', idempotency_key: 'k' },
    ]);
  });

  it('holds the object as it was given', () => {
    expect(events.map(({ data }) => data.object)).toEqual(EACH.map(({ object }) => object));
  });
});

describe('the ids of notices', () => {
  const UUID = /^evt_[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const count = fc.integer({ min: 1, max: 600 });
  const ids = (batch: string, many: number, at?: number) =>
    eventsOf(batch, opened(...Array.from({ length: many }, (_, i) => String(i))), at).map(({ id }) => id);

  test.prop([fc.string(), count])('are always the same, and UUIDs of their own', (batch, many) => {
    const made = ids(batch, many);
    expect(ids(batch, many)).toEqual(made);
    expect(new Set([...made, ...ids(`${batch}1`, many)]).size).toBe(2 * many);
    for (const id of made) expect(id).toMatch(UUID);
  });

  test.prop([fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 1e12 })])(
    'grow with time, and in a block with the place, as those of other events do',
    (at, later) => {
      const made = [...ids('a', 500, at), ...ids('b', 500, at + later)];
      expect([...made].sort()).toEqual(made);
    },
  );
});

describe('notices that could not be sent are refused', () => {
  it.each([
    ['a source that is no group of a queue', aBreak('1', { source: 'the bank' }), /source of brk_1/],
    ['a source that is empty', aBreak('1', { source: '' }), /source of brk_1/],
    ['a source that is too long', aBreak('1', { source: 'x'.repeat(114) }), /source of brk_1/],
    ['an object that is too large', aBreak('1', { message: '€'.repeat(10_000) }), /brk_1 has 30\d+ bytes/],
  ])('%s', (_, object, message) => {
    const notices: Notice[] = [...opened('0'), { type: 'reconciliation.break_opened', object }];
    expect(() => partsOf(notices)).toThrow(message);
  });
});

it('the notices are followed by who has the first book, beside the books', () => {
  const { books, isOurs } = followedStreams(3, (book) => book === 0);
  expect(books).toEqual([0, 1, 2, NOTICES]);
  expect(books.filter(isOurs)).toEqual([0, NOTICES]);
});
