/** Asking something at an agent's address that is none, or that does not mean well. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentClient } from '../../src/nodee/client.ts';
import { API_TOKEN, type Api, REPORT, startApi, WEB } from './support/api.ts';
import { sha256Of } from './support/doubles.ts';

let server: Server;
let address: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const clients: AgentClient[] = [];
beforeAll(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function client(at = address, answerMs?: number): AgentClient {
  clients.push(new AgentClient(at, API_TOKEN, answerMs));
  return clients.at(-1)!;
}

describe('what answers at the address of an agent', () => {
  it.each([
    ['no JSON', '<html>'],
    ['another JSON', '{"artifacts":[{"id":1}]}'],
    ['nothing', ''],
  ])('is not believed when it is %s', async (_, body) => {
    answer = (_request, response) => response.end(body);
    await expect(client().artifacts()).rejects.toMatchObject({ name: 'AgentError', code: 'malformed' });
  });

  it('is not read for ever', async () => {
    let isOver = false;
    answer = (request, response) => {
      const chunk = Buffer.alloc(1 << 20, ' ');
      const write = () => {
        while (!isOver && response.write(chunk));
      };
      request.socket.once('close', () => {
        isOver = true;
      });
      response.on('drain', write);
      write();
    };
    await expect(client().artifacts()).rejects.toMatchObject({ code: 'unreachable' });
    await client().close();
  });

  it('is not waited for for ever', async () => {
    answer = () => undefined;
    await expect(client(address, 300).artifacts()).rejects.toMatchObject({ code: 'unreachable' });
    answer = (_request, response) => void response.write('{"artifacts":');
    await expect(client(address, 300).artifacts()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('cannot send it and its token elsewhere', async () => {
    const asked: string[] = [];
    answer = (request, response) => {
      asked.push(request.url!);
      response.writeHead(307, { location: '/elsewhere' }).end();
    };
    await expect(client().artifacts()).rejects.toMatchObject({ code: 'malformed' });
    expect(asked).toEqual(['/v1/artifacts']);
  });

  it('is said not to answer when it does not, or when the address is none', async () => {
    for (const at of ['http://127.0.0.1:1', 'http://', 'http://a b:1', 'http://127.0.0.1:80/path', 'ftp://x', '']) {
      await expect(client(at).artifacts()).rejects.toMatchObject({ name: 'AgentError', code: 'unreachable' });
    }
  });
});

describe('an agent', () => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api?.server.close());

  it('is asked for all that it does', async () => {
    const agent = client(api.server.address);
    expect(await agent.status()).toEqual({ coordinate: '0.nodee.ops.oslo', report: REPORT, artifacts: [] });
    const data = Buffer.alloc(200_000, 'x');
    const ref = { id: 'no.kvitt:web:1.0', sha256: sha256Of(data) };
    await agent.upload(ref, Readable.from([data]), data.length);
    expect((await agent.artifacts()).artifacts).toMatchObject([{ ...ref, bytes: data.length, held: false }]);
    expect(await agent.collect()).toEqual([ref.id]);
    await expect(agent.uninstall(ref.id)).rejects.toMatchObject({ code: 'missing' });
    await agent.restart(WEB);
    expect(api.table.restarted).toEqual([WEB]);
    await expect(agent.restart('2.web.pay.oslo')).rejects.toMatchObject({ code: 'missing' });
    api.table.logText = 'a line\n';
    expect(await text(await agent.logs(WEB, { lines: 1 }))).toBe('a line\n');
  });

  it('that has lost its coordinate restarts nothing, and says why', async () => {
    api.isOwner = false;
    await expect(client(api.server.address).restart(WEB)).rejects.toMatchObject({ code: 'not_owner' });
    api.isOwner = true;
  });

  it('says whose digest is wrong, and that a token is', async () => {
    const agent = client(api.server.address);
    const ref = { id: 'no.kvitt:web:1.0', sha256: '0'.repeat(64) };
    await expect(agent.upload(ref, Readable.from(['x']), 1)).rejects.toMatchObject({ code: 'untrusted' });
    const stranger = new AgentClient(api.server.address, 'x'.repeat(40));
    clients.push(stranger);
    await expect(stranger.status()).rejects.toMatchObject({ code: 'unauthorized' });
  });
});
