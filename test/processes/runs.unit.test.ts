import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Runs } from '../../src/processes/run.ts';
import {
  COORDINATE,
  Host,
  isRoot,
  isRunning,
  pidsIn,
  planOf,
  shell,
  textOf,
  untilFile,
  user,
  WAIT,
} from './runs-support.ts';

const host = new Host();
let runs: Runs;
let pids: string;

beforeAll(async () => {
  runs = await host.open();
  pids = join(host.folder, 'pids');
  mkdirSync(pids, { mode: 0o777 });
});
afterAll(() => host.close());

describe('a program that is run', () => {
  it('ends with its code, and has what it was given and nothing else', async () => {
    const env = { QUOTES: `it's "$HOME" \`x\` \\ \n end`, PATH: '/usr/bin:/bin', EMPTY: '' };
    const program = `const {env,argv}=process;console.log(JSON.stringify({env,args:argv.slice(1)}));process.exit(7)`;
    const coordinate = '1.server.anna.test';
    const run = await runs.start(planOf([process.execPath, '-e', program, 'a b', '$x', ''], { env, coordinate }));
    expect(run.pid).toBeGreaterThan(1);
    expect(await run.ended).toMatchObject({ code: 7, signal: null, why: null });
    expect(run.end).toEqual(await run.ended);
    expect(await run.usage()).toBeNull();
    const said = JSON.parse(await textOf(await runs.logs(coordinate, {})));
    // A shell may count itself in.
    const { SHLVL: _, ...seen } = said.env;
    expect(seen).toEqual(env);
    expect(said.args).toEqual(['a b', '$x', '']);
  });

  it('is told apart from one that cannot be started, also when it ends with 127', async () => {
    const coordinate = '2.server.anna.test';
    const notExecutable = join(host.folder, 'data');
    writeFileSync(notExecutable, 'x');
    const plans = [
      shell('exit 127', { coordinate }),
      shell('echo "sh: 1: exec: x: not found" >&2; exit 126', { coordinate }),
      planOf(['/no/such/program'], { coordinate }),
      planOf(['no-such-program'], { coordinate }),
      planOf([notExecutable], { coordinate }),
      planOf(['true'], { coordinate, cwd: '/no/such/folder' }),
      planOf(['true'], { coordinate, env: { 'NOT A NAME': '' } }),
      planOf(['true'], { coordinate, limits: { files: 2_000_000_000 } }),
    ];
    const started = await Promise.all(plans.map((plan) => runs.start(plan)));
    const ends = await Promise.all(started.map(({ ended }) => ended));
    expect(ends.map(({ why }) => why)).toEqual([
      null,
      null,
      expect.stringMatching(/^cannot start: \/no\/such\/program: .*(not found|No such file)/),
      expect.stringMatching(/^cannot start: no-such-program: .*(not found|No such file)/),
      expect.stringMatching(/^cannot start: .*data: .*Permission denied/),
      'cannot start: its folder /no/such/folder is missing',
      'cannot start: "NOT A NAME" is no name of an environment variable',
      expect.stringMatching(/^cannot start: limits\.files is 2000000000, and the agent may have no more than \d+/),
    ]);
    expect(ends.slice(0, 2).map(({ code }) => code)).toEqual([127, 126]);
    expect(await textOf(await runs.logs(coordinate, {}))).not.toMatch(/ (ready|failed)$/m);
  });

  it('is ended with all that it started, also what ignores TERM and what left its session', async () => {
    const tree = `
      trap '' TERM
      note() { sh -c 'echo $PPID' > ${pids}/$1; }
      (note child; exec sleep 1000) &
      setsid sh -c 'trap "" TERM; echo $$ > ${pids}/session; (setsid sh -c "echo \\$\\$ > ${pids}/escaped; exec sleep 1000" &) ; sleep 1000' &
      echo $$ > ${pids}/main
      while :; do sleep 1; done`;
    const run = await runs.start(shell(tree, { coordinate: '3.server.anna.test' }));
    await vi.waitFor(() => expect(pidsIn(pids)).toHaveLength(4), WAIT);
    expect((await run.usage())!.memoryBytes).toBeGreaterThan(10_000);
    const end = await run.stop(200);
    expect(end).toMatchObject({ code: null, signal: 'SIGKILL', why: 'stopped' });
    // Without a control group nobody knows who left.
    const known = existsSync('/sys/fs/cgroup') ? pidsIn(pids) : [run.pid];
    expect(known.filter(isRunning)).toEqual([]);
  });

  it('may end by itself when it is told to, and ends what it left behind', async () => {
    const left = join(host.folder, 'left');
    const script = `trap 'echo bye; exit 3' TERM; sleep 1000 & echo $! > ${left}; wait`;
    const run = await runs.start(shell(script, { coordinate: '4.server.anna.test' }));
    const pid = Number(await untilFile(left));
    expect(await run.stop()).toMatchObject({ code: 3, why: 'stopped' });
    expect(isRunning(pid)).toBe(false);
    const other = await runs.start(
      shell(`sleep 1000 & echo $! > ${left}; exit 5`, { coordinate: '4.server.anna.test' }),
    );
    expect(await other.ended).toMatchObject({ code: 5, why: null });
    expect(isRunning(Number(await untilFile(left)))).toBe(false);
    expect(await textOf(await runs.logs('4.server.anna.test', { marks: true }))).toMatch(/^\S+Z out bye\n$/);
  });

  it('is killed for the reason given, also while it is being stopped', async () => {
    const coordinate = '5.server.anna.test';
    const run = await runs.start(shell(`trap '' TERM; echo deaf; while :; do sleep 1; done`, { coordinate }));
    await vi.waitFor(async () => expect(await textOf(await runs.logs(coordinate, {}))).toBe('deaf\n'), WAIT);
    void run.stop(1_000_000);
    expect(await run.kill('memory is short')).toMatchObject({ signal: 'SIGKILL', why: 'memory is short' });
    expect(await run.stop()).toEqual(run.end);
  });

  it('shows a line that has no end yet, and the last words of one that ends', async () => {
    const coordinate = '6.server.anna.test';
    const run = await runs.start(shell('printf prompt; sleep 1000', { coordinate }));
    await vi.waitFor(async () => expect(await textOf(await runs.logs(coordinate, {}))).toBe('prompt\n'), WAIT);
    await run.kill('enough');
    await (await runs.start(shell('printf last >&2', { coordinate }))).ended;
    expect(await textOf(await runs.logs(coordinate, { lines: 1, marks: true }))).toMatch(/^\S+Z err last\n$/);
  });

  it('writes as fast as it likes and loses no line, while it is followed over rotations', async () => {
    const coordinate = '7.server.anna.test';
    const small = await host.open({ logs: { fileBytes: 50_000, files: 1_000 } });
    const program = 'for (let i = 0; i < 40000; i++) process.stdout.write(i + "\\n")';
    const stream = await small.logs(coordinate, { follow: true });
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    const run = await small.start(planOf([process.execPath, '-e', program], { coordinate }));
    await run.ended;
    await vi.waitFor(() => expect(text.endsWith('39999\n')).toBe(true), WAIT);
    stream.destroy();
    expect(text).toBe(Array.from({ length: 40_000 }, (_, index) => `${index}\n`).join(''));
    expect(readdirSync(join(host.folder, coordinate, 'logs')).length).toBeGreaterThan(20);
  });

  it('runs on when its log cannot be written', async () => {
    const coordinate = '8.server.anna.test';
    mkdirSync(join(host.folder, coordinate), { recursive: true });
    writeFileSync(join(host.folder, coordinate, 'logs'), 'in the way');
    const run = await runs.start(shell('seq 100000; exit 9', { coordinate }));
    expect(await run.ended).toMatchObject({ code: 9, why: null });
  });

  it('may be in a folder that is deeper than the path of a socket can be', async () => {
    const deep = await host.open({ folder: join(host.folder, 'd'.repeat(100), 'e'.repeat(100)) });
    const run = await deep.start(shell('exit 4'));
    expect(await run.ended).toMatchObject({ code: 4 });
  });
});

describe.runIf(isRoot)('a program of another user', () => {
  it('has that user and no groups, and can write to its work only', async () => {
    const coordinate = '1.other.anna.test';
    const work = await runs.work(coordinate, user);
    const script = `id -u; id -g; id -G; echo x > ${work}/mine && echo wrote; ls ${host.folder}/${coordinate}/runs && echo saw`;
    const run = await runs.start(shell(script, { coordinate, user, cwd: work }));
    await run.ended;
    const lines = (await textOf(await runs.logs(coordinate, {}))).split('\n');
    expect(lines.filter((line) => /^(\d|wrote|saw)/.test(line))).toEqual(['65534', '65534', '65534', 'wrote']);
    expect(statSync(join(work, 'mine')).uid).toBe(user.uid);
  });

  it('gets its environment when it has no rights of ours any more', async () => {
    const trace = join(pids, 'trace');
    // A shell that is told to trace by its environment would say what it does with our rights.
    const env = { PATH: '/usr/bin:/bin', LD_DEBUG: 'files', LD_DEBUG_OUTPUT: trace, ENV: '/no/such' };
    const run = await runs.start(planOf(['true'], { coordinate: '2.other.anna.test', user, env }));
    await run.ended;
    const written = readdirSync(pids).filter((name) => name.startsWith('trace'));
    expect(written.filter((name) => statSync(join(pids, name)).uid === 0)).toEqual([]);
  });

  it('cannot be started as a user that the kernel refuses', async () => {
    const run = await runs.start(
      planOf(['true'], { coordinate: '3.other.anna.test', user: { uid: 2 ** 32 - 1, gid: 1 } }),
    );
    expect((await run.ended).why).toBe('cannot start: there is no user 4294967295:1');
  });
});

describe('what is kept of runs', () => {
  it('is refused under names that lead elsewhere', async () => {
    for (const coordinate of ['..', '.', '../x', 'a/b', '', '.hidden', 'a\0b', 'x'.repeat(300)]) {
      await expect(runs.start(shell('true', { coordinate }))).rejects.toThrow(RangeError);
      await expect(runs.work(coordinate, null)).rejects.toThrow(RangeError);
      await expect(runs.remove(coordinate)).rejects.toThrow(RangeError);
      await expect(runs.logs(coordinate, {})).rejects.toThrow(RangeError);
    }
    for (const run of ['..', 'a.new', '', 'a/b'])
      await expect(runs.start(shell('true', { run }))).rejects.toThrow(RangeError);
  });

  it('is there until it is forgotten, and its output until the coordinate is removed', async () => {
    const coordinate = '1.kept.anna.test';
    const plan = shell('echo said; sleep 1000', { coordinate });
    const run = await runs.start(plan);
    await expect(runs.forget(run)).rejects.toThrow('has not ended');
    await expect(runs.remove(coordinate)).rejects.toThrow('has runs');
    await expect(runs.start(plan)).rejects.toThrow('was started before');
    await run.kill('enough');
    await runs.forget(run);
    expect(await textOf(await runs.logs(coordinate, {}))).toBe('said\n');
    await runs.remove(coordinate);
    expect(existsSync(join(host.folder, coordinate))).toBe(false);
    expect(await textOf(await runs.logs(coordinate, {}))).toBe('');
    await runs.remove(coordinate);
  });

  it('is a folder for its work that outlives its runs', async () => {
    const work = await runs.work(COORDINATE, null);
    writeFileSync(join(work, 'file'), 'x');
    expect(await runs.work(COORDINATE, null)).toBe(work);
    expect(readFileSync(join(work, 'file'), 'utf8')).toBe('x');
  });
});
