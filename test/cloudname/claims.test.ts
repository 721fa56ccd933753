import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Claim, ClaimEvent } from '../../src/cloudname/claim.ts';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { parseConnectString } from '../../src/zookeeper/connect-string.ts';
import { Connection } from '../../src/zookeeper/connection.ts';
import { OPCODE } from '../../src/zookeeper/protocol.ts';
import type { Session } from '../../src/zookeeper/session.ts';
import recorded from './recorded.json' with { type: 'json' };
import { Namespace, until } from './support/namespace.ts';

let namespace: Namespace;
beforeEach(async () => {
  namespace = await Namespace.create(inject('zookeeperConnect'));
});
afterEach(() => namespace.close());

function eventsOf(claim: Claim): ClaimEvent[] {
  const events: ClaimEvent[] = [];
  claim.on('event', (event) => events.push(event));
  return events;
}

describe('what stands in ZooKeeper', () => {
  test('is what the original writes, node for node and byte for byte', async () => {
    const cloudname = await namespace.open();
    const at = Coordinate.parse('1.gold.usr.cell');
    await cloudname.create(at);
    const claim = cloudname.claim(at);
    await claim.held(30_000);
    const written = recorded.written.filter(({ path }) => path === at.statusPath);
    const doing = [
      async () => {},
      () => claim.setStatus('STARTING', 'Loading "hamster" into wheel'),
      () => claim.setStatus('RUNNING', JSON.parse(JSON.parse(`${written[2]!.text.split('" {}')[0]}"`)).message),
      () => claim.putEndpoints([{ name: 'http', host: 'h1', port: 80, protocol: 'http' }]),
      () => claim.putEndpoints([{ name: 'http', host: 'h1', port: 81, protocol: 'http', endpointData: 'some "data"' }]),
    ];
    expect(doing.length).toBe(written.length);
    for (const [index, { hex, version, step }] of written.entries()) {
      await doing[index]!();
      const { data, stat } = await cloudname.session.getData(at.statusPath);
      expect(data?.toString('hex'), step).toBe(hex);
      expect(stat.version, step).toBe(version);
      expect(stat.ephemeralOwner, step).toBe(cloudname.session.id);
    }
    await cloudname.setConfig(at, 'key=1 é\n', null);
    const locks = await Promise.all(
      (['service', 'user', 'cell'] as const).map((scope) => cloudname.lock({ coordinate: at, scope, name: 'Nm' })),
    );
    for (const { path, kind, hex } of recorded.tree) {
      const sequence = /^(.*?)\d{10}$/.exec(path);
      const standing = sequence === null ? path : locks.find((lock) => lock?.path.startsWith(sequence[1]!))?.path;
      expect(standing, path).toBeDefined();
      const { data, stat } = await cloudname.session.getData(standing!);
      const isConfig = path.endsWith('/config');
      expect(data?.toString('hex') ?? null, path).toBe(isConfig ? '6b65793d3120c3a90a' : hex);
      expect(stat.ephemeralOwner !== 0n, path).toBe(kind === 'ephemeral');
      expect((await cloudname.session.getAcl(standing!)).acl, path).toEqual([
        { permissions: 31, scheme: 'world', id: 'anyone' },
      ]);
    }
  });
});

describe('a claim', () => {
  test('is held once, by whoever came first, and goes to the next one when it is released', async () => {
    const at = await namespace.created('1.s.u.c');
    const [one, two] = [await namespace.open(), await namespace.open()];
    const first = one.claim(at);
    await first.held(30_000);
    const second = two.claim(at);
    const events = eventsOf(second);
    await until(
      () => events,
      (seen) => seen.includes('NOT_OWNER'),
    );
    expect(second.isHeld()).toBe(false);
    const fence = first.fencingNumber!;
    await first.release();
    expect(first.isHeld()).toBe(false);
    await second.held(30_000);
    expect(events).toEqual(['NOT_OWNER', 'COORDINATE_OK']);
    expect(second.fencingNumber! > fence).toBe(true);
  });

  test('of a coordinate that was not created waits until it is', async () => {
    const cloudname = await namespace.open();
    const at = Coordinate.parse('1.later.u.c');
    const claim = cloudname.claim(at);
    const events = eventsOf(claim);
    await until(
      () => events,
      (seen) => seen.length > 0,
    );
    expect(events).toEqual(['NOT_OWNER']);
    await cloudname.create(at);
    await claim.held(30_000);
    expect(events).toEqual(['NOT_OWNER', 'COORDINATE_OK']);
  });

  test('publishes again what it published when its session ended, and tells so', async () => {
    const at = await namespace.created('1.s.u.c');
    const cloudname = await namespace.open();
    const claim = cloudname.claim(at);
    await claim.setStatus('RUNNING', 'well');
    await claim.putEndpoints([{ name: 'http', host: 'h', port: 1, protocol: 'http' }]);
    const before = (await cloudname.session.getData(at.statusPath)).data;
    const events = eventsOf(claim);
    const lost = once(claim, 'lost');
    const old = cloudname.session.id;
    await endSession(cloudname.session);
    await lost;
    await claim.held(30_000);
    expect(cloudname.session.id).not.toBe(old);
    expect(events).toEqual(['NO_CONNECTION_TO_STORAGE', 'COORDINATE_OK']);
    const { data, stat } = await cloudname.session.getData(at.statusPath);
    expect(data).toEqual(before);
    expect(stat.ephemeralOwner).toBe(cloudname.session.id);
  });

  test('that somebody else writes over is written again', async () => {
    const at = await namespace.created('1.s.u.c');
    const [cloudname, other] = [await namespace.open(), await namespace.open()];
    const claim = cloudname.claim(at);
    await claim.setStatus('RUNNING', 'well');
    const events = eventsOf(claim);
    await other.session.setData(at.statusPath, Buffer.from('rubbish'));
    await until(
      () => events,
      (seen) => seen.at(-1) === 'COORDINATE_OK',
    );
    expect(events).toEqual(['COORDINATE_CORRUPTED', 'COORDINATE_OK']);
    expect((await other.status(at))?.status).toEqual({ state: 'RUNNING', message: 'well' });
    // It is not wedged: what comes later is published.
    await claim.setStatus('DRAINING', 'ending');
    expect((await other.status(at))?.status.state).toBe('DRAINING');
  });

  test('that is to step down when somebody else writes over it is free for others then', async () => {
    const at = await namespace.created('1.s.u.c');
    const [cloudname, other] = [await namespace.open(), await namespace.open()];
    const claim = cloudname.claim(at, { whenCorrupted: 'step_down' });
    await claim.setStatus('RUNNING', 'well');
    const events = eventsOf(claim);
    await other.session.setData(at.statusPath, Buffer.from('rubbish'));
    await until(
      () => other.session.exists(at.statusPath),
      (stat) => stat === null,
    );
    expect(events).toEqual(['COORDINATE_CORRUPTED']);
    expect(claim.isHeld()).toBe(false);
    await expect(claim.setStatus('RUNNING', 'again')).rejects.toThrow('stepped down');
    await other.claim(at).held(30_000);
  });

  test('whose node somebody deletes is claimed again', async () => {
    const at = await namespace.created('1.s.u.c');
    const [cloudname, other] = [await namespace.open(), await namespace.open()];
    const claim = cloudname.claim(at);
    await claim.setStatus('RUNNING', 'well');
    const lost = once(claim, 'lost');
    await other.session.delete(at.statusPath);
    expect(await lost).toEqual(['somebody deleted the status node']);
    await claim.held(30_000);
    expect((await other.status(at))?.status.message).toBe('well');
  });

  test('is quiet on healthy writes', async () => {
    const at = await namespace.created('1.s.u.c');
    const cloudname = await namespace.open();
    const claim = cloudname.claim(at);
    const events = eventsOf(claim);
    for (let count = 0; count < 50; count++) await claim.setStatus('RUNNING', `message ${count}`);
    await Promise.all(Array.from({ length: 50 }, (_, count) => claim.setStatus('RUNNING', `at once ${count}`)));
    expect(events).toEqual(['COORDINATE_OK']);
    expect((await cloudname.status(at))?.status.message).toBe('at once 49');
  });

  test('adopts a node of its own session instead of making it anew', async () => {
    const at = await namespace.created('1.s.u.c');
    const cloudname = await namespace.open();
    const { session } = cloudname;
    await session.create(at.statusPath, Buffer.from('written before the answer was lost'), { mode: 'ephemeral' });
    const { stat } = await session.getData(at.statusPath);
    const claim = cloudname.claim(at);
    await claim.setStatus('RUNNING', 'well');
    expect((await session.getData(at.statusPath)).stat.createdZxid).toBe(stat.createdZxid);
  });

  test('waits for another one in the same session, and leaves it alone', async () => {
    const at = await namespace.created('1.s.u.c');
    const [cloudname, other] = [await namespace.open(), await namespace.open()];
    const first = cloudname.claim(at);
    await first.setStatus('RUNNING', 'first');
    const node = await cloudname.session.exists(at.statusPath);
    const [second, third] = [cloudname.claim(at), cloudname.claim(at)];
    const [events, secondEvents] = [eventsOf(first), eventsOf(second)];
    const published = second.setStatus('RUNNING', 'second');
    await until(
      () => secondEvents,
      (seen) => seen.length > 0,
    );
    await third.release();
    expect([first.isHeld(), second.isHeld(), third.isHeld()]).toEqual([true, false, false]);
    expect(secondEvents).toEqual(['NOT_OWNER']);
    expect(events).toEqual([]);
    expect((await other.session.exists(at.statusPath))?.modifiedZxid).toBe(node?.modifiedZxid);
    await first.release();
    await published;
    expect(second.isHeld()).toBe(true);
    expect((await other.status(at))?.status.message).toBe('second');
    expect((await other.session.exists(at.statusPath))!.createdZxid > node!.createdZxid).toBe(true);
  });

  test('publishes also what is asked for at the very moment when it becomes held', async () => {
    for (let calls = 0; calls < 8; calls++) {
      const at = await namespace.created(`${calls}.s.u.c`);
      const claim = (await namespace.open()).claim(at);
      // Each call within a call is told a little later.
      const held = async (within: number): Promise<void> => (within === 0 ? claim.held(30_000) : held(within - 1));
      await held(calls);
      await claim.setStatus('RUNNING', 'well', 20_000);
    }
  });

  test('refuses a status that is too large, and goes on', async () => {
    const at = await namespace.created('1.s.u.c');
    const cloudname = await namespace.open();
    const claim = cloudname.claim(at);
    await claim.setStatus('RUNNING', 'well');
    let lost = 0;
    cloudname.session.on('disconnected', () => lost++);
    await expect(claim.setStatus('ERROR', 'x'.repeat(1_100_000), 20_000)).rejects.toMatchObject({ code: 'too_large' });
    await claim.setStatus('DRAINING', 'ending');
    expect(lost).toBe(0);
  });

  test('refuses endpoints that are none, and keeps what it had', async () => {
    const at = await namespace.created('1.s.u.c');
    const claim = (await namespace.open()).claim(at);
    const right = { name: 'http', host: 'h', port: 80, protocol: 'http' };
    await claim.putEndpoints([right]);
    const wrong = [{ name: 'Http' }, { host: '' }, { port: 65_536 }, { port: 1.5 }, { protocol: '' }];
    for (const fields of wrong) {
      await expect(claim.putEndpoints([{ ...right, ...fields }])).rejects.toMatchObject({ code: 'malformed' });
    }
    const large = { ...right, name: 'large', endpointData: 'x'.repeat(1_000_000) };
    await expect(claim.putEndpoints([large])).rejects.toMatchObject({ code: 'too_large' });
    await expect(claim.removeEndpoints(['none'])).rejects.toMatchObject({ code: 'endpoint_missing' });
    const node = await (await namespace.open()).status(at);
    expect([...(node?.endpoints.keys() ?? [])]).toEqual(['http']);
  });
});

/**
 * What the servers do when they have not heard of a client in time, by other connections that close its session. Each of
 * them takes the session over, and the client takes it back at once, sometimes before it is closed: so until a
 * connection is told that there is no such session.
 */
async function endSession(session: Session): Promise<void> {
  const credentials = session.credentials;
  while (await closeSession(credentials)) {}
}

/** @returns Was there such a session? */
function closeSession({ id, password }: Session['credentials']): Promise<boolean> {
  const server = parseConnectString(inject('zookeeperConnect')).servers[0]!;
  const goodbye = { opcode: OPCODE.closeSession, path: '/', write: () => {}, read: () => undefined };
  return new Promise((resolve) => {
    let isAlive = true;
    const request = { lastZxid: 0n, timeoutMs: 4_000, sessionId: id, password };
    const connection: Connection = new Connection(server, request, [], 5_000, {
      accepted: ({ timeoutMs }) => {
        isAlive = timeoutMs > 0;
        void connection
          .request(goodbye)
          .catch(() => undefined)
          .then(() => connection.end('was asked to'));
      },
      notified: () => {},
      ended: () => resolve(isAlive),
    });
  });
}
