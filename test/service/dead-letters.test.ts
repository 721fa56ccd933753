/** Dead letters of the whole service: with the command line as processes of their own, and over the API. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedTargets, KvittClient } from '../../src/client/index.ts';
import { paymentEvent } from '../queue/support/events.ts';
import { startTestSqs, TestQueues, type TestSqs } from '../queue/support/sqs.ts';
import { kvitt, useBuild } from './support/kvitt.ts';
import { useService } from './support/service.ts';

const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
let sqs: TestSqs;
let queues: TestQueues;
beforeAll(async () => {
  vi.stubEnv('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED', 'true');
  for (const [name, value] of Object.entries(CREDENTIALS)) vi.stubEnv(name, value);
  sqs = await startTestSqs();
  queues = await TestQueues.create(sqs.client);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await sqs.stop();
});

useBuild();
const service = useService(() => ({
  SQS_QUEUE_URL: queues.queueUrl,
  SQS_DEAD_LETTER_QUEUE_URL: queues.deadLetterQueueUrl,
  SQS_ENDPOINT: sqs.endpoint,
  SQS_WAIT_SECONDS: '1',
}));
let client: KvittClient;

beforeAll(async () => {
  await service.api.createAccounts('world:EUR', 'alice');
  await service.api.pay('world:EUR', 'alice', 100);
  client = new KvittClient({ targets: fixedTargets([service.api.address]), apiKey: service.api.key });
});

const run = (...args: string[]) => kvitt(['dlq', ...args], { ...service.environment, ...CREDENTIALS });
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);
const audited = async () => {
  const { stdout } = await kvitt(['audit', 'list', '--limit', '1', '--json'], service.environment);
  return JSON.parse(stdout)[0] as object;
};

let payees = 0;
let payee: string;
/** Three events that pay somebody who has no account yet, and one that is none. */
beforeEach(async () => {
  await client.dropDeadLetters({ all: true });
  payee = `payee-${++payees}`;
  const events = [1, 2, 3].map((n) => paymentEvent(`${payee}-${n}`, { destination: payee }));
  await queues.send('{"id": ', ...events);
  await queues.drained();
});

describe('kvitt dlq', () => {
  it('lists, shows and sends back, and the events have their effect', async () => {
    const { letters, more } = await json('list', '--reason', 'account_not_found');
    expect(more).toBe(false);
    expect(letters).toHaveLength(3);
    expect(letters[0]).toMatchObject({
      reason: 'account_not_found',
      original_message_id: expect.any(String),
      receive_count: 1,
      event: { type: 'payment.requested' },
    });
    const table = await run('list');
    expect([table.code, table.stderr]).toEqual([0, '']);
    expect(table.stdout).toMatch(/^id +sent +reason +event +receives +detail\n/);
    expect(table.stdout).toContain('malformed_json');
    expect(table.stdout.trimEnd().split('\n')).toHaveLength(5);

    const shown = await run('show', letters[0].id);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain(paymentEvent(letters[0].event.id, { destination: payee }));
    expect(await json('show', letters[0].id)).toMatchObject({ ...letters[0], content_encoding: null });

    await service.api.createAccounts(payee);
    const one = await run('redrive', '--id', letters[0].id);
    expect([one.code, one.stdout, one.stderr]).toEqual([0, '1 sent back\n', '']);
    expect(await audited()).toMatchObject({
      action: 'dead_letters_redriven',
      target: `dead letters of ${queues.deadLetterQueueUrl}`,
      details: { ids: [letters[0].id], done: 1, failed: 0, not_deleted: 0 },
    });
    expect(await json('redrive', '--reason', 'account_not_found', '--rate', '50')).toMatchObject({
      done: 2,
      failed: 0,
    });
    await queues.drained();
    expect(await service.api.posted(payee)).toBe('3');
    expect((await json('list')).letters).toMatchObject([{ reason: 'malformed_json' }]);
  });

  it('sends back all, and drops, only with --yes', async () => {
    for (const args of [
      ['redrive', '--all'],
      ['drop', '--all'],
      ['drop', '--reason', 'malformed_json'],
    ]) {
      const refused = await run(...args);
      expect([refused.code, refused.stdout]).toEqual([2, '']);
      expect(refused.stderr).toContain('needs --yes');
    }
    expect((await json('list')).letters).toHaveLength(4);
    const dropped = await run('drop', '--reason', 'malformed_json', '--yes');
    expect([dropped.code, dropped.stdout]).toEqual([0, '1 deleted\n']);
    expect(await audited()).toMatchObject({
      action: 'dead_letters_dropped',
      details: { reason: 'malformed_json', done: 1 },
    });
    expect(await json('redrive', '--all', '--yes')).toMatchObject({ done: 3, more: false });
    await queues.drained();
    // Their account is not there still.
    const { letters } = await json('list');
    expect(letters.map(({ history }: { history: unknown[] }) => history.length)).toEqual([2, 2, 2]);
  });

  it('says what it cannot do, by its exit code and in words', async () => {
    const missing = await run('show', 'none');
    expect([missing.code, missing.stderr]).toEqual([1, 'kvitt dlq: there is no dead letter none\n']);
    const gone = await run('redrive', '--id', 'none');
    expect([gone.code, gone.stdout]).toEqual([1, '0 sent back\nnot found: none\n']);
    for (const args of [
      ['redrive'],
      ['redrive', '--all', '--reason', 'x', '--yes'],
      ['list', '--limit', '0'],
      ['other'],
    ]) {
      expect((await run(...args)).code).toBe(2);
    }
    const { SQS_QUEUE_URL: _, SQS_DEAD_LETTER_QUEUE_URL: __, ...without } = service.environment;
    for (const args of [['list'], ['drop', '--all', '--yes']]) {
      const unset = await kvitt(['dlq', ...args], without);
      expect(unset.code).toBe(2);
      expect(unset.stderr).toContain('Set SQS_QUEUE_URL and SQS_DEAD_LETTER_QUEUE_URL');
    }
    const elsewhere = { ...service.environment, ...CREDENTIALS, SQS_ENDPOINT: 'http://127.0.0.1:9' };
    const unreachable = await kvitt(['dlq', 'list'], elsewhere);
    expect([unreachable.code, unreachable.stdout]).toEqual([2, '']);
    expect(unreachable.stderr).toContain('the dead-letter queue cannot be read');
  });
});

describe('the API', () => {
  it('lists, shows, sends back and drops', async () => {
    const { data, more } = await client.listDeadLetters({ reason: 'account_not_found' });
    expect([data.length, more]).toEqual([3, false]);
    const [first] = data;
    expect(await client.getDeadLetter(first!.id)).toEqual({
      ...first,
      content_encoding: null,
      body: paymentEvent(first!.event!.id, { destination: payee }),
    });
    await expect(client.getDeadLetter('none')).rejects.toMatchObject({ code: 'not_found', status: 404 });

    await service.api.createAccounts(payee);
    expect(await client.redriveDeadLetters({ ids: [first!.id] })).toMatchObject({
      redriven: 1,
      failed: 0,
      more: false,
    });
    expect(await client.redriveDeadLetters({ reason: 'account_not_found', rate_per_second: 100 })).toEqual({
      object: 'dead_letter_redrive',
      redriven: 2,
      failed: 0,
      not_deleted: 0,
      missing: [],
      more: false,
    });
    await queues.drained();
    expect(await service.api.posted(payee)).toBe('3');
    expect(await audited()).toMatchObject({
      actor: 'client bootstrap',
      action: 'dead_letters_redriven',
      details: { chosen: 'reason account_not_found', done: '2' },
    });
    expect(await client.dropDeadLetters({ all: true })).toMatchObject({ dropped: 1 });
    expect((await client.listDeadLetters()).data).toEqual([]);
  });
});
