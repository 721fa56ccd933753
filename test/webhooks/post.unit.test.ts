/** What is posted to those who do not mean well. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Poster } from '../../src/webhooks/post.ts';

const HEAD = 'HTTP/1.1 200 OK\r\n';
const servers: Server[] = [];
const posters: Poster[] = [];
const timers: NodeJS.Timeout[] = [];

interface Seen {
  readonly url: string;
  readonly requests: string[];
  readonly sockets: Set<Socket>;
}

/** Calls `answer` for each request, with the socket that it came on. */
async function serve(answer: (socket: Socket) => void): Promise<Seen> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.on('data', (data) => {
      requests.push(data.toString('latin1'));
      answer(socket);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, requests, sockets };
}

function repeat(work: () => void, ms: number): void {
  timers.push(setInterval(work, ms));
}

function poster(attemptMsMax?: number): Poster {
  const made = new Poster(true, attemptMsMax);
  posters.push(made);
  return made;
}

afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer);
  await Promise.all(posters.splice(0).map((one) => one.close()));
  for (const server of servers.splice(0)) server.close();
});

describe('an attempt ends in time', () => {
  const PATIENCE_MS = 300;

  async function within(seen: Seen): Promise<object> {
    const began = performance.now();
    const posted = await poster(PATIENCE_MS).post(seen.url, '{}', {});
    // By default it has 15 s. Whoever counted from what came last would wait for ever.
    expect(performance.now() - began).toBeLessThan(12_000);
    return posted;
  }

  it('when nothing is answered', async () => {
    expect(await within(await serve(() => undefined))).toMatchObject({ status: null });
  });

  it('when headers come one character at a time', async () => {
    const seen = await serve((socket) => {
      socket.write(HEAD);
      repeat(() => socket.write('x'), 10);
    });
    expect(await within(seen)).toMatchObject({ status: null });
  });

  it('when it is told to wait, again and again', async () => {
    const seen = await serve((socket) => repeat(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 10));
    expect(await within(seen)).toMatchObject({ status: null });
  });

  it('when the body comes one character at a time, and counts as answered', async () => {
    const seen = await serve((socket) => {
      socket.write(`${HEAD}content-length: 1000000\r\n\r\n`);
      repeat(() => socket.write('x'), 10);
    });
    expect(await within(seen)).toEqual({ status: 200, result: 'HTTP 200' });
    await expect.poll(() => seen.sockets.size).toBe(0);
  });
});

describe('an answer', () => {
  it.each([
    ['says that it is huge', 'content-length: 100000000000'],
    ['never ends', 'transfer-encoding: chunked'],
  ])('that %s is not read, and its connection not kept', async (_, header) => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    let written = 0;
    const seen = await serve((socket) => {
      socket.write(`${HEAD}${header}\r\n\r\n`);
      repeat(() => {
        if (socket.destroyed || socket.writableNeedDrain) return;
        socket.write(chunk);
        written += chunk.length;
      }, 1);
    });
    expect(await poster().post(seen.url, '{}', {})).toMatchObject({ status: 200 });
    await expect.poll(() => seen.sockets.size).toBe(0);
    expect(written).toBeLessThan(20_000_000);
  });

  it('that is compressed is not unpacked', async () => {
    const seen = await serve((socket) => {
      socket.write(`${HEAD}content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope`);
    });
    expect(await poster().post(seen.url, '{}', {})).toEqual({ status: 200, result: 'HTTP 200' });
  });

  it.each([
    ['with too large headers', `${HEAD}x: ${'x'.repeat(100_000)}\r\n\r\n`],
    ['that is no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['that wants another protocol', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ])('%s counts as none, and what it says is kept nowhere', async (_, answer) => {
    const seen = await serve((socket) => socket.end(answer));
    const posted = await poster().post(seen.url, '{}', {});
    expect(posted.status).toBeNull();
    expect(posted.result).not.toMatch(/OpenSSH|xxx/);
    expect(posted.result.length).toBeLessThanOrEqual(200);
  });

  it('does not come before the request that it is of', async () => {
    // Two answers to one request: the second must not count for the next.
    const ok = `${HEAD}content-length: 0\r\n\r\n`;
    const answers = [
      `HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n${ok}`,
      'HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n',
    ];
    const seen = await serve((socket) => socket.write(answers.shift() ?? ''));
    const one = poster();
    const first = await one.post(seen.url, '{"n":1}', {});
    const second = await one.post(seen.url, '{"n":2}', {});
    expect([first.status, second.status]).not.toContain(200);
  });
});

describe('a request', () => {
  it('goes past what the environment names as a proxy', async () => {
    const proxy = await serve((socket) => socket.end('HTTP/1.1 502 Proxy\r\n\r\n'));
    const seen = await serve((socket) => socket.write(`${HEAD}content-length: 0\r\n\r\n`));
    const before = { ...process.env };
    Object.assign(process.env, { HTTP_PROXY: proxy.url, http_proxy: proxy.url, ALL_PROXY: proxy.url });
    try {
      expect(await poster().post(seen.url, '{}', {})).toMatchObject({ status: 200 });
    } finally {
      for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
    expect(proxy.requests).toEqual([]);
  });

  it('with a header that holds a line break is not sent', async () => {
    const seen = await serve((socket) => socket.write(`${HEAD}content-length: 0\r\n\r\n`));
    const posted = await poster().post(seen.url, '{}', { 'kvitt-event-id': 'evt_1\r\nx: y' });
    expect(posted.status).toBeNull();
    expect(seen.requests).toEqual([]);
  });

  it('is not kept waiting by slow ones to the same host', async () => {
    const answer = (socket: Socket) => socket.write(`${HEAD}content-length: 0\r\n\r\n`);
    const seen = await serve((socket) => {
      if (seen.requests.at(-1)!.includes('/quick')) answer(socket);
    });
    const one = poster(50_000);
    let slowEnded = 0;
    const slow = Array.from({ length: 30 }, async () => {
      await one.post(`${seen.url}slow`, '{}', {});
      slowEnded++;
    });
    await expect.poll(() => seen.requests.length).toBe(30);
    expect(await one.post(`${seen.url}quick`, '{}', {})).toMatchObject({ status: 200 });
    expect(slowEnded).toBe(0);
    for (const socket of seen.sockets) answer(socket);
    await Promise.all(slow);
  });
});
