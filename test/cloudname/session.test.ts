/** What a session outlives, and how it ends. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
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

/** A way to a server that takes its time to open. */
async function slowWay(to: string, openMs: number): Promise<string> {
  const [host, port] = to.split(':');
  const server = createServer((socket) => {
    socket.pause().on('error', () => undefined);
    setTimeout(() => {
      const onward = connect({ host: host!, port: Number(port) });
      onward.on('error', () => undefined).on('close', () => socket.destroy());
      socket.on('close', () => onward.destroy());
      socket.pipe(onward).pipe(socket);
    }, openMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

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
