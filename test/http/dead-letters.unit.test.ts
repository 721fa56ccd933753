/** The routes of dead letters, over an office that only remembers what it was asked. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeadLetter, DeadLetters } from '../../src/http/routes/dead-letters.ts';
import { PaymentsError } from '../../src/payments/types.ts';
import { type TestApp, testApp } from './support/app.ts';

const LETTER: DeadLetter = {
  id: 'letter-1',
  reason: 'account_not_found',
  code: 'account_not_found',
  detail: 'there is no account nobody',
  originalMessageId: 'message-1',
  receiveCount: 2,
  sentAt: new Date(1_767_225_600_000),
  event: { id: 'order-7', type: 'payment.requested' },
  size: 120,
  history: [],
};
const SHOWN = {
  object: 'dead_letter',
  id: 'letter-1',
  reason: 'account_not_found',
  code: 'account_not_found',
  detail: 'there is no account nobody',
  original_message_id: 'message-1',
  receive_count: 2,
  sent_at: '2026-01-01T00:00:00.000Z',
  event: { id: 'order-7', type: 'payment.requested' },
  size: 120,
  history: [],
};
const OUTCOME = { done: 3, failed: 1, notDeleted: 0, missing: [], more: false, problem: null };

class Office implements DeadLetters {
  readonly asked: unknown[] = [];
  failure: Error | null = null;
  outcome: typeof OUTCOME | (Omit<typeof OUTCOME, 'problem'> & { problem: string }) = OUTCOME;

  list = (look: object) => this.#answer(look, { letters: [LETTER], more: true });
  redrive = (order: object) => this.#answer(order, this.outcome);
  drop = (order: object) => this.#answer(order, this.outcome);
  show = (id: string) =>
    id === LETTER.id
      ? this.#answer(id, { letter: LETTER, body: '{}', encoding: 'gzip' })
      : Promise.reject(new PaymentsError('not_found', `there is no dead letter ${id}`));

  async #answer<T>(asked: unknown, answer: T): Promise<T> {
    this.asked.push(asked);
    if (this.failure !== null) throw this.failure;
    return answer;
  }
}

let office: Office;
let target: TestApp;
beforeEach(async () => {
  office = new Office();
  target = await testApp({}, office);
});
afterEach(() => target.app.close());

describe('dead letters', () => {
  test('are listed, by their reason', async () => {
    const answer = await target.get('/v1/dead_letters?reason=account_not_found&limit=7');
    expect(answer.json()).toEqual({ object: 'dead_letters', data: [SHOWN], more: true });
    expect(answer.headers.link).toBeUndefined();
    await target.get('/v1/dead_letters');
    expect(office.asked).toEqual([
      { reason: 'account_not_found', limit: 7, msMax: 20_000 },
      { limit: 100, msMax: 20_000 },
    ]);
  });

  test('are shown with their body', async () => {
    const answer = await target.get('/v1/dead_letters/letter-1');
    expect(answer.json()).toEqual({ ...SHOWN, content_encoding: 'gzip', body: '{}' });
    expect((await target.get('/v1/dead_letters/other')).json()).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('are sent back, which is kept for the audit', async () => {
    const answer = await target.post('/v1/dead_letters/redrive', { reason: 'not_found', rate_per_second: 5, limit: 9 });
    expect(answer.json()).toEqual({
      object: 'dead_letter_redrive',
      redriven: 3,
      failed: 1,
      not_deleted: 0,
      missing: [],
      more: false,
    });
    expect(office.asked).toEqual([{ choice: { reason: 'not_found' }, limit: 9, msMax: 20_000, ratePerSecond: 5 }]);
    expect(target.audited.entries).toMatchObject([
      {
        action: 'dead_letters_redriven',
        target: 'dead_letter_redrive',
        details: { chosen: 'reason not_found', done: '3', failed: '1' },
      },
    ]);
  });

  test('are dropped, which is kept for the audit', async () => {
    const answer = await target.post('/v1/dead_letters/drop', { ids: ['a', 'b'] });
    expect(answer.json()).toEqual({ object: 'dead_letter_drop', dropped: 3, failed: 1, missing: [], more: false });
    expect(office.asked).toEqual([{ choice: { ids: ['a', 'b'] }, limit: 1_000, msMax: 20_000 }]);
    expect(target.audited.entries).toMatchObject([
      { action: 'dead_letters_dropped', target: 'dead_letter_drop', details: { chosen: 'ids a b' } },
    ]);
  });

  test('that were not all come by say that there are more', async () => {
    office.outcome = { ...OUTCOME, problem: 'the queue ends' };
    expect((await target.post('/v1/dead_letters/redrive', { all: true })).json()).toMatchObject({ more: true });
  });

  test.each([
    ['none', {}],
    ['two ways at once', { all: true, reason: 'not_found' }],
    ['not all', { all: false }],
    ['no ids', { ids: [] }],
    ['an id that is none', { ids: ['a b'] }],
    ['a limit too high', { all: true, limit: 1_001 }],
    ['a rate of nothing', { all: true, rate_per_second: 0 }],
    ['something else', { all: true, force: true }],
  ])('are not sent back or dropped when they are chosen by %s', async (_, body) => {
    for (const what of ['redrive', 'drop']) {
      const answer = await target.post(`/v1/dead_letters/${what}`, body);
      expect([answer.statusCode, answer.json().code]).toEqual([400, 'validation_failed']);
    }
    expect([office.asked, target.audited.entries]).toEqual([[], []]);
  });

  test('of queues that cannot be reached are a 503, and nothing is kept', async () => {
    office.failure = Object.assign(new Error('AccessDenied: arn:aws:sqs:secret'), { code: 'queue_unavailable' });
    const answers = [
      await target.get('/v1/dead_letters'),
      await target.get('/v1/dead_letters/letter-1'),
      await target.post('/v1/dead_letters/redrive', { all: true }),
      await target.post('/v1/dead_letters/drop', { all: true }),
    ];
    for (const answer of answers) {
      expect([answer.statusCode, answer.json().code]).toEqual([503, 'unavailable']);
      expect(answer.body).not.toContain('secret');
    }
    expect(target.audited.entries).toEqual([]);
  });
});

test('a service without a queue says so', async () => {
  const other = await testApp();
  for (const answer of [
    await other.get('/v1/dead_letters'),
    await other.get('/v1/dead_letters/letter-1'),
    await other.post('/v1/dead_letters/redrive', { all: true }),
    await other.post('/v1/dead_letters/drop', { all: true }),
  ]) {
    expect([answer.statusCode, answer.json().code]).toEqual([404, 'no_queue']);
  }
  await other.app.close();
});
