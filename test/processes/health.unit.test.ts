import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askHealth, type HealthCheck } from '../../src/processes/health.ts';

const HOST = '127.0.0.1';
const check = (more: Partial<HealthCheck>): HealthCheck => ({
  every: 1,
  timeout: 10,
  failures: 3,
  startup: 60,
  ...more,
});
const servers: Server[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvitt-health-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    if ('closeAllConnections' in server) (server as unknown as { closeAllConnections(): void }).closeAllConnections();
  }
  await rm(folder, { recursive: true });
});

async function listening(server: Server): Promise<number> {
  servers.push(server.listen(0, HOST));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const answering = (status: number, headers = {}) =>
  listening(
    createHttpServer((_, response) => {
      response.writeHead(status, headers).end('x'.repeat(100_000));
    }),
  );

function ask(which: Partial<HealthCheck>, port = 1): Promise<string | null> {
  const env = { PATH: '/usr/bin:/bin', PORT_HTTP: String(port), FOLDER: folder };
  return askHealth(check(which), { host: HOST, plan: { ports: { http: port }, env, cwd: folder, user: null } });
}

describe('health that is asked over HTTP', () => {
  it('is an answer of 2xx', async () => {
    expect(await ask({ port: 'http', http: '/ok?x=1' }, await answering(204))).toBeNull();
  });

  it.each([500, 404, 302, 199 + 200])('is not an answer of %s', async (status) => {
    const why = await ask({ port: 'http', http: '/' }, await answering(status, { location: '/ok' }));
    expect(why).toContain(String(status));
  });

  it('is not an answer that never comes', async () => {
    const port = await listening(createHttpServer(() => {}));
    expect(await ask({ port: 'http', http: '/', timeout: 0.1 }, port)).toBe('no answer within 0.1 s');
  });

  it('is not something that is no answer', async () => {
    const port = await listening(createServer((socket) => void socket.end('SSH-2.0-hello\r\n')));
    expect(await ask({ port: 'http', http: '/' }, port)).toMatch(/Parse Error/);
  });

  it('does not wait for the end of an answer that has none', async () => {
    const port = await listening(createHttpServer((_, response) => void response.writeHead(200).write('x')));
    expect(await ask({ port: 'http', http: '/' }, port)).toBeNull();
  });

  it('is not a path that cannot be asked', async () => {
    expect(await ask({ port: 'http', http: '/ä b\r\nX: y' }, await answering(200))).toMatch(/unescaped/);
  });
});

describe('health that is asked of a port', () => {
  it('is that it takes a connection', async () => {
    const port = await listening(createServer((socket) => void socket.on('error', () => {})));
    expect(await ask({ port: 'http' }, port)).toBeNull();
    servers[0]!.close();
    await vi.waitFor(async () => expect(await ask({ port: 'http' }, port)).toMatch(/ECONNREFUSED/), {
      timeout: 30_000,
    });
  });

  it('is not there without the port', async () => {
    expect(await ask({ port: 'other' }, 1)).toContain('"other"');
  });
});

describe('health that a command tells', () => {
  it('is that it ends with 0, with the environment of the process', async () => {
    expect(
      await ask(
        { command: ['sh', '-c', 'test "$PORT_HTTP" = 77 && test "$PWD" = "$FOLDER" && test -z "$VITEST"'] },
        77,
      ),
    ).toBeNull();
  });

  it.each([
    ['another code', ['sh', '-c', 'exit 3'], /code 3/],
    ['a signal', ['sh', '-c', 'kill -9 $$'], /SIGKILL/],
    ['a program that is not there', ['no-such-program'], /ENOENT/],
    ['much output', ['sh', '-c', 'head -c 10000000 /dev/zero; exit 4'], /code 4/],
  ])('is not %s', async (_, command, why) => {
    expect(await ask({ command })).toMatch(why);
  });

  it.each([
    ['takes too long', 'sleep 300 & echo $! > child; wait', /no answer/],
    ['leaves something behind', 'sleep 300 & echo $! > child; exit 1', /code 1/],
  ])('is ended with all of its group when it %s', async (_, script, why) => {
    expect(await ask({ command: ['sh', '-c', script], timeout: 1 })).toMatch(why);
    const pid = Number(await readFile(join(folder, 'child'), 'utf8'));
    await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), { timeout: 30_000 });
  });

  it('runs as the user of the process', async () => {
    if (process.getuid?.() !== 0) return;
    const plan = { ports: {}, env: { PATH: '/usr/bin:/bin' }, cwd: '/', user: { uid: 4_321, gid: 4_322 } };
    const command = ['sh', '-c', 'test "$(id -u) $(id -g) $(id -G)" = "4321 4322 4322"'];
    expect(await askHealth(check({ command }), { host: HOST, plan })).toBeNull();
  });
});

/** Ended, be it that nobody has waited for it yet. */
async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat === null || /\) [ZX] /.test(stat);
}
