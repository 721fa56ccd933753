import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectTo, type FromKeeper, hear } from '../../src/processes/keeper-link.ts';
import type { Run } from '../../src/processes/run.ts';
import { agent, end, Host, isRunning, pidsIn, shell, untilFile, untilGone, WAIT } from './runs-support.ts';

let host: Host;
let pids: string;

beforeEach(() => {
  host = new Host();
  pids = join(host.folder, 'pids');
  mkdirSync(pids);
});
afterEach(() => host.close());

describe('a run with a lease', () => {
  it('is ended in time while its agent is stopped, and not before', async () => {
    const plan = shell(`echo $$ > ${pids}/main; exec sleep 1000`, { leaseMs: 3_000 });
    const child = await agent(host, plan, 'once');
    const pid = Number(await untilFile(join(pids, 'main')));
    await sleep(3_600);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGSTOP');
    await untilGone(pid);
    await end(child);
    expect(await (await (await host.open()).adopt())[0]!.ended).toMatchObject({ why: 'lease', signal: 'SIGKILL' });
  });

  it('is ended in time when its agent dies right after the start', async () => {
    const child = await agent(host, shell(`echo $$ > ${pids}/main; exec sleep 1000`, { leaseMs: 3_000 }), 'once');
    await end(child);
    expect(await (await (await host.open()).adopt())[0]!.ended).toMatchObject({ why: 'lease' });
    expect(pidsIn(pids).filter(isRunning)).toEqual([]);
  });

  it('is not begun when the lease ran out before', async () => {
    const run = await (await host.open()).start(shell(`echo $$ > ${pids}/main`, { leaseMs: 0 }));
    expect(await run.ended).toMatchObject({ why: 'lease', code: null });
    expect(run.pid).toBe(0);
    expect(pidsIn(pids)).toEqual([]);
  });

  it('runs on when it needs none any more than at the start', async () => {
    const run = await (await host.open()).start(shell('sleep 1000'));
    run.renew(1);
    await sleep(300);
    expect(run.end).toBeNull();
    expect(await run.kill('x')).toMatchObject({ why: 'x' });
  });
});

describe('a keeper', () => {
  async function connected(run: Run): Promise<{ socket: Socket; said: FromKeeper[] }> {
    const socket = connectTo(host.runFolder(run));
    socket.on('error', () => undefined);
    const said: FromKeeper[] = [];
    hear<FromKeeper>(socket, (message) => said.push(message));
    await vi.waitFor(() => expect(said.length).toBeGreaterThan(1), WAIT);
    return { socket, said };
  }

  it('says what it knows to everybody who asks, and minds no nonsense', async () => {
    const run = await (await host.open()).start(shell('sleep 1000'));
    const { socket, said } = await connected(run);
    expect(said).toEqual([
      { type: 'hello', protocol: 1 },
      { type: 'running', pid: run.pid, startedAt: run.startedAt.toISOString(), limits: {} },
    ]);
    socket.write('{"type":"of a newer agent","x":1}\n{"type":"stop of another kind"}\n');
    for (const garbage of [
      'no json\n',
      '[]\n1\nnull\n',
      'x'.repeat(200_000),
      '{"type":"stop","graceMs":"x"}\n{"type":"renew"}\n',
    ]) {
      const other = await connected(run);
      other.socket.write(garbage);
      other.socket.end();
      await vi.waitFor(() => expect(other.socket.closed).toBe(true), WAIT);
    }
    expect(run.end).toBeNull();
    expect(isRunning(run.pid)).toBe(true);
    socket.write('{"type":"kill","why":"asked"}\n');
    expect(await run.ended).toMatchObject({ why: 'asked' });
    await vi.waitFor(() => expect(said.at(-1)).toMatchObject({ type: 'ended', end: { why: 'asked' } }), WAIT);
    socket.destroy();
  });

  it('ends its program when it is told to end, as by a machine that shuts down', async () => {
    const run = await (await host.open()).start(
      shell(`trap 'exit 3' TERM; echo $$ > ${pids}/main; while :; do sleep 0.1; done`),
    );
    await untilFile(join(pids, 'main'));
    process.kill(host.keeperOf(run), 'SIGHUP');
    process.kill(host.keeperOf(run), 'SIGTERM');
    expect(await run.ended).toMatchObject({ code: 3, why: 'stopped' });
  });

  it('does not count a renewal that it reads too late', async () => {
    const run = await (await host.open()).start(shell('sleep 1000', { leaseMs: 600_000 }));
    process.kill(host.keeperOf(run), 'SIGSTOP');
    run.renew(200);
    await sleep(500);
    process.kill(host.keeperOf(run), 'SIGCONT');
    expect(await run.ended).toMatchObject({ why: 'lease' });
  });

  it('does not bring a lease back that ran out', async () => {
    const run = await (await host.open()).start(shell('sleep 1000', { leaseMs: 600_000 }));
    process.kill(host.keeperOf(run), 'SIGSTOP');
    run.renew(200);
    await sleep(500);
    run.renew(600_000);
    process.kill(host.keeperOf(run), 'SIGCONT');
    expect(await run.ended).toMatchObject({ why: 'lease' });
  });
});
