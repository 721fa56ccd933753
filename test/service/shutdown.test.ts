import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../src/mongo/free-ports.ts';
import { Api } from './support/api.ts';
import { Kvitt, useBuild } from './support/kvitt.ts';
import { useService } from './support/service.ts';

const GRACE_MS = 2_000;

useBuild();
/** The one that goes on while the other one is ended. */
const service = useService();
let other: Kvitt;
let port: number;

beforeAll(() => service.api.createAccounts('world:EUR', 'alice'));
afterEach(() => other?.kill('SIGKILL'));

async function startOther(graceMs: number, settings: Readonly<Record<string, string>> = {}): Promise<void> {
  port = await freePort();
  const own = { HTTP_PORT: String(port), SHUTDOWN_GRACE_MS: String(graceMs), ...settings };
  other = new Kvitt(['serve'], { ...service.environment, ...own });
  await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${port}/readyz`)).ok).toBe(true), {
    timeout: 60_000,
    interval: 100,
  });
}

const posted = () => service.api.posted('alice');

/** Sends a payment up to the middle of its body; answers a way to send the rest, and what comes back. */
async function beginPayment(key: string) {
  const body = JSON.stringify({ source: 'world:EUR', destination: 'alice', amount: 25, currency: 'EUR' });
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  const ended = once(socket, 'close');
  let answer = '';
  socket.on('data', (chunk: string) => {
    answer += chunk;
  });
  const head = [
    'POST /v1/payments HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${service.api.key}`,
    'Content-Type: application/json',
    `Idempotency-Key: ${key}`,
    `Content-Length: ${body.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, 10)}`);
  // Answered only after the half request was seen, for both came over connections that were accepted in turn.
  await fetch(`http://127.0.0.1:${port}/livez`);
  return {
    finish: () => socket.write(body.slice(10)),
    answer: async () => {
      await ended;
      return answer;
    },
  };
}

/** Resolves when nobody is let in any more. */
async function beginToEnd(): Promise<void> {
  other.kill('SIGTERM');
  await vi.waitFor(() => expect(other.stderr).toContain('"msg":"ending"'), { timeout: 30_000 });
  await vi.waitFor(() => expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow(), { timeout: 30_000 });
}

describe('SIGTERM', () => {
  it('lets a request that has begun be carried out and answered, and ends with 0', async () => {
    await startOther(40_000);
    const payment = await beginPayment('half-way');
    await beginToEnd();
    expect(other.hasEnded).toBe(false);
    payment.finish();
    const answer = await payment.answer();
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(await other.ended()).toMatchObject({ code: 0, stdout: '' });
    expect(await posted()).toBe('25');
  });

  it('waits for a request that does not come to its end no longer than the grace, and ends with 0', async () => {
    await startOther(GRACE_MS);
    const payment = await beginPayment('never-finished');
    const began = performance.now();
    await beginToEnd();
    expect(await payment.answer()).toBe('');
    expect(await other.ended()).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeGreaterThanOrEqual(GRACE_MS);
  });

  it('is told of by /readyz for as long as was asked for, before anybody is refused', async () => {
    await startOther(GRACE_MS, { SHUTDOWN_DELAY_MS: '60000' });
    other.kill('SIGTERM');
    const readyz = () => fetch(`http://127.0.0.1:${port}/readyz`);
    await vi.waitFor(async () => expect((await readyz()).status).toBe(503), { timeout: 30_000 });
    expect(await (await readyz()).json()).toMatchObject({ code: 'not_ready', checks: { service: 'it is ending' } });
    const client = new Api(`http://127.0.0.1:${port}`, service.api.key);
    const payment = { source: 'world:EUR', destination: 'alice', amount: 5, currency: 'EUR' };
    expect((await client.post('/v1/payments', payment)).status).toBe(201);
    expect(other.hasEnded).toBe(false);
  });
});
