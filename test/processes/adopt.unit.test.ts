import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FILES, type KeeperFile, readJson } from '../../src/processes/keeper-files.ts';
import { type FromKeeper, hear } from '../../src/processes/keeper-link.ts';
import { statOf } from '../../src/processes/proc.ts';
import type { Run } from '../../src/processes/run.ts';
import {
  agent,
  collect,
  end,
  Host,
  isRoot,
  isRunning,
  log,
  pidsIn,
  planOf,
  shell,
  untilFile,
  untilGone,
  user,
  WAIT,
} from './runs-support.ts';

let host: Host;
let pids: string;

beforeEach(() => {
  host = new Host();
  pids = join(host.folder, 'pids');
  mkdirSync(pids);
});
afterEach(() => host.close());

/** As an agent that begins. */
async function adopted() {
  const runs = await host.open();
  return { runs, found: await runs.adopt() };
}

describe('a run whose agent is killed', () => {
  it('goes on, is found by the next one, and can be followed without a gap', async () => {
    const program = `let i = 0; setInterval(() => console.log(i++), 5)`;
    const plan = planOf([process.execPath, '-e', program], { limits: { files: 200 } });
    const first = await agent(host, plan, 'once');
    const stream = await (await host.open()).logs(plan.coordinate, { follow: true });
    const seen = collect(stream);
    await vi.waitFor(() => expect(seen.lines().length).toBeGreaterThan(20), WAIT);
    await end(first);
    const killedAt = seen.lines().length;
    const { runs, found } = await adopted();
    expect(found).toHaveLength(1);
    const [run] = found;
    expect(run!.plan).toEqual(plan);
    expect(run!.limits).toEqual({ files: 'rlimit' });
    expect(run!.end).toBeNull();
    expect(isRunning(run!.pid)).toBe(true);
    await vi.waitFor(() => expect(seen.lines().length).toBeGreaterThan(killedAt + 20), WAIT);
    expect(await runs.adopt()).toEqual([]);
    // Whoever lets go of it, as an agent that lost its place, may come back to it.
    run!.detach();
    const [again, ...others] = await runs.adopt();
    expect([again!.pid, others]).toEqual([run!.pid, []]);
    expect(await again!.stop()).toMatchObject({ signal: 'SIGTERM', why: 'stopped' });
    stream.destroy();
    expect(seen.lines()).toEqual(seen.lines().map((_, index) => `${index}`));
  });

  it('may end meanwhile, and how it ended is known', async () => {
    const first = await agent(host, shell(`echo $$ > ${pids}/main; sleep 0.3; exit 42`), 'once');
    await end(first);
    await vi.waitFor(() => expect(pidsIn(pids)).toHaveLength(1), WAIT);
    await untilGone(...pidsIn(pids));
    const { runs, found } = await adopted();
    expect(await found[0]!.ended).toMatchObject({ code: 42, why: null });
    await runs.forget(found[0]!);
    expect((await adopted()).found).toEqual([]);
  });

  it('is ended when it was told to, though the agent is gone before the grace is over', async () => {
    const runs = await host.open();
    const run = await runs.start(shell(`trap '' TERM; echo $$ > ${pids}/main; while :; do sleep 0.1; done`));
    await untilFile(join(pids, 'main'));
    void run.stop(300);
    await sleep(100);
    run.detach();
    await untilGone(run.pid);
    expect(await (await adopted()).found[0]!.ended).toMatchObject({ signal: 'SIGKILL', why: 'stopped' });
  });

  it('is left alone by an agent that lets go of it', async () => {
    const run = await (await host.open()).start(shell('sleep 1000'));
    run.detach();
    const { found } = await adopted();
    expect(found[0]!.pid).toBe(run.pid);
    expect(await found[0]!.kill('x')).toMatchObject({ why: 'x' });
    expect(run.end).toBeNull();
  });

  it('is never unknown, whenever the agent was killed', async () => {
    // Each notes itself before anything else, and lives until it is ended.
    const plan = shell(`echo $$ > ${pids}/$$; exec sleep 1000`, { coordinate: '0.loop.anna.test' });
    for (let round = 0; round < 5; round++) {
      const child = await agent(host, { ...plan, run: `${plan.run}r${round}` }, 'loop');
      await sleep(Math.random() * 900);
      await end(child);
    }
    const { found } = await adopted();
    expect(found.length).toBeGreaterThan(0);
    const known = new Set(found.filter((run) => run.end === null).map((run) => run.pid));
    // What was just being started is either one of them, or never begins.
    await sleep(300);
    const alive = pidsIn(pids).filter(isRunning);
    expect(alive.filter((pid) => !known.has(pid))).toEqual([]);
    await Promise.all(found.map((run) => run.kill('the test is over')));
    await untilGone(...pidsIn(pids));
    expect(new Set(found.map((run) => run.plan.run)).size).toBe(found.length);
  });
});

describe('a run whose keeper is killed', () => {
  const tree = () => `
    setsid sh -c 'echo $$ > ${pids}/escaped; exec sleep 1000' &
    sh -c 'echo $$ > ${pids}/child; exec sleep 1000' &
    echo $$ > ${pids}/main; wait; exec sleep 1000`;

  it('ends with it, and the agent ends what is left', async () => {
    const run = await (await host.open()).start(shell(tree()));
    await vi.waitFor(() => expect(pidsIn(pids)).toHaveLength(3), WAIT);
    process.kill(host.keeperOf(run), 'SIGKILL');
    expect(await run.ended).toMatchObject({ code: null, why: 'keeper lost' });
    expect(pidsIn(pids).filter(isRunning)).toEqual([]);
  });

  it('is ended by the next agent, when there was none, and its program before that, whoever the user is', async () => {
    chmodSync(pids, 0o777);
    const run = await (await host.open()).start(shell(tree(), { user: isRoot ? user : null }));
    await vi.waitFor(() => expect(pidsIn(pids)).toHaveLength(3), WAIT);
    run.detach();
    process.kill(host.keeperOf(run), 'SIGKILL');
    await untilGone(run.pid);
    const { found } = await adopted();
    expect(found[0]!.end).toMatchObject({ why: 'keeper lost' });
    expect(found[0]!.pid).toBe(run.pid);
    expect(pidsIn(pids).filter(isRunning)).toEqual([]);
  });

  it('does not hang when the keeper does not answer', async () => {
    const run = await (await host.open()).start(shell('sleep 1000'));
    run.detach();
    const keeper = host.keeperOf(run);
    process.kill(keeper, 'SIGSTOP');
    const { found } = await adopted();
    expect(found[0]!.pid).toBe(run.pid);
    const killed = found[0]!.kill('enough');
    process.kill(keeper, 'SIGCONT');
    expect(await killed).toMatchObject({ why: 'enough' });
  });
});

describe('a keeper that hangs', () => {
  afterEach(() => vi.useRealTimers());

  it.each(['stop', 'kill'] as const)(
    'is killed some time after it was told to %s, and its run has an end',
    async (how) => {
      const run = await (await host.open()).start(shell('sleep 1000', { graceMs: 1_000 }));
      process.kill(host.keeperOf(run), 'SIGSTOP');
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const ended = how === 'stop' ? run.stop() : run.kill('enough');
      vi.advanceTimersByTime(60_000);
      vi.useRealTimers();
      expect(await ended).toMatchObject({ why: 'keeper lost' });
      expect(isRunning(run.pid)).toBe(false);
    },
  );
});

describe('numbers that others have now', () => {
  /** A stranger, which has the number that a run has noted. */
  async function forged(change: (kept: KeeperFile, stat: string) => { kept: KeeperFile; stat: string }) {
    const run = await (await host.open()).start(shell('exit 0'));
    await run.ended;
    const folder = host.runFolder(run);
    const stranger = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
    const pid = stranger.pid!;
    const kept = readJson<KeeperFile>(folder, FILES.keeper)!;
    const made = change({ ...kept, keeper: { ...kept.keeper!, pid } }, readFileSync(`/proc/${pid}/stat`, 'utf8'));
    writeFileSync(join(folder, FILES.keeper), JSON.stringify(made.kept));
    writeFileSync(join(folder, FILES.program), made.stat);
    rmSync(join(folder, FILES.end));
    const { found } = await adopted();
    const left = isRunning(pid);
    stranger.kill('SIGKILL');
    return { end: found[0]!.end, isStrangerLeft: left };
  }

  it('are not taken for ours when they began at another time', async () => {
    const seen = await forged((kept, stat) => {
      const { start } = statOf(Number(stat.split(' ')[0]))!;
      return { kept, stat: stat.replace(` ${start} `, ` ${Number(start) - 1} `) };
    });
    expect(seen).toMatchObject({ end: { why: 'keeper lost' }, isStrangerLeft: true });
  });

  it('are not taken for ours after another boot, though they began at the same time', async () => {
    const seen = await forged((kept, stat) => {
      const { start } = statOf(Number(stat.split(' ')[0]))!;
      return { kept: { ...kept, keeper: { ...kept.keeper!, start, boot: 'another' } }, stat };
    });
    expect(seen).toMatchObject({ end: { why: 'keeper lost' }, isStrangerLeft: true });
  });

  it('are ours when all is the same', async () => {
    const seen = await forged((kept, stat) => ({ kept, stat }));
    expect(seen).toMatchObject({ end: { why: 'keeper lost' }, isStrangerLeft: false });
  });
});

describe('a folder that is half written', () => {
  it('is removed when the start was broken off before it was a run', async () => {
    const parent = join(host.folder, '0.half.anna.test', 'runs');
    for (const name of ['r1.abc.new', 'r2.abc.gone']) {
      mkdirSync(join(parent, name), { recursive: true });
      writeFileSync(join(parent, name, FILES.plan), '{"pl');
    }
    expect((await adopted()).found).toEqual([]);
    expect(existsSync(join(parent, 'r1.abc.new')) || existsSync(join(parent, 'r2.abc.gone'))).toBe(false);
  });

  it('without a keeper is a run that was lost, and a keeper that comes late starts nothing', async () => {
    const plan = shell(`echo $$ > ${pids}/main`, { coordinate: '0.half.anna.test' });
    const folder = host.runFolder({ plan });
    mkdirSync(folder, { recursive: true });
    const file = { protocol: 1, plan, leaseUntil: null, boot: '', logs: { fileBytes: 1e6, files: 2 } };
    writeFileSync(join(folder, FILES.plan), JSON.stringify(file));
    const { found } = await adopted();
    expect(found[0]!.end).toMatchObject({ why: 'keeper lost' });
    const program = fileURLToPath(new URL('../../src/processes/keeper-process.ts', import.meta.url));
    const late = spawn(process.execPath, ['--import', 'tsx', program, folder], { stdio: 'inherit' });
    await once(late, 'exit');
    expect(pidsIn(pids)).toEqual([]);
  });

  it('with a plan that nobody can read is ended and removed', async () => {
    const run = await (await host.open()).start(shell('sleep 1000'));
    run.detach();
    writeFileSync(join(host.runFolder(run), FILES.plan), '');
    const error = vi.spyOn(log, 'error');
    expect((await adopted()).found).toEqual([]);
    expect(error).toHaveBeenCalledOnce();
    expect(isRunning(run.pid)).toBe(false);
    expect(existsSync(host.runFolder(run))).toBe(false);
  });
});

describe('a run whose keeper is of another version of the agent', () => {
  /** Files of a run as a later version may write them: with more in them than this one knows. */
  function writeNewer(folder: string, ...names: string[]): void {
    for (const name of names) {
      const file = readJson<object>(folder, name)!;
      writeFileSync(join(folder, name), JSON.stringify({ ...file, protocol: 2, scheduler: { class: 'batch' } }));
    }
  }

  /** The keeper of a run as a later version may have it: it says more than this one knows. */
  async function newer(run: Run): Promise<Server> {
    const folder = host.runFolder(run);
    writeNewer(folder, FILES.plan, FILES.keeper);
    const [socket, behind] = [join(folder, FILES.socket), join(folder, 'behind')];
    renameSync(socket, behind);
    const server = createServer((agent) => {
      const keeper = connect(behind);
      keeper.on('error', () => agent.destroy()).on('close', () => agent.end());
      agent.on('error', () => keeper.destroy()).on('close', () => keeper.destroy());
      agent.pipe(keeper);
      hear<FromKeeper>(keeper, (message) => {
        agent.write('{"type":"pressure","some":0.3}\n');
        const as = message.type === 'hello' ? { ...message, protocol: 2, features: ['pressure'] } : message;
        agent.write(`${JSON.stringify({ ...as, host: { cores: 2 } })}\n`);
      });
    });
    server.listen(socket);
    await once(server, 'listening');
    return server;
  }

  it('is adopted, and stopped', async () => {
    const run = await (await host.open()).start(shell('sleep 1000', { limits: { files: 200 } }));
    run.detach();
    const server = await newer(run);
    const { found } = await adopted();
    expect(found.map(({ pid, limits, end }) => ({ pid, limits, end }))).toEqual([
      { pid: run.pid, limits: { files: 'rlimit' }, end: null },
    ]);
    expect(await found[0]!.stop()).toMatchObject({ signal: 'SIGTERM', why: 'stopped' });
    expect(isRunning(run.pid)).toBe(false);
    server.close();
  });

  it('has ended meanwhile, and how is read from what that keeper wrote', async () => {
    const run = await (await host.open()).start(shell('exit 7'));
    expect(await run.ended).toMatchObject({ code: 7 });
    writeNewer(host.runFolder(run), FILES.plan, FILES.keeper, FILES.end);
    run.detach();
    expect((await adopted()).found[0]!.end).toMatchObject({ code: 7, why: null });
  });
});
