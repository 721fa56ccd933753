/** The API of an agent as those see it who should get nothing from it, or too much. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { API_TOKEN, type Api, ARCHIVE_BYTES_MAX, startApi, WEB } from './support/api.ts';
import { SHA256, sha256Of } from './support/doubles.ts';

const WAIT = { timeout: 30_000, interval: 20 };
const PATH = '/v1/artifacts/no.kvitt/web/1.0';
let api: Api;
const sockets: Socket[] = [];
beforeAll(async () => {
  api = await startApi();
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  api.isOwner = true;
  api.table.logText = 'hello\n';
});
afterAll(() => api?.server.close());

/** Sends what no client would, and collects the answer. */
async function raw(text: string): Promise<{ socket: Socket; answer: () => string }> {
  const { port, hostname } = new URL(api.server.address);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  socket.on('error', () => undefined);
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  await once(socket, 'connect');
  socket.write(text);
  return { socket, answer: () => received };
}

describe('whoever has not the token', () => {
  it.each([
    ['none', undefined],
    ['another', `Bearer ${'x'.repeat(40)}`],
    ['a part of it', `Bearer ${API_TOKEN.slice(0, -1)}`],
    ['it, and more', `Bearer ${API_TOKEN}x`],
    ['it, of another scheme', `Basic ${API_TOKEN}`],
    ['it alone', API_TOKEN],
    ['an empty one', 'Bearer '],
    ['a very long one', `Bearer ${'x'.repeat(8_000)}`],
  ])('gets nothing: %s', async (_, authorization) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const paths = ['/v1/status', '/v1/artifacts', PATH, `/v1/processes/${WEB}/logs`, '/', '/v2', '/livez/', '//livez'];
    for (const path of paths) {
      const answer = await fetch(`${api.server.address}${path}`, { headers });
      expect([path, answer.status]).toEqual([path, 401]);
      expect(await answer.json()).toEqual({ code: 'unauthorized', detail: expect.any(String) });
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect((await fetch(`${api.server.address}${PATH}`, { method, headers })).status).toBe(401);
    }
  });

  it('learns that it lives', async () => {
    const answer = await fetch(`${api.server.address}/livez`);
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('is refused before anything of a body is read, and cut off while it still sends', async () => {
    const head = `PUT ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n`;
    const { socket, answer } = await raw(head);
    await once(socket, 'close');
    expect(answer()).toMatch(/^HTTP\/1\.1 401 /);
    expect(api.store.archives.size).toBe(0);
  });
});

describe('a name that is none', () => {
  it.each([
    '/v1/artifacts/../../etc/passwd',
    '/v1/artifacts/%2e%2e/web/1',
    '/v1/artifacts/a/%2e%2e/1',
    '/v1/artifacts/a/b/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '/v1/artifacts/a/b/..%5c..',
    '/v1/artifacts/a/b/1%00',
    '/v1/artifacts/a/b/1:2',
    '/v1/artifacts/a/b/%ff',
    '/v1/artifacts/a//1',
    `/v1/artifacts/a/b/${'x'.repeat(129)}`,
    `/v1/artifacts/a/b/${'x'.repeat(600)}`,
  ])('is refused: %.60s', async (path) => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const request = `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\nX-Artifact-Sha256: ${SHA256}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      const { socket, answer } = await raw(request);
      await once(socket, 'close');
      expect(answer()).toMatch(/^HTTP\/1\.1 40[04] /);
    }
  });

  it.each([
    '..',
    '%2e%2e%2f1.web.pay.oslo',
    '1.web.pay',
    '1.WEB.pay.oslo',
    '1.web.pay.oslo%00',
    '-1.web.pay.oslo',
    '*',
  ])('is no coordinate: %s', async (coordinate) => {
    for (const [method, deed] of [
      ['GET', 'logs'],
      ['POST', 'restart'],
    ] as const) {
      const answer = await api.ask(`/v1/processes/${coordinate}/${deed}`, { method });
      expect([400, 404]).toContain(answer.status);
    }
    expect(api.table.restarted).toEqual([]);
  });

  it.each([
    'lines=-1',
    'lines=1.5',
    'lines=1e9',
    'lines=999999',
    'lines=1&lines=2',
    'follow=yes',
    'follow=true&follow=true',
    'marks=1',
  ])('is no way to read logs: %s', async (query) => {
    expect((await api.ask(`/v1/processes/${WEB}/logs?${query}`)).status).toBe(400);
  });
});

describe('an upload', () => {
  const put = (body: string, headers: Record<string, string>) =>
    api.ask(PATH, { method: 'PUT', body, headers, duplex: 'half' } as RequestInit);

  it('needs a digest, and a signature that could be one', async () => {
    expect((await put('x', {})).status).toBe(400);
    expect((await put('x', { 'x-artifact-sha256': 'ABC' })).status).toBe(400);
    expect(
      (await put('x', { 'x-artifact-sha256': sha256Of(Buffer.from('x')), 'x-artifact-signature': '!' })).status,
    ).toBe(400);
    expect((await put('x', { 'x-artifact-sha256': SHA256 })).status).toBe(422);
    expect(api.store.archives.size).toBe(0);
  });

  it('is refused at once when it says that it is too large', async () => {
    const head = `PUT ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\nX-Artifact-Sha256: ${SHA256}\r\nContent-Length: ${ARCHIVE_BYTES_MAX + 1}\r\n\r\n`;
    const { socket, answer } = await raw(head);
    await once(socket, 'close');
    expect(answer()).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('is cut off when it goes on for ever', async () => {
    const head = `PUT ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\nX-Artifact-Sha256: ${SHA256}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const { socket, answer } = await raw(head);
    const chunk = `10000\r\n${'x'.repeat(1 << 16)}\r\n`;
    let sent = 0;
    while (!socket.destroyed && sent < 100 * ARCHIVE_BYTES_MAX) {
      sent += chunk.length;
      if (!socket.write(chunk))
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    }
    await vi.waitFor(() => expect(socket.destroyed).toBe(true), WAIT);
    expect(sent).toBeLessThan(100 * ARCHIVE_BYTES_MAX);
    // The answer may be lost to whoever does not stop sending.
    if (answer() !== '') expect(answer()).toMatch(/^HTTP\/1\.1 413 /);
    expect(api.store.archives.size).toBe(0);
  });

  it('that is broken off leaves its place to others', async () => {
    const head = `PUT ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\nX-Artifact-Sha256: ${SHA256}\r\nContent-Length: 100\r\n\r\nabc`;
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all([1, 2, 3, 4].map(() => raw(head)));
      await vi.waitFor(async () => {
        const fifth = await put('x', { 'x-artifact-sha256': sha256Of(Buffer.from('x')) });
        expect(fifth.status).toBe(503);
        expect(await fifth.json()).toMatchObject({ code: 'busy' });
      }, WAIT);
      for (const { socket } of all) socket.destroy();
      await vi.waitFor(async () => {
        expect((await put('x', { 'x-artifact-sha256': sha256Of(Buffer.from('x')) })).status).toBe(201);
      }, WAIT);
    }
    api.store.archives.clear();
  });
});

describe('a body where none belongs', () => {
  it('is not read', async () => {
    for (const path of [`/v1/processes/${WEB}/restart`, '/v1/artifacts/collect']) {
      const answer = await api.ask(path, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      });
      expect(answer.status).toBe(413);
    }
    expect(api.table.restarted).toEqual([]);
  });
});

describe('followers of a log', () => {
  const follow = () =>
    raw(`GET /v1/processes/${WEB}/logs?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\n\r\n`);

  it('that never read are held back, and let go when they leave', async () => {
    api.table.logText = `${'x'.repeat(1 << 16)}\n`;
    const before = api.table.logsOpened.length;
    const { socket } = await follow();
    socket.pause();
    await vi.waitFor(() => expect(api.table.logsOpened.length).toBe(before + 1), WAIT);
    const logs = api.table.logsOpened.at(-1)!;
    await vi.waitFor(() => expect(logs.readableFlowing).toBe(false), WAIT);
    socket.destroy();
    await vi.waitFor(() => expect(logs.destroyed).toBe(true), WAIT);
  });

  it('are so many at most, and their places are taken by others when they leave', async () => {
    const before = api.table.logsOpened.length;
    const all = await Promise.all(Array.from({ length: 32 }, follow));
    await vi.waitFor(() => expect(api.table.logsOpened.length).toBe(before + 32), WAIT);
    expect((await api.ask(`/v1/processes/${WEB}/logs`)).status).toBe(503);
    for (const { socket } of all) socket.destroy();
    await vi.waitFor(async () => expect((await api.ask(`/v1/processes/${WEB}/logs`)).status).toBe(200), WAIT);
  });

  it('do not keep an agent from ending', async () => {
    const other = await startApi();
    other.table.logText = `${'x'.repeat(1 << 16)}\n`;
    const { port } = new URL(other.server.address);
    const socket = connect(Number(port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(
      `GET /v1/processes/${WEB}/logs?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\n\r\n`,
    );
    await vi.waitFor(() => expect(other.table.logsOpened.length).toBe(1), WAIT);
    await other.server.close();
    await vi.waitFor(() => expect(other.table.logsOpened[0]!.destroyed).toBe(true), WAIT);
  });
});

describe('a range of an archive', () => {
  const data = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const sha256 = sha256Of(data);
  beforeAll(async () => {
    const answer = await api.ask(PATH, { method: 'PUT', body: data, headers: { 'x-artifact-sha256': sha256 } });
    expect(answer.status).toBe(201);
  });
  const get = async (headers: Record<string, string>) => {
    const answer = await api.ask(PATH, { headers });
    return { answer, body: Buffer.from(await answer.arrayBuffer()) };
  };

  it('goes from a byte to the end', async () => {
    const { answer, body } = await get({ range: 'bytes=123456-' });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([206, 'bytes 123456-299999/300000']);
    expect(body.equals(data.subarray(123_456))).toBe(true);
    expect((await get({ range: 'bytes=299999-' })).body.length).toBe(1);
  });

  it.each([
    'bytes=0-',
    'bytes=-5',
    'bytes=5-10',
    'bytes=5-,7-',
    'lines=5-',
    'bytes=x-',
    'bytes=1e3-',
    `bytes=${'9'.repeat(30)}-`,
  ])('that is not such a one is answered with all: %s', async (range) => {
    const { answer, body } = await get({ range });
    expect([answer.status, sha256Of(body)]).toEqual([200, sha256]);
  });

  it('is refused beyond the end', async () => {
    for (const range of ['bytes=300000-', 'bytes=999999999999999-']) {
      const { answer } = await get({ range });
      expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */300000']);
    }
  });

  it('is only of the archive that was asked for', async () => {
    const etag = (await get({})).answer.headers.get('etag')!;
    expect((await get({ range: 'bytes=10-', 'if-range': etag })).answer.status).toBe(206);
    expect((await get({ range: 'bytes=10-', 'if-range': '"another"' })).answer.status).toBe(200);
  });

  it('that nobody reads to its end is let go', async () => {
    const { socket } = await raw(`GET ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_TOKEN}\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
    await vi.waitFor(() => expect(api.store.reading.size).toBe(0), WAIT);
  });
});

describe('an agent that listens for others than its own host', () => {
  it('says that nothing is encrypted', async () => {
    const warnings: string[] = [];
    const log = {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_: object, text: string) => void warnings.push(text),
    };
    const open = await startApi('0.0.0.0', log);
    await open.server.close();
    const own = await startApi('127.0.0.1', log);
    await own.server.close();
    expect(warnings).toEqual([expect.stringContaining('not encrypted')]);
  });
});
