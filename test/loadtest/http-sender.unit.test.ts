import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type HttpAnswer, HttpSender, type HttpSenderOptions } from '../../src/loadtest/http-sender.ts';
import { told } from '../../src/loadtest/outcome.ts';
import { answer, Crowd, startServer } from './support/local-server.ts';

const PAY = { method: 'POST', path: '/v1/payments', body: '{}', idempotencyKey: 'key-1' } as const;

function senderTo(addresses: readonly string[], changed: Partial<HttpSenderOptions> = {}) {
  const sender = new HttpSender({ addresses, apiKey: 'secret', connectionsMax: 10, timeoutMs: 20_000, ...changed });
  onTestFinished(() => sender.close());
  return (call: Parameters<HttpSender['send']>[0] = PAY) =>
    new Promise<HttpAnswer>((resolve) => sender.send(call, resolve));
}

/** A server that does this with a connection once a request has come. */
async function rawServer(reply: string, ending: 'reset' | 'end'): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(reply, () => (ending === 'end' ? socket.end() : socket.resetAndDestroy()));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe('a call over HTTP', () => {
  test('is sent with its key, and its answer is told', async () => {
    const { address } = await startServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => answer(response, 201, { body, headers: request.headers, url: request.url }));
    });
    const { status, body } = (await senderTo([address])()) as { status: number; body: string };
    expect(status).toBe(201);
    expect(JSON.parse(body)).toMatchObject({
      ...{ body: '{}', url: '/v1/payments' },
      headers: { authorization: 'Bearer secret', 'idempotency-key': 'key-1', 'content-type': 'application/json' },
    });
  });

  const HEAD = 'HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n';
  test.each([
    ['reset before anything', '', 'reset'],
    ['ended before anything', '', 'end'],
    ['reset within the headers', 'HTTP/1.1 201 Cre', 'reset'],
    ['reset after the headers', HEAD, 'reset'],
    ['ended within the body', `${HEAD}{"id":"x"}`, 'end'],
    ['answered with nonsense', 'SSH-2.0-OpenSSH_9.2\r\n', 'end'],
    ['answered without JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK', 'end'],
  ] as const)('that is %s has an unknown fate', async (_, reply, ending) => {
    const call = await senderTo([await rawServer(reply, ending)])();
    expect(told(call).outcome).toBe('unknown');
  });

  test('to nobody is refused', async () => {
    const { address, server } = await startServer(() => undefined);
    server.close();
    await once(server, 'close');
    const call = await senderTo([address])();
    expect(call).toMatchObject({ failure: expect.stringContaining('ECONNREFUSED'), mayHaveArrived: false });
    expect(told(call).outcome).toBe('refused');
  });

  test('to an address that cannot be found is refused', async () => {
    expect(told(await senderTo(['http://kvitt.invalid:1'])()).outcome).toBe('refused');
  });

  test('that is never answered has an unknown fate after its time', async () => {
    const { address } = await startServer(() => undefined);
    const call = await senderTo([address], { timeoutMs: 1_000 })();
    expect(call).toEqual({ failure: 'no answer within 1000 ms', mayHaveArrived: true });
  });

  test('whose answer never ends has an unknown fate after its time, however much of it comes', async () => {
    const { address } = await startServer((_, response) => {
      response.writeHead(201);
      const timer = setInterval(() => response.write(' '), 10);
      response.once('close', () => clearInterval(timer));
    });
    const call = await senderTo([address], { timeoutMs: 1_000 })();
    expect(call).toMatchObject({ failure: 'no answer within 1000 ms', mayHaveArrived: true });
  });

  test('whose answer has no bounds has an unknown fate', async () => {
    const { address } = await startServer((_, response) => {
      const block = Buffer.alloc(256 * 1024);
      response.on('error', () => undefined);
      response.writeHead(200);
      const more = () => {
        if (!response.destroyed) response.write(block, more);
      };
      more();
    });
    const call = await senderTo([address])();
    expect(call).toMatchObject({ failure: expect.stringContaining('the answer is longer than'), mayHaveArrived: true });
  });

  test('that never got a connection is refused after its time, and is not sent later', async () => {
    const crowd = new Crowd();
    const { address } = await startServer((_, response) => crowd.enter(response));
    const send = senderTo([address], { timeoutMs: 2_000, connectionsMax: 1 });
    // At one moment, to the microsecond: else the second may get the connection of the first just before its own end.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    const sent = [send(), send(), send()];
    clock.mockRestore();
    const calls = await Promise.all(sent);
    expect(calls.map((call) => told(call).outcome).sort()).toEqual(['refused', 'refused', 'unknown']);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(crowd.all).toBe(1);
  });

  test('is told of once, though more comes after it was given up', async () => {
    const { address } = await startServer((_, response) => setTimeout(() => answer(response, 201, {}), 200));
    let times = 0;
    const sender = new HttpSender({ addresses: [address], apiKey: 'x', connectionsMax: 1, timeoutMs: 50 });
    sender.send(PAY, () => times++);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await sender.close();
    expect(times).toBe(1);
  });

  test('that cannot be sent at all is refused', async () => {
    const { address } = await startServer(() => undefined);
    expect(told(await senderTo([address])({ ...PAY, path: '/v1/pay ments\r\n' })).outcome).toBe('refused');
  });
});

test('addresses take turns, and connections are as many as allowed', async () => {
  const crowds = [new Crowd(), new Crowd()];
  const servers = await Promise.all(
    crowds.map((crowd) =>
      startServer((_, response) => {
        crowd.enter(response);
        setTimeout(() => answer(response, 200, {}), 50);
      }),
    ),
  );
  const send = senderTo(
    servers.map(({ address }) => address),
    { connectionsMax: 5 },
  );
  await Promise.all(Array.from({ length: 40 }, () => send({ method: 'GET', path: '/' })));
  expect(crowds.map(({ all }) => all)).toEqual([20, 20]);
  for (const { most } of crowds) expect(most).toBe(5);
});
