import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { RunResult } from '../../src/loadtest/result.ts';
import type { ScenarioInput } from '../../src/loadtest/scenario.ts';
import { kvitt, useBuild } from '../service/support/kvitt.ts';
import { useService } from '../service/support/service.ts';

useBuild();
const service = useService();
const SCENARIO: ScenarioInput = {
  name: 'small',
  description: 'A few users, for tests.',
  currency: 'EUR',
  population: { wallets: 20, funds: 1_000_000, merchants: 5, merchantSkew: 1 },
  journeys: [
    { name: 'buy', weight: 3, steps: [{ do: 'buy', amount: { from: 1, to: 9 } }, { do: 'check_balance' }] },
    { name: 'regret', weight: 1, steps: [{ do: 'buy', amount: { from: 1, to: 9 } }, { do: 'refund' }] },
  ],
  profile: { kind: 'constant', perSecond: 40, seconds: 3 },
};
let folder: string;
let scenario: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvitt-loadtest-'));
  scenario = join(folder, 'small.json');
  await writeFile(scenario, JSON.stringify(SCENARIO));
});

afterAll(() => rm(folder, { recursive: true }));

function loadtest(args: readonly string[], address = service.api.address): ReturnType<typeof kvitt> {
  const target = ['--target', address, '--out', join(folder, 'out')];
  return kvitt(['loadtest', ...args, ...target], { KVITT_API_KEY: service.environment.BOOTSTRAP_API_KEY! });
}

describe('kvitt loadtest run', () => {
  it('sends a scenario, compares it with the ledger and keeps the result', async () => {
    const { code, stdout, stderr } = await loadtest(['run', scenario, '--json', '--seed', '1', '--label', 'first']);
    expect(stderr).toContain('written: ');
    const result = JSON.parse(stdout) as RunResult;
    expect(code).toBe(result.validity.valid ? 0 : 3);
    expect(result.ledger).toMatchObject({ ok: true, faults: [], unknown: 0 });
    expect(result.ledger.once).toBe(result.ledger.acknowledged);
    expect(result.ledger.acknowledged).toBeGreaterThan(50);
    expect(result).toMatchObject({ label: 'first', seed: 1, journeys: { brokenOff: 0 } });
    const files = await readdir(join(folder, 'out'));
    const json = files.find((name) => name.startsWith('small-') && name.endsWith('.json'))!;
    expect(JSON.parse(await readFile(join(folder, 'out', json), 'utf8'))).toMatchObject({ id: result.id });
  });

  it('ends with 1 and says what is lost when payments are acknowledged that are not there', async () => {
    const liar = await lyingBefore(service.api.address);
    const { code, stdout } = await loadtest(['run', scenario, '--json'], liar);
    const { ledger } = JSON.parse(stdout) as RunResult;
    expect(ledger.ok).toBe(false);
    expect(ledger.faults.join('\n')).toContain('was acknowledged and is not in the ledger');
    expect(code).toBe(1);
  });

  it.each([
    [['run', 'nonsense'], 'There is no scenario nonsense. Give one of payments, evening, kick-off, day, or a file'],
    [['run', 'payments', '--rate', '-3'], 'It must be a number above 0'],
    [['run', 'day'], 'The scenario day sends to a queue: give its URL'],
    [['capacity', 'payments', '--errors', '2'], 'It must be a number from 0 to 1'],
  ])('refuses %j, says why and sends nothing', async (args, message) => {
    const { code, stdout, stderr } = await loadtest(args);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('says where a scenario of a file is wrong', async () => {
    const file = join(folder, 'wrong.json');
    const journeys = [{ name: 'x', weight: 1, steps: [{ do: 'refund' }] }];
    await writeFile(file, JSON.stringify({ ...SCENARIO, journeys }));
    const { code, stderr } = await loadtest(['run', file]);
    expect(stderr).toContain('refund needs a step buy before it');
    expect(stderr).toContain('journeys[0].steps[0]');
    expect(code).toBe(2);
  });

  it('asks for a target and a key', async () => {
    const none = await kvitt(['loadtest', 'run', scenario], {});
    expect(none.stderr).toContain('Give --target with the address of a service, or --local');
    const keyless = await kvitt(['loadtest', 'run', scenario, '--target', service.api.address], {});
    expect(keyless.stderr).toContain('Set KVITT_API_KEY');
    expect([none.code, keyless.code]).toEqual([2, 2]);
  });
});

describe('kvitt loadtest capacity', () => {
  it('finds the highest rate of those it may try, with an interval', async () => {
    const limits = [
      '--max',
      '30',
      '--rate',
      '30',
      '--seconds',
      '2',
      '--warm-up',
      '0.5',
      '--searches',
      '2',
      '--p99-ms',
      '9000',
    ];
    const { code, stdout, stderr } = await loadtest(['capacity', scenario, '--json', ...limits]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ object: 'capacity', rate: 30, ledgerOk: true });
  });
});

/** Answers every tenth payment as if it had been made, and passes all else on. */
async function lyingBefore(address: string): Promise<string> {
  let payments = 0;
  const server: Server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    if (request.method === 'POST' && request.url === '/v1/payments' && ++payments % 10 === 0) {
      const id = '01a212cb-925d-7a96-b27e-b8921a71afd1';
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id: `pay_${id}`, transaction_id: `txn_${id}`, status: 'posted' }));
      return;
    }
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const answer = await fetch(address + request.url, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(body === '' ? {} : { body }),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}
