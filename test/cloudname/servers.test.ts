/** The ZooKeeper servers of the tests are what the tests take them for. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Network } from '../faults/support/network.ts';
import { canInjectAll } from '../faults/support/requirements.ts';
import {
  type Ensemble,
  fourLetterWord,
  startEnsemble,
  startZooKeeper,
  type ZooKeeper,
  type ZooKeeperServer,
} from '../support/zookeeper.ts';

const TICK_MS = 200;
/** After this many ticks without a word the others take a leader to be gone. */
const HALTED_TICKS_MAX = 10;

async function modeOf(server: ZooKeeperServer): Promise<string | undefined> {
  return /^Mode: (\w+)$/m.exec(await fourLetterWord(server, 'srvr'))?.[1];
}

async function lastTransactionOf(server: ZooKeeperServer): Promise<string | undefined> {
  return /^Zxid: (\w+)$/m.exec(await fourLetterWord(server, 'srvr'))?.[1];
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Opens a session, which is a transaction, and leaves it; answers the timeout that the server granted. */
async function openSession(server: ZooKeeperServer, timeoutMs: number): Promise<number> {
  const request = Buffer.alloc(4 + 44);
  request.writeInt32BE(44, 0);
  request.writeInt32BE(timeoutMs, 4 + 4 + 8);
  request.writeInt32BE(16, 4 + 4 + 8 + 4 + 8);
  const socket = connect({ host: server.host, port: server.port });
  socket.write(request);
  for await (const answer of socket) return answer.readInt32BE(4 + 4);
  throw new Error('the server opened no session');
}

describe('one ZooKeeper server', () => {
  let zookeeper: ZooKeeper;
  let server: ZooKeeperServer;

  beforeAll(async () => {
    zookeeper = await startZooKeeper({ tickMs: TICK_MS });
    server = zookeeper.server;
  });

  afterAll(() => zookeeper?.stop());

  it('serves requests, without others, as soon as it has started', async () => {
    expect(await modeOf(server)).toBe('standalone');
    expect(zookeeper.connect).toBe(`127.0.0.1:${server.port}`);
    expect(lives(server.pid!)).toBe(true);
  });

  it('grants sessions from two ticks to a minute', async () => {
    expect(await openSession(server, 1)).toBe(2 * TICK_MS);
    expect(await openSession(server, 3_000)).toBe(3_000);
    expect(await openSession(server, 3_600_000)).toBe(60_000);
  });

  it.each(['kill', 'stop'] as const)('after a %s, starts at its port and with its data', async (end) => {
    await openSession(server, 60_000);
    const [pid, port, transaction] = [server.pid!, server.port, await lastTransactionOf(server)];
    await server[end]();
    expect(lives(pid)).toBe(false);
    expect(server.pid).toBeNull();
    expect(await fourLetterWord(server, 'srvr')).toBe('');
    await server.start();
    expect(server.pid).not.toBe(pid);
    expect(server.port).toBe(port);
    expect(await modeOf(server)).toBe('standalone');
    expect(BigInt(transaction!)).toBeGreaterThan(0n);
    expect(BigInt((await lastTransactionOf(server))!)).toBeGreaterThanOrEqual(BigInt(transaction!));
  });

  it('answers nothing while it is halted, and can be ended then', async () => {
    const pid = server.pid!;
    server.signal('SIGSTOP');
    // On a busy machine it takes a moment until all its threads stand still.
    await expect.poll(() => fourLetterWord(server, 'srvr')).toBe('');
    server.signal('SIGCONT');
    expect(await modeOf(server)).toBe('standalone');
    expect(server.pid).toBe(pid);
    server.signal('SIGSTOP');
    await server.stop();
    expect(lives(pid)).toBe(false);
    await server.start();
  });

  it('is not started twice', async () => {
    await expect(server.start()).rejects.toThrow('runs already');
    expect(await modeOf(server)).toBe('standalone');
  });

  it('says why it did not start', async () => {
    await expect(startZooKeeper({ properties: { tickTime: 'often' } })).rejects.toThrow(
      /ended with exit code 2.*For input string: "often"/s,
    );
  });

  it('is gone when it is thrown away', async () => {
    const other = await startZooKeeper({ tickMs: TICK_MS });
    const pid = other.server.pid!;
    await other.stop();
    expect(lives(pid)).toBe(false);
    expect(other.server.pid).toBeNull();
  });
});

describe.runIf(canInjectAll)('a ZooKeeper server on a host of its own', () => {
  it('is reached there, until its link is cut', async () => {
    const network = await Network.create(['zookeeper']);
    onTestFinished(() => network.remove());
    const { host, within } = network.place('zookeeper');
    const { server, stop } = await startZooKeeper({ host, networkNamespace: within.at(-1)! });
    onTestFinished(stop);
    expect(host).not.toBe('127.0.0.1');
    expect(server.connect).toBe(`${host}:${server.port}`);
    expect(await modeOf(server)).toBe('standalone');
    await network.remove();
    expect(await fourLetterWord(server, 'srvr')).toBe('');
    expect(lives(server.pid!)).toBe(true);
  });
});

describe('a ZooKeeper ensemble', () => {
  let ensemble: Ensemble;

  beforeAll(async () => {
    ensemble = await startEnsemble(3, { tickMs: TICK_MS, properties: { syncLimit: String(HALTED_TICKS_MAX) } });
  });

  afterAll(() => ensemble?.stop());

  const modes = async () => (await Promise.all(ensemble.servers.map(modeOf))).sort();

  it('has one leader that the others follow', async () => {
    expect(ensemble.connect).toBe(ensemble.servers.map(({ port }) => `127.0.0.1:${port}`).join(','));
    expect(await modes()).toEqual(['follower', 'follower', 'leader']);
    expect(await modeOf(await ensemble.leader())).toBe('leader');
  });

  it('lives through a rolling restart', async () => {
    const before = ensemble.servers.map(({ pid }) => pid);
    const led = await lastTransactionOf(await ensemble.leader());
    for (const server of ensemble.servers) {
      await server.stop();
      await server.start();
      expect(['leader', 'follower']).toContain(await modeOf(server));
      await ensemble.leader();
    }
    for (const [index, { pid }] of ensemble.servers.entries()) expect(pid).not.toBe(before[index]);
    expect(await modes()).toEqual(['follower', 'follower', 'leader']);
    const leads = await lastTransactionOf(await ensemble.leader());
    expect(BigInt(leads!) >> 32n).toBeGreaterThan(BigInt(led!) >> 32n);
  });

  it.each(['SIGKILL', 'SIGSTOP'] as const)('gets another leader after a %s of the one it had', async (fault) => {
    const old = await ensemble.leader();
    if (fault === 'SIGKILL') await old.kill();
    else old.signal(fault);
    const next = await ensemble.leader();
    expect(next).not.toBe(old);
    expect(await modeOf(next)).toBe('leader');
    // The halted one takes the question, wakes up and says that it leads.
    const asked = ensemble.leader();
    if (fault === 'SIGKILL') await old.start();
    else old.signal('SIGCONT');
    expect(await asked).toBe(next);
    await expect.poll(modes, { timeout: 30_000 }).toEqual(['follower', 'follower', 'leader']);
  });
});
