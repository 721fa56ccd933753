import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { fixedTargets, KvittClient } from '../../src/client/index.ts';
import { ServiceProcess } from '../../src/demo/service-process.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { type PopulationProgress, populate } from '../../src/loadtest/population.ts';
import type { QueueTarget } from '../../src/loadtest/queue-sender.ts';
import { OUTCOMES, type RunResult } from '../../src/loadtest/result.ts';
import { Run, type RunOptions } from '../../src/loadtest/run.ts';
import { SCENARIOS } from '../../src/loadtest/scenarios.ts';
import { freePort } from '../../src/mongo/free-ports.ts';
import { type EmbeddedSqs, startEmbeddedSqs } from '../../src/queue/embedded.ts';
import { useService } from '../service/support/service.ts';
import { useDatabase } from '../support/database.ts';
import { type Lie, startLyingProxy } from './support/lying-proxy.ts';
import { scenarioOf } from './support/scenario-of.ts';
import { small } from './support/small.ts';

const FIFO = { FifoQueue: 'true' };
const AMOUNT = { from: 60, to: 60 };
const QUEUES = [
  ...[{ name: 'events' }, { name: 'dead' }],
  ...[
    { name: 'events.fifo', attributes: FIFO },
    { name: 'dead.fifo', attributes: FIFO },
  ],
];
const LOW = { rate: 30, seconds: 2 };
const BUYS = scenarioOf({ profile: { kind: 'constant', perSecond: 20, seconds: 1 } });

// Starting processes takes long on a machine that is busy.
vi.setConfig({ testTimeout: 180_000 });

let sqs: EmbeddedSqs;
beforeAll(async () => {
  vi.stubEnv('AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED', 'true');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  sqs = await startEmbeddedSqs({ queues: QUEUES });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await sqs.stop();
});

const settings = (suffix = '') => ({
  SQS_QUEUE_URL: sqs.queueUrls.get(`events${suffix}`)!,
  SQS_DEAD_LETTER_QUEUE_URL: sqs.queueUrls.get(`dead${suffix}`)!,
  ...{ SQS_ENDPOINT: sqs.endpoint, AWS_REGION: sqs.region, SQS_WAIT_SECONDS: '1' },
});
const service = useService(() => settings());
const fifoService = useService(() => settings('.fifo'));

function queueOf(suffix = ''): QueueTarget {
  return { url: sqs.queueUrls.get(`events${suffix}`)!, endpoint: sqs.endpoint, region: sqs.region };
}

function run(changed: Partial<RunOptions> & Pick<RunOptions, 'scenario'>, at = service): Run {
  const { address, key: apiKey } = at.api;
  const limits = { processes: 1, timeoutMs: 20_000, queueStillMs: 15_000, seed: 7 };
  return new Run({ addresses: [address], apiKey, queue: queueOf(), ...limits, ...changed });
}

/** Whatever was done, it was counted the same everywhere, and the ledger has it. */
function expectSound({ counts, operations, timeline, ledger, journeys, seconds }: RunResult): void {
  expect(ledger).toMatchObject({ ok: true, faults: [], once: ledger.acknowledged });
  for (const outcome of OUTCOMES) {
    expect(operations.reduce((sum, one) => sum + one.counts[outcome], 0)).toBe(counts[outcome]);
    expect(timeline.reduce((sum, one) => sum + one.counts[outcome], 0)).toBe(counts[outcome]);
  }
  expect(timeline.reduce((sum, { arrivals }) => sum + arrivals, 0)).toBe(journeys.begun);
  expect(journeys.ended + journeys.brokenOff).toBe(journeys.begun);
  expect(seconds).toBeGreaterThan(0);
}

describe.concurrent('every scenario that is shipped', () => {
  for (const scenario of SCENARIOS) {
    test(`is carried out: ${scenario.name}`, async ({ expect }) => {
      const result = await run({ scenario: small(scenario, LOW) }).carryOut();
      expectSound(result);
      const { counts, journeys, ledger } = result;
      expect(journeys.begun).toBeGreaterThan(10);
      expect(journeys.brokenOff).toBe(0);
      expect(counts).toMatchObject({ refused: 0, failed: 0, unknown: 0, held_back: 0, declined: 0 });
      expect(ledger.acknowledged).toBeGreaterThan(0);
      if (scenario.name === 'day') expect(ledger.queueMs).not.toBeNull();
    });
  }

  test('is carried out in several processes over a FIFO queue', async ({ expect }) => {
    const scenario = small(SCENARIOS.find(({ name }) => name === 'day')!, LOW);
    const result = await run({ scenario, processes: 2, queue: queueOf('.fifo') }, fifoService).carryOut();
    expectSound(result);
    expect(result.ledger.queueMs).not.toBeNull();
    expect(result.journeys.brokenOff).toBe(0);
  });
});

describe.concurrent('the ledger is compared with what users were told', () => {
  const BODY = { id: randomUUID(), object: 'payment', last_transaction_id: randomUUID() };
  const LIES: [string, Lie, RegExp][] = [
    ['lost', async () => ({ status: 201, body: JSON.stringify(BODY) }), /was acknowledged and is not in the ledger/],
    [
      'doubled',
      async (passed, pass) => {
        await pass({ ...passed, headers: { ...passed.headers, 'idempotency-key': randomUUID() } });
        return pass(passed);
      },
      /is in the ledger more than once/,
    ],
    [
      'of another amount',
      (passed, pass) => {
        const body = JSON.parse(passed.body);
        return pass({ ...passed, body: JSON.stringify({ ...body, amount: body.amount + 1 }) });
      },
      /is in the ledger with \d+ instead of \d+/,
    ],
    [
      'done though it was refused',
      async (passed, pass) => {
        await pass(passed);
        return { status: 503, body: JSON.stringify({ code: 'overloaded' }) };
      },
      /was refused and is in the ledger all the same/,
    ],
  ];

  for (const [what, lie, fault] of LIES) {
    test(`a payment is ${what}`, async ({ expect, onTestFinished }) => {
      const proxy = await startLyingProxy(service.api.address, lie, onTestFinished);
      const { ledger } = await run({ scenario: BUYS, addresses: [proxy] }).carryOut();
      expect(ledger.ok).toBe(false);
      expect(ledger.faults.join('\n')).toMatch(fault);
    });
  }

  test('a balancer that loses an answer is asked again', async ({ expect, onTestFinished }) => {
    const html: Lie = async (passed, pass) => {
      await pass(passed);
      return { status: 503, body: '<h1>503 Service Unavailable</h1>' };
    };
    const proxy = await startLyingProxy(service.api.address, html, onTestFinished);
    const { ledger, counts } = await run({ scenario: BUYS, addresses: [proxy] }).carryOut();
    expect(counts).toMatchObject({ ok: 19, unknown: 1 });
    expect(ledger).toMatchObject({ ok: true, faults: [], settled: 1, unknown: 0, acknowledged: 20, once: 20 });
  });

  test('messages that the ledger declines are not missing', async ({ expect }) => {
    const scenario = scenarioOf({
      population: { wallets: 2, funds: 100, merchants: 2, merchantSkew: 0 },
      journeys: [{ name: 'buy', weight: 1, steps: [{ do: 'buy', amount: AMOUNT, via: 'queue' }] }],
      profile: { kind: 'constant', perSecond: 20, seconds: 1 },
    });
    const { ledger, counts } = await run({ scenario, queueStillMs: 5_000 }).carryOut();
    expect(counts).toMatchObject({ ok: 20 });
    expect(ledger).toMatchObject({ ok: true, faults: [], acknowledged: 2, once: 2 });
  });
});

describe.concurrent('a run that is ended early', () => {
  const scenario = scenarioOf({ profile: { kind: 'constant', perSecond: 20, seconds: 600 } });

  test('is compared with the ledger, and is as long as it was', async ({ expect }) => {
    const shown: number[] = [];
    const { address, key: apiKey } = service.api;
    const started = new Run(
      { scenario, addresses: [address], apiKey, queue: null, processes: 1 },
      {
        onSecond: ({ at }) => {
          shown.push(at);
          started.stop();
        },
      },
    );
    const result = await started.carryOut();
    expectSound(result);
    expect(result.seconds).toBeLessThan(60);
    expect(result.perSecond).toBeCloseTo((result.counts.ok + result.counts.declined) / result.seconds, 6);
    expect(shown).toEqual(shown.map((_, index) => index));
  });

  test('before anybody came is no run', async ({ expect }) => {
    const started = run({ scenario });
    const running = started.carryOut();
    started.stop();
    await expect(running).rejects.toThrow('It was ended before the first user came.');
  });
});

test('a run that cannot be carried out is refused at once', () => {
  const closed = scenarioOf({ profile: { kind: 'closed', users: 20, seconds: 1 } });
  expect(() => run({ scenario: closed, outstandingMax: 19 })).toThrow('20 users need as many calls');
  const day = SCENARIOS.find(({ name }) => name === 'day')!;
  expect(() => run({ scenario: day, queue: null })).toThrow('The scenario day sends to a queue: give its URL.');
});

test('accounts that are there before the first user are opened and filled once, also when asked twice', async () => {
  const { address, key: apiKey } = service.api;
  const client = new KvittClient({ targets: fixedTargets([address]), apiKey });
  const scenario = scenarioOf({ population: { wallets: 3, funds: 500, merchants: 2, merchantSkew: 0 } });
  const progress: PopulationProgress[] = [];
  await populate(client, { run: 'twice', scenario }, (one) => void progress.push(one));
  await populate(client, { run: 'twice', scenario });
  expect(progress.map(({ phase, done, of }) => `${phase} ${done}/${of}`)).toEqual([
    ...['accounts 1/5', 'accounts 2/5', 'accounts 3/5', 'accounts 4/5', 'accounts 5/5'],
    ...['funds 1/3', 'funds 2/3', 'funds 3/3'],
  ]);
  for (const wallet of [0, 1, 2]) expect(await service.api.posted(`lt:twice:w:${wallet}`)).toBe('500');
});

describe('a service that is killed in the middle', () => {
  const database = useDatabase();

  test('loses nothing that it has acknowledged, and what was unknown is settled', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvitt-loadtest-'));
    const [port, apiKey] = [await freePort(), generateApiKey()];
    const environment = {
      ...{ MONGODB_URI: database.uri, MONGODB_DATABASE: database.name },
      ...{ HTTP_PORT: String(port), BOOTSTRAP_API_KEY: apiKey },
    };
    const killed = new ServiceProcess(`http://127.0.0.1:${port}`, environment, join(folder, 'service.log'));
    try {
      await killed.start();
      const scenario = scenarioOf({ profile: { kind: 'constant', perSecond: 60, seconds: 6 }, arrivals: 'poisson' });
      let restarted: Promise<void> | null = null;
      const result = await new Run(
        { scenario, addresses: [killed.address], apiKey, queue: null, processes: 1, timeoutMs: 5_000 },
        {
          onSecond: () => {
            restarted ??= killed.end('SIGKILL').then(() => killed.start());
          },
        },
      ).carryOut();
      await restarted;
      expectSound(result);
      expect(result.counts.ok).toBeGreaterThan(0);
      expect(result.counts.refused + result.counts.unknown).toBeGreaterThan(0);
      expect(result.ledger).toMatchObject({ unknown: 0, settled: result.counts.unknown });
    } finally {
      await killed.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
});
