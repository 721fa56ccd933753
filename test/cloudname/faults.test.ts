/** Claims, locks, listeners and sessions while processes are killed and halted, servers restart, and networks are cut. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Claim } from '../../src/cloudname/claim.ts';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import type { ResolverEvent } from '../../src/cloudname/resolver.ts';
import { isConnectionLoss } from '../../src/zookeeper/errors.ts';
import { Network } from '../faults/support/network.ts';
import { canInjectAll } from '../faults/support/requirements.ts';
import { type Ensemble, startEnsemble, startZooKeeper, type ZooKeeper } from '../support/zookeeper.ts';
import { type SpreadEnsemble, startEnsembleOn } from './support/ensemble.ts';
import { Namespace, until } from './support/namespace.ts';
import { OwnerProcess } from './support/owner-process.ts';

const TICK_MS = 200;
/** Longer than a busy machine stands still. */
const SESSION_MS = 4_000;
/** What is to live on while a server restarts, or another leader is elected. */
const LONG_SESSION_MS = 20_000;
/** Half of which passes before a silent server is noticed. */
const SILENT_SESSION_MS = 8_000;
/** After which a request is given up while no server answers. */
const REQUEST_MS = 2_500;
/** As a rule: how soon it is at worst is measured by a benchmark. */
const VISIBLE_MS_MAX = 1_000;
/**
 * The servers end a session at the first of their ticks that comes its time after they last heard of it: up to 200 ms
 * later. The rest is for the deletion of its nodes, for whoever watches them, and for a busy machine.
 */
const GONE_MS_MAX = SESSION_MS + 12_000;
/** Of an owner that is halted the servers heard last an eighth of its session's time before, on a busy machine earlier. */
const KEPT_MS_MIN = SESSION_MS * 0.4;
const HTTP = { name: 'http', host: 'h', port: 80, protocol: 'http' };
const ALL_HTTP = 'http.all.s.u.c';
const AT = Coordinate.parse('1.s.u.c');

let namespace: Namespace;
afterEach(() => namespace?.close());

function open(sessionMs = SESSION_MS): Promise<Cloudname> {
  return namespace.open({ sessionMs });
}

interface Told {
  readonly atMs: number;
  readonly what: ResolverEvent['type'];
  readonly instance?: number;
}

/** All that a listener of its own is told from now on. */
async function listen(): Promise<Told[]> {
  const told: Told[] = [];
  const { resolver } = await open();
  await resolver.listen(ALL_HTTP, (event) => {
    const instance = 'at' in event ? { instance: event.at.instance } : {};
    told.push({ atMs: performance.now(), what: event.type, ...instance });
  });
  return told;
}

async function heard(told: readonly Told[], what: Told['what'], instance = AT.instance): Promise<number> {
  const found = await until(
    () => told.find((each) => each.what === what && each.instance === instance),
    (each) => each !== undefined,
  );
  return found!.atMs;
}

/** Claims it, and runs there. */
async function runAt(cloudname: Cloudname, at: Coordinate): Promise<Claim> {
  const claim = cloudname.claim(at);
  await claim.putEndpoints([HTTP], 20_000);
  await claim.setStatus('RUNNING', '', 20_000);
  return claim;
}

function startOwner(plan: { connect?: string; lock?: string; within?: readonly string[] } = {}): Promise<OwnerProcess> {
  return OwnerProcess.start(
    { connect: namespace.connect, coordinate: String(AT), sessionMs: SESSION_MS, ...plan },
    (owner) => onTestFinished(() => owner.signal('SIGKILL')),
  );
}

/** Of the node that makes somebody the owner: the same as long as it was never deleted. */
async function birthOf(cloudname: Cloudname, path: string): Promise<{ zxid: bigint; owner: bigint; atMs: number }> {
  const stat = await cloudname.session.exists(path);
  expect(stat, path).not.toBeNull();
  return { zxid: stat!.createdZxid, owner: stat!.ephemeralOwner, atMs: stat!.createdAtMs };
}

/** Claims what somebody else has. */
async function waitFor(at: Coordinate): Promise<{ claim: Claim; cloudname: Cloudname }> {
  const cloudname = await open();
  const claim = cloudname.claim(at);
  await once(claim, 'event');
  expect(claim.isHeld()).toBe(false);
  return { claim, cloudname };
}

/** When the servers gave it to the one that waited, by the clock of this machine. */
async function taken({ claim, cloudname }: { claim: Claim; cloudname: Cloudname }): Promise<number> {
  await claim.held(20_000);
  return (await birthOf(cloudname, AT.statusPath)).atMs;
}

/** The other one gives it up again, and the owner gets it then, having waited. */
async function giveBack(owner: OwnerProcess, other: Claim, takenAtMs: number): Promise<void> {
  expect(other.isHeld()).toBe(true);
  const releasedAtMs = Date.now();
  const released = other.release();
  expect(other.isHeld()).toBe(false);
  await released;
  const again = await owner.says(true, takenAtMs);
  expect(again.at).toBeGreaterThanOrEqual(releasedAtMs);
  expect(owner.heldBetween(takenAtMs, releasedAtMs)).toEqual([]);
}

describe('with one server', () => {
  let zookeeper: ZooKeeper;

  beforeAll(async () => {
    zookeeper = await startZooKeeper({ tickMs: TICK_MS });
  });
  afterAll(() => zookeeper?.stop());

  async function prepare(): Promise<void> {
    namespace = await Namespace.create(zookeeper.connect);
    await namespace.created(String(AT));
  }

  test('the endpoint of a new coordinate is visible to a listener within a second', async () => {
    await prepare();
    const [owner, told] = [await open(), await listen()];
    const times: number[] = [];
    for (let instance = 2; instance <= 21; instance++) {
      const at = new Coordinate(instance, 's', 'u', 'c');
      const begunAtMs = performance.now();
      await owner.create(at);
      await runAt(owner, at);
      times.push((await heard(told, 'NEW_ENDPOINT', instance)) - begunAtMs);
    }
    times.sort((a, b) => a - b);
    const [median, worst] = [times[10]!, times.at(-1)!];
    console.info(`from creation to being seen: median ${median.toFixed(1)} ms, worst of 20 ${worst.toFixed(1)} ms`);
    expect(median).toBeLessThan(VISIBLE_MS_MAX);
  });

  test('the endpoints of a killed owner are gone in time, and whoever waits gets its coordinate', async () => {
    await prepare();
    const owner = await startOwner();
    const told = await listen();
    const other = await waitFor(AT);
    await heard(told, 'NEW_ENDPOINT');
    const killedAtMs = performance.now();
    owner.signal('SIGKILL');
    const goneMs = (await heard(told, 'REMOVED_ENDPOINT')) - killedAtMs;
    console.info(`endpoints gone ${goneMs.toFixed(0)} ms after the kill, with a session of ${SESSION_MS} ms`);
    expect(goneMs).toBeGreaterThan(KEPT_MS_MIN);
    expect(goneMs).toBeLessThan(GONE_MS_MAX);
    await other.claim.held(GONE_MS_MAX);
  });

  test('an owner that was halted knows when it wakes that it has lost its claim, and waits for it', async () => {
    await prepare();
    const owner = await startOwner();
    const other = await waitFor(AT);
    const haltedAtMs = Date.now();
    owner.signal('SIGSTOP');
    const takenAtMs = await taken(other);
    expect(takenAtMs - haltedAtMs).toBeGreaterThan(KEPT_MS_MIN);
    expect(takenAtMs - haltedAtMs).toBeLessThan(GONE_MS_MAX);
    const wokenAtMs = Date.now();
    owner.signal('SIGCONT');
    expect((await owner.says(null, wokenAtMs)).held).toBe(false);
    await owner.event('NOT_OWNER', wokenAtMs);
    await giveBack(owner, other.claim, takenAtMs);
  });

  test('a claim, its node and its endpoints outlive a short outage', async () => {
    await prepare();
    const owner = await open(LONG_SESSION_MS);
    const claim = await runAt(owner, AT);
    const told = await listen();
    const before = await birthOf(owner, AT.statusPath);
    const disconnected = once(owner.session, 'disconnected');
    const beganAtMs = performance.now();
    await zookeeper.server.kill();
    await disconnected;
    await zookeeper.server.start();
    await claim.setStatus('RUNNING', 'after it', 60_000);
    const outageMs = performance.now() - beganAtMs;
    console.info(`an outage of ${outageMs.toFixed(0)} ms`);
    expect(claim.isHeld()).toBe(true);
    expect(await birthOf(owner, AT.statusPath)).toEqual(before);
    const observer = await open();
    expect((await observer.status(AT))?.status.message).toBe('after it');
    await until(
      () => told.some(({ what }) => what === 'CONNECTION_OK'),
      (isBack) => isBack,
    );
    expect(told.map(({ what }) => what)).toEqual(['NEW_ENDPOINT', 'LOST_CONNECTION', 'CONNECTION_OK']);
  });

  test('what was given up or lost while no server answered is free when one does, though the session lives', async () => {
    await prepare();
    const owner = await namespace.open({ sessionMs: SESSION_MS, requestMs: REQUEST_MS });
    const claim = await runAt(owner, AT);
    const take = (cloudname: Cloudname, name: string, waitMs = 0) =>
      cloudname.lock({ coordinate: AT, scope: 'service', name }, waitMs);
    const [releasedLock, lostLock] = [await take(owner, 'released'), await take(owner, 'lost')];
    const id = owner.session.id;
    const lost = once(lostLock!, 'lost');
    await zookeeper.server.kill();
    await Promise.all([claim.release(), releasedLock!.release(), lost]);
    // Nobody waits for the servers any more.
    await sleep(1.2 * REQUEST_MS);
    await zookeeper.server.start();
    const other = await open();
    const next = other.claim(AT);
    await next.held(60_000);
    const locks = await Promise.all(['released', 'lost'].map((name) => take(other, name, 60_000)));
    expect(locks.map((lock) => lock?.isHeld())).toEqual([true, true]);
    expect([claim, releasedLock!, lostLock!].map((each) => each.isHeld())).toEqual([false, false, false]);
    await owner.session.ready(30_000);
    expect(owner.session.id).toBe(id);
  });

  test('a coordinate that is claimed again while it is given up is not lost by that', async () => {
    await prepare();
    const [owner, other] = [await open(), await open()];
    for (let time = 0; time < 10; time++) {
      const first = await runAt(owner, AT);
      const before = await birthOf(other, AT.statusPath);
      const released = first.release();
      const second = owner.claim(AT);
      const lost: string[] = [];
      second.on('lost', (why) => lost.push(why));
      await second.held(30_000);
      await Promise.all([released, first.release()]);
      await second.setStatus('RUNNING', 'again');
      expect((await birthOf(other, AT.statusPath)).zxid).toBeGreaterThan(before.zxid);
      expect([second.isHeld(), lost]).toEqual([true, []]);
      await second.release();
    }
  });

  test('listeners hear of what comes after a restart', async () => {
    await prepare();
    const [owner, client] = [await open(), await open(LONG_SESSION_MS)];
    const told: string[] = [];
    const stop = await client.resolver.listen(ALL_HTTP, ({ type }) => told.push(type));
    onTestFinished(stop);
    const configs: string[] = [];
    client.watchConfig(AT, (event) => configs.push(event.type === 'UPDATED' ? event.text : event.type));
    await until(
      () => configs.length,
      (count) => count === 1,
    );
    const reconnected = once(client.session, 'connected');
    await zookeeper.server.stop();
    await zookeeper.server.start();
    await reconnected;
    for (const count of [1, 2, 3]) {
      await owner.setConfig(AT, `configuration ${count}`, null);
      await until(
        () => configs,
        (seen) => seen.at(-1) === `configuration ${count}`,
      );
    }
    const publishedAtMs = performance.now();
    const claim = await runAt(owner, AT);
    const at = Coordinate.parse('2.s.u.c');
    await owner.create(at);
    await runAt(owner, at);
    await claim.removeEndpoints(['http']);
    await until(
      () => told,
      (seen) => seen.length >= 5,
    );
    console.info(`all heard ${(performance.now() - publishedAtMs).toFixed(0)} ms after the first was published`);
    expect(configs).toEqual(['', 'configuration 1', 'configuration 2', 'configuration 3']);
    expect(told.slice(0, 2)).toEqual(['LOST_CONNECTION', 'CONNECTION_OK']);
    expect(told.slice(2)).toEqual(['NEW_ENDPOINT', 'NEW_ENDPOINT', 'REMOVED_ENDPOINT']);
  });

  test('a server that falls silent is noticed, and the session goes on when it answers again', async () => {
    await prepare();
    const owner = await open(SILENT_SESSION_MS);
    await runAt(owner, AT);
    const [id, before] = [owner.session.id, await birthOf(owner, AT.statusPath)];
    const disconnected = once(owner.session, 'disconnected');
    const silentAtMs = performance.now();
    zookeeper.server.signal('SIGSTOP');
    onTestFinished(() => zookeeper.server.signal('SIGCONT'));
    await disconnected;
    const noticedMs = performance.now() - silentAtMs;
    const connected = once(owner.session, 'connected');
    await sleep(Math.max(0, 0.6 * SILENT_SESSION_MS - noticedMs));
    expect(owner.session.isConnected).toBe(false);
    zookeeper.server.signal('SIGCONT');
    expect(await connected).toEqual([{ fresh: false }]);
    console.info(`a silent server noticed after ${noticedMs.toFixed(0)} ms, with a session of ${SILENT_SESSION_MS} ms`);
    // A heartbeat goes out within an eighth of the session's time; a quarter and maybe an eighth later it is missed.
    expect(noticedMs).toBeLessThan(0.9 * SILENT_SESSION_MS);
    expect(owner.session.id).toBe(id);
    expect(await birthOf(owner, AT.statusPath)).toEqual(before);
  });

  test('the lock of a killed holder goes to the next one that waits', async () => {
    await prepare();
    const holder = await startOwner({ lock: 'work' });
    const killedAtMs = performance.now();
    const next = (await open()).lock({ coordinate: AT, scope: 'service', name: 'work' }, 20_000);
    holder.signal('SIGKILL');
    expect((await next)?.isHeld()).toBe(true);
    expect(performance.now() - killedAtMs).toBeGreaterThan(KEPT_MS_MIN);
    expect(performance.now() - killedAtMs).toBeLessThan(GONE_MS_MAX);
  });

  test('a holder that was halted knows when it wakes that its lock is gone', async () => {
    await prepare();
    const holder = await startOwner({ lock: 'work' });
    const next = (await open()).lock({ coordinate: AT, scope: 'service', name: 'work' }, 20_000);
    const haltedAtMs = Date.now();
    holder.signal('SIGSTOP');
    expect((await next)?.isHeld()).toBe(true);
    const wokenAtMs = Date.now();
    expect(wokenAtMs - haltedAtMs).toBeGreaterThan(KEPT_MS_MIN);
    holder.signal('SIGCONT');
    expect((await holder.says(null, wokenAtMs)).held).toBe(false);
    await holder.event('expired', wokenAtMs);
    await sleep(200);
    expect(holder.heldBetween(wokenAtMs, Number.POSITIVE_INFINITY)).toEqual([]);
  });
});

describe('with an ensemble', () => {
  let ensemble: Ensemble;

  beforeAll(async () => {
    ensemble = await startEnsemble(3, { tickMs: TICK_MS });
  });
  afterAll(() => ensemble?.stop());

  test('claims and locks are kept, and expressions resolved, while one server after the other restarts', async () => {
    namespace = await Namespace.create(ensemble.connect);
    await namespace.created(String(AT));
    const [owner, client] = [await open(LONG_SESSION_MS), await open(LONG_SESSION_MS)];
    const claim = await runAt(owner, AT);
    const lock = await owner.lock({ coordinate: AT, scope: 'service', name: 'work' });
    const paths = [AT.statusPath, lock!.path];
    const births = () => Promise.all(paths.map((path) => birthOf(client, path)));
    const before = await births();
    const told: string[] = [];
    await client.resolver.listen(ALL_HTTP, ({ type }) => told.push(type));
    const lost: string[] = [];
    claim.on('lost', (why) => lost.push(why));
    lock!.on('lost', (why) => lost.push(why));
    const configs: string[] = [];
    client.watchConfig(AT, (event) => configs.push(event.type === 'UPDATED' ? event.text : event.type));
    const resolving = resolveAllAlong(client);

    const leader = await ensemble.leader();
    for (const server of [...ensemble.servers.filter((each) => each !== leader), leader]) {
      await server.stop();
      const text = `while ${server.connect} is away`;
      await setConfig(owner, text);
      await until(
        () => configs,
        (seen) => seen.at(-1) === text,
      );
      await server.start();
      await ensemble.leader();
      // What was never asked for before has to be read.
      const fresh = await open();
      expect((await fresh.resolver.resolve(ALL_HTTP)).length).toBe(1);
    }
    expect(await ensemble.leader()).not.toBe(leader);

    await claim.setStatus('RUNNING', 'after it');
    const { answers, longestMs } = await resolving.end();
    console.info(`${answers} answers during a rolling restart, the longest pause ${longestMs.toFixed(0)} ms`);
    expect(answers).toBeGreaterThan(100);
    expect(await births()).toEqual(before);
    expect(lost).toEqual([]);
    expect(new Set(configs).size).toBe(1 + ensemble.servers.length);
    expect([claim.isHeld(), lock!.isHeld()]).toEqual([true, true]);
    expect(told.filter((type) => type.endsWith('ENDPOINT'))).toEqual(['NEW_ENDPOINT']);
  });

  /** Over a connection that goes with its server it may have been set, or not. */
  async function setConfig(cloudname: Cloudname, text: string): Promise<void> {
    try {
      await cloudname.setConfig(AT, text, null);
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
      await setConfig(cloudname, text);
    }
  }

  /** Asks again and again; whatever is wrong is thrown at the end. */
  function resolveAllAlong({ resolver }: Cloudname) {
    let isOver = false;
    let [answers, longestMs] = [0, 0];
    const asking = (async () => {
      while (!isOver) {
        const askedAtMs = performance.now();
        expect((await resolver.resolve('http.any.s.u.c')).map(({ port }) => port)).toEqual([HTTP.port]);
        longestMs = Math.max(longestMs, performance.now() - askedAtMs);
        answers++;
        await sleep(10);
      }
    })();
    asking.catch(() => undefined);
    const end = async () => {
      isOver = true;
      await asking;
      return { answers, longestMs };
    };
    return { end };
  }
});

describe.runIf(canInjectAll)('with a network that is cut', () => {
  const MEMBERS = ['member-0', 'member-1', 'member-2'];
  const OWNER = 'owner';
  /** Members wait for each other for longer than a session lasts. */
  const SYNC_MS_MAX = 8 * SESSION_MS;
  let network: Network;
  let ensemble: SpreadEnsemble;

  beforeAll(async () => {
    network = await Network.create([...MEMBERS, OWNER]);
    const properties = { syncLimit: String(SYNC_MS_MAX / TICK_MS) };
    ensemble = await startEnsembleOn(network, MEMBERS, { tickMs: TICK_MS, properties });
  });
  afterAll(async () => {
    await ensemble?.stop();
    await network?.remove();
  });

  async function prepare(connect: string): Promise<void> {
    namespace = await Namespace.create(connect);
    await namespace.created(String(AT));
    onTestFinished(() => network.heal());
  }

  /** It said that it may not be the owner any more before the servers gave the coordinate to another one. */
  async function expectSaidBefore(owner: OwnerProcess, cutAtMs: number, takenAtMs: number): Promise<void> {
    const last = owner.heldBetween(0, Number.POSITIVE_INFINITY).at(-1)!;
    const said = await owner.says(false, cutAtMs);
    const marginMs = takenAtMs - said.at;
    console.info(
      `cut off: not held after ${said.at - cutAtMs} ms, taken after ${takenAtMs - cutAtMs} ms: ${marginMs} ms between`,
    );
    expect(last).toBeLessThan(takenAtMs);
    expect(marginMs).toBeGreaterThan(0);
    expect(takenAtMs - cutAtMs).toBeLessThan(GONE_MS_MAX);
  }

  const SINCE = [
    ['has just connected', 0],
    ['has been connected for a while', SESSION_MS / 2],
  ] as const;

  test.each(SINCE)('an owner that %s and is cut off says so before another one gets its coordinate', async (_, ms) => {
    await prepare(ensemble.members.map(({ server }) => server.connect).join());
    const owner = await startOwner({ within: network.place(OWNER).within });
    const other = await waitFor(AT);
    await sleep(ms);
    const cutAtMs = Date.now();
    await network.cut(OWNER, MEMBERS);
    const takenAtMs = await taken(other);
    await expectSaidBefore(owner, cutAtMs, takenAtMs);
    await network.heal();
    await owner.event('expired', takenAtMs);
    await owner.event('NOT_OWNER', takenAtMs);
    await giveBack(owner, other.claim, takenAtMs);
  });

  test.each(SINCE)('and so does one that %s, whose server is cut off and goes on answering', async (_, ms) => {
    const [leader, cutOff, third] = await ensemble.byRank();
    await prepare([leader!, third!].map(({ server }) => server.connect).join());
    const owner = await startOwner({ connect: cutOff!.server.connect + namespace.root });
    const other = await waitFor(AT);
    await sleep(ms);
    // Its session lasts long: it reads there without being missed, and without a heartbeat meanwhile.
    const reader = await namespace.open({ connect: cutOff!.server.connect + namespace.root, sessionMs: 60_000 });
    const before = await birthOf(reader, AT.statusPath);
    const cutAtMs = Date.now();
    await network.cut(cutOff!.host, [leader!.host, third!.host]);
    const takenAtMs = await taken(other);
    // The fault was real: that server still has the owner for the owner, and says so.
    expect(await birthOf(reader, AT.statusPath)).toEqual(before);
    await expectSaidBefore(owner, cutAtMs, takenAtMs);
    await network.heal();
    await owner.event('expired', takenAtMs);
    await owner.event('NOT_OWNER', takenAtMs);
    await giveBack(owner, other.claim, takenAtMs);
  });
});
