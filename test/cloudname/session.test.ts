/** What a session outlives, and how it ends. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { createCoordinate } from '../../src/cloudname/tree.ts';
import { Session } from '../../src/zookeeper/session.ts';
import { startZooKeeper } from '../support/zookeeper.ts';

const TICK_MS = 200;
const SESSION_MS = 1_000;
/** Where a slow machine is to be no slower than what is planted. */
const LONG_SESSION_MS = 4_000;

function open(connectString: string, sessionMs = SESSION_MS): Session {
  const session = new Session({ connect: connectString, sessionMs, requestMs: 20_000 });
  onTestFinished(() => session.close());
  return session;
}

/** A way to a server, which each connection to it is given to. Answers where it begins. */
async function wayBy(take: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => take(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The rest of the way: either side ends with the other. */
function goOn(socket: Socket, to: string): Socket {
  const [host, port] = to.split(':');
  const onward = connect({ host: host!, port: Number(port) });
  onward.on('error', () => undefined).on('close', () => socket.destroy());
  socket.on('close', () => onward.destroy()).pipe(onward);
  return onward;
}

/** A way to a server that takes its time to open. */
function slowWay(to: string, openMs: number): Promise<string> {
  return wayBy((socket) => {
    socket.pause();
    setTimeout(() => goOn(socket, to).pipe(socket), openMs);
  });
}

/** A way to a server that breaks at the next answer after `breaks.next` was set: it was asked, and says nothing. */
function breakingWay(to: string, breaks: { next: boolean }): Promise<string> {
  return wayBy((socket) => {
    const onward = goOn(socket, to);
    onward.on('data', (answer) => {
      if (breaks.next) onward.destroy();
      else socket.write(answer);
      breaks.next = false;
    });
  });
}

test('what only reads is asked again when its connection breaks, and what writes is not', async () => {
  const breaks = { next: false };
  const session = open(await breakingWay(inject('zookeeperConnect'), breaks), LONG_SESSION_MS);
  await session.ready(40_000);
  const path = `/broken-${randomUUID()}`;
  breaks.next = true;
  await expect(session.create(path, Buffer.from('1'))).rejects.toMatchObject({
    code: 'connection_loss',
    outcomeUnknown: true,
  });
  const reads: (() => Promise<unknown>)[] = [
    () => session.exists(path),
    () => session.getData(path),
    () => session.getChildren(path),
    () => session.getAcl(path),
  ];
  let lost = 0;
  session.on('disconnected', () => lost++);
  for (const read of reads) {
    await session.ready();
    breaks.next = true;
    await expect(read()).resolves.not.toBeNull();
  }
  expect(lost).toBeGreaterThanOrEqual(reads.length);
  await session.ready();
  breaks.next = true;
  await expect(session.setData(path, Buffer.from('2'))).rejects.toMatchObject({ outcomeUnknown: true });
  await expect(session.getData(path)).resolves.toMatchObject({ data: Buffer.from('2'), stat: { version: 1 } });
});

test('what is asked in vain over connections that break again and again is given up in its time', async () => {
  const breaks = { next: false };
  const way = await breakingWay(inject('zookeeperConnect'), breaks);
  const session = new Session({ connect: way, sessionMs: LONG_SESSION_MS, requestMs: 2_000 });
  onTestFinished(() => session.close());
  await session.ready(40_000);
  breaks.next = true;
  session.on('connected', () => {
    breaks.next = true;
  });
  await expect(session.getChildren('/')).rejects.toMatchObject({ code: 'connection_loss' });
});

test('a session ends, and another one begins, when its servers have lost all they knew', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'zookeeper-data-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const zookeeper = await startZooKeeper({ tickMs: TICK_MS, properties: { dataDir } });
  onTestFinished(() => zookeeper.stop());
  const session = open(zookeeper.connect);
  for (let count = 0; count < 20; count++) await session.create(`/node-${count}`, null);
  const old = session.id;
  const expired = once(session, 'expired');
  await zookeeper.server.kill();
  await rm(join(dataDir, 'version-2'), { recursive: true });
  await zookeeper.server.start();
  await expired;
  await session.create('/node-0', null);
  expect(session.id).not.toBe(old);
});

test('a session begins also with servers that are slow to answer', async () => {
  const session = open(await slowWay(inject('zookeeperConnect'), 0.6 * LONG_SESSION_MS), LONG_SESSION_MS);
  await session.ready(40_000);
});

test('a session is closed once, whoever closes it', async () => {
  const session = open(inject('zookeeperConnect'));
  await session.ready();
  let closed = 0;
  session.on('closed', () => closed++);
  await Promise.all([session.close(), session.close()]);
  await session.close();
  expect(closed).toBe(1);
  await expect(session.exists('/')).rejects.toMatchObject({ code: 'closed', outcomeUnknown: false });
});

test('a chroot that does not exist is named', async () => {
  const session = open(`${inject('zookeeperConnect')}/none`);
  await expect(createCoordinate(session, Coordinate.parse('1.s.u.c'))).rejects.toThrow('/none/cn: no_node');
});
