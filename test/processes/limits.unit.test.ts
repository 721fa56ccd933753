import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  groupCpuMs,
  groupMemory,
  groupPlaces,
  killInGroups,
  makeGroups,
  memoryKills,
  processesIn,
  removeGroups,
} from '../../src/processes/cgroup.ts';
import { FILES, type KeeperFile, readJson } from '../../src/processes/keeper-files.ts';
import { launch } from '../../src/processes/launch.ts';
import { read } from '../../src/processes/proc.ts';
import type { Runs } from '../../src/processes/run.ts';
import { Host, isRoot, isRunning, planOf, shell, textOf, user, WAIT } from './runs-support.ts';

const host = new Host();
const MIB = 2 ** 20;
let runs: Runs;

beforeAll(async () => {
  runs = await host.open();
});
afterAll(() => host.close());

/** Can a controller of version 1 be used here? */
function has(controller: string): boolean {
  const places = groupPlaces(read('/proc/mounts') ?? '', read('/proc/self/cgroup') ?? '', 'x');
  return isRoot && places.some((place) => place.controllers.includes(controller));
}

/** Allocates and touches so many MiB, and says so. */
function hungry(mib: number): string[] {
  const program = `const a=[];for(let i=0;i<${mib};i++)a.push(Buffer.alloc(1048576,1));console.log('full');setInterval(()=>a,1e6)`;
  return [process.execPath, '-e', program];
}

describe('hierarchies of control groups', () => {
  const HYBRID = [
    'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
    'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0',
    'cgroup /sys/fs/cgroup/me\\040mory cgroup rw,memory 0 0',
    'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
    '',
  ].join('\n');

  it('are found with the group that we are in', () => {
    const own = '4:memory:/a:b\n3:cpuacct,cpu:/c\n1:name=systemd:/d\n0::/e\n';
    expect(groupPlaces(HYBRID, own, 'id').map(({ version, folder }) => `${version} ${folder}`)).toEqual([
      'cgroup1 /sys/fs/cgroup/cpu,cpuacct/kvitt-nodee/id',
      'cgroup1 /sys/fs/cgroup/cpu,cpuacct/c/kvitt-nodee/id',
      'cgroup1 /sys/fs/cgroup/me mory/kvitt-nodee/id',
      'cgroup1 /sys/fs/cgroup/me mory/a:b/kvitt-nodee/id',
      'cgroup2 /sys/fs/cgroup/unified/kvitt-nodee/id',
      'cgroup2 /sys/fs/cgroup/unified/e/kvitt-nodee/id',
    ]);
    expect(groupPlaces('', '', 'id')).toEqual([]);
  });

  describe('of version 2', () => {
    let mount: string;
    let group: string;

    function put(folder: string, files: Record<string, string>): void {
      mkdirSync(folder, { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    }

    beforeAll(() => {
      mount = mkdtempSync(join(tmpdir(), 'kvitt-cgroup-'));
      group = join(mount, 'kvitt-nodee', 'id');
      const inner = { 'cgroup.controllers': 'cpu memory pids\n', 'cgroup.subtree_control': '', 'cgroup.procs': '' };
      put(mount, inner);
      put(join(mount, 'kvitt-nodee'), inner);
      put(group, { 'cgroup.procs': '', 'memory.max': 'max', 'memory.oom.group': '0', 'cpu.max': 'max 100000' });
    });
    afterAll(() => rmSync(mount, { recursive: true, force: true }));

    it('keep limits by what is written into their files', () => {
      const places = groupPlaces(`cgroup2 ${mount} cgroup2 rw 0 0\n`, '0::/\n', 'id');
      expect(makeGroups(places, { memory: 64 * MIB, cpu: 0.25 })).toEqual({
        joined: [group],
        kept: { memory: 'cgroup2', cpu: 'cgroup2' },
      });
      const text = (name: string) => readFileSync(join(group, name), 'utf8').trimEnd();
      expect(text('memory.max')).toBe(`${64 * MIB}`);
      expect(text('memory.oom.group')).toBe('1');
      expect(text('cpu.max')).toBe('25000 100000');
      expect(existsSync(join(group, 'memory.swap.max'))).toBe(false);
      expect(readFileSync(join(mount, 'cgroup.subtree_control'), 'utf8')).toMatch(/\+(memory|cpu)/);
    });

    it('say what is used', () => {
      put(group, {
        'memory.current': '1000\n',
        'memory.stat': 'anon 1\ninactive_file 300\n',
        'cpu.stat': 'usage_usec 2500000\nuser_usec 1\n',
        'memory.events': 'low 0\noom 4\noom_kill 2\noom_group_kill 1\n',
      });
      expect([groupMemory([group]), groupCpuMs([group]), memoryKills([group])]).toEqual([700, 2_500, 2]);
      expect([groupMemory(['/no']), groupCpuMs(['/no']), memoryKills(['/no'])]).toEqual([null, null, null]);
    });

    it('are left out where nothing can be made or joined', async () => {
      const places = groupPlaces('cgroup2 /proc cgroup2 rw 0 0\ncgroup /no/such cgroup rw,memory 0 0\n', '', 'id');
      expect(makeGroups(places, { memory: MIB, cpu: 1 })).toEqual({ joined: [], kept: {} });
      expect(killInGroups(places.map(({ folder }) => folder))).toBe(false);
      await removeGroups(places.map(({ folder }) => folder));
      expect(processesIn(['/no/such'])).toEqual([]);
    });
  });
});

describe('a limit of memory', () => {
  it.runIf(has('memory'))('ends a program that goes over it, and says why', async () => {
    const run = await runs.start(
      planOf(hungry(300), { limits: { memory: 100 * MIB }, coordinate: '1.limit.anna.test' }),
    );
    expect(run.limits).toEqual({ memory: 'cgroup1' });
    expect(await run.ended).toMatchObject({ signal: 'SIGKILL', why: 'memory limit' });
  });

  it.runIf(has('memory'))('leaves one alone that stays under it, and counts what it uses', async () => {
    const run = await runs.start(
      planOf(hungry(64), { limits: { memory: 200 * MIB }, coordinate: '2.limit.anna.test' }),
    );
    await vi.waitFor(async () => {
      expect((await run.usage())!.memoryBytes).toBeGreaterThan(64 * MIB);
    }, WAIT);
    expect(await run.usage()).toMatchObject({ memoryKills: 0 });
    expect((await run.usage())!.memoryBytes).toBeLessThan(200 * MIB);
    const { groups } = readJson<KeeperFile>(host.runFolder(run), FILES.keeper)!;
    const made = groups.filter((folder) => existsSync(folder));
    expect(made.length).toBeGreaterThan(0);
    expect(processesIn(made)).toContain(run.pid);
    await run.kill('enough');
    expect(made.filter((folder) => existsSync(folder))).toEqual([]);
  });
});

describe('a limit that no group keeps', () => {
  it('is set on the process, in private memory', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvitt-limits-'));
    const plan = shell('ulimit -d; ulimit -v', { limits: { memory: 64 * MIB, cpu: 1 } });
    const { child } = launch(plan, folder, { joined: [], kept: {} });
    expect(await textOf(child.stdout!)).toBe('65536\nunlimited\n');
    rmSync(folder, { recursive: true });
  });
});

describe('a limit of CPU', () => {
  it.runIf(has('cpu'))('holds a program back', async () => {
    const busy = [process.execPath, '-e', 'for(;;);'];
    const run = await runs.start(planOf(busy, { limits: { cpu: 0.1 }, coordinate: '3.limit.anna.test' }));
    expect(run.limits).toEqual({ cpu: 'cgroup1' });
    const { groups } = readJson<KeeperFile>(host.runFolder(run), FILES.keeper)!;
    const throttled = () =>
      groups.map((folder) => Number(/^nr_throttled (\d+)$/m.exec(read(join(folder, 'cpu.stat')) ?? '')?.[1] ?? 0));
    await vi.waitFor(() => expect(Math.max(...throttled())).toBeGreaterThan(5), WAIT);
    expect((await run.usage())!.cpuMs).toBeGreaterThan(20);
    await run.kill('enough');
  });
});

describe('a limit of open files', () => {
  it('is kept, whoever the user is', async () => {
    const coordinate = '4.limit.anna.test';
    for (const who of isRoot ? [null, user] : [null]) {
      const run = await runs.start(shell('ulimit -n; ulimit -Hn', { limits: { files: 77 }, user: who, coordinate }));
      await run.ended;
      expect(run.limits).toEqual({ files: 'rlimit' });
    }
    expect(await textOf(await runs.logs(coordinate, { lines: 2 }))).toBe('77\n77\n');
  });
});

describe('what left its session', () => {
  it.runIf(isRoot && readdirSync('/sys/fs/cgroup').length > 0)(
    'and went into a group inside of its own is ended',
    async () => {
      const script = `
      group=/sys/fs/cgroup/unified$(sed -n 's/^0:://p' /proc/self/cgroup); [ -d $group ] || group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
      mkdir $group/inner && setsid sh -c "echo \\$\\$ > $group/inner/cgroup.procs; echo \\$\\$ > ${host.folder}/inner; exec sleep 1000" &
      wait; sleep 1000`;
      const run = await runs.start(shell(script, { coordinate: '5.limit.anna.test' }));
      const file = join(host.folder, 'inner');
      await vi.waitFor(() => expect(Number(readFileSync(file, 'utf8'))).toBeGreaterThan(1), WAIT);
      const pid = Number(readFileSync(file, 'utf8'));
      expect(isRunning(pid)).toBe(true);
      await run.kill('enough');
      expect(isRunning(pid)).toBe(false);
      const { groups } = readJson<KeeperFile>(host.runFolder(run), FILES.keeper)!;
      expect(groups.filter((folder) => existsSync(folder))).toEqual([]);
    },
  );
});
