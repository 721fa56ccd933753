import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MachineSampler, MetricsSampler, type Sampler, Sampling, valuesOf } from '../../src/loadtest/resources.ts';
import { startServer } from './support/local-server.ts';

function metricsOf(cpuSeconds: number): string {
  return [
    '# HELP process_cpu_seconds_total CPU',
    '# TYPE process_cpu_seconds_total counter',
    `process_cpu_seconds_total ${cpuSeconds}`,
    'process_resident_memory_bytes 104857600',
    'kvitt_mongodb_pool_connections{state="in_use"} 3',
    'kvitt_mongodb_pool_connections{state="idle"} 4',
    'nodejs_eventloop_lag_p99_seconds Nan',
    '',
  ].join('\n');
}

describe('metrics of an instance', () => {
  async function samplerOf(...answers: [status: number, text: string][]): Promise<MetricsSampler> {
    const keys: unknown[] = [];
    const { address } = await startServer((request, response) => {
      keys.push(request.headers.authorization);
      const [status, text] = answers.shift()!;
      response.writeHead(status).end(text);
    });
    return new MetricsSampler(address, 'secret');
  }
  const cpuOf = (readings: Awaited<ReturnType<Sampler['read']>>) => readings.find(({ name }) => name === 'cpu')?.value;

  test('are shown, and counters as rates from the second time on', async () => {
    const sampler = await samplerOf([200, metricsOf(5)], [200, metricsOf(6)]);
    const first = await sampler.read();
    expect(cpuOf(first)).toBeUndefined();
    expect(first).toContainEqual({
      of: expect.stringMatching(/^service 127/),
      name: 'memory',
      unit: 'MiB',
      value: 100,
    });
    expect(first).toContainEqual(expect.objectContaining({ name: 'pool in use', value: 3 }));
    expect(cpuOf(await sampler.read())).toBeGreaterThan(0);
  });

  test('of a process that was started anew are not below zero', async () => {
    const sampler = await samplerOf([200, metricsOf(5)], [200, metricsOf(1)], [200, metricsOf(2)]);
    await sampler.read();
    expect(cpuOf(await sampler.read())).toBeUndefined();
    expect(cpuOf(await sampler.read())).toBeGreaterThan(0);
  });

  test('that are refused say so', async () => {
    await expect((await samplerOf([403, 'no'])).read()).rejects.toThrow(/metrics answered 403/);
  });

  test('are summed over their labels', () => {
    const values = valuesOf('a{x="1"} 2\na{x="2 3"} 5\n# c\nb 7\n');
    expect([...values]).toEqual([
      ['a{x="1"}', 2],
      ['a', 7],
      ['a{x="2 3"}', 5],
      ['b', 7],
    ]);
  });
});

describe('sampling', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('leaves out what cannot be read, is no number, or does not answer', async () => {
    let turn = 0;
    const samplers: Sampler[] = [
      {
        read: async () => {
          if (++turn === 2) throw new Error('not now');
          return [{ of: 'it', name: 'cpu', unit: 'cores', value: turn === 3 ? Number.NaN : turn }];
        },
      },
      { read: () => (turn < 5 ? Promise.resolve([]) : new Promise(() => undefined)) },
    ];
    const sampling = new Sampling(samplers, Date.now());
    await vi.advanceTimersByTimeAsync(4_000);
    const [series] = await sampling.stop();
    expect(series).toEqual({
      of: 'it',
      name: 'cpu',
      unit: 'cores',
      points: [
        [1, 1],
        [4, 4],
      ],
    });
    expect(vi.getTimerCount()).toBeLessThanOrEqual(8);
  });
});

test('the machine has a CPU and memory', async () => {
  const [cpu, memory] = await new MachineSampler().read();
  expect(cpu).toMatchObject({ name: 'cpu', unit: 'cores' });
  expect(cpu!.value).toBeGreaterThanOrEqual(0);
  expect(memory!.value).toBeGreaterThan(0);
});
