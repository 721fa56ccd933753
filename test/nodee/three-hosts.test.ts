import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cloudname } from '../../src/cloudname/cloudname.ts';
import { generateApiKey } from '../../src/http/auth.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { seeHosts } from '../../src/nodee/hosts.ts';
import type { HostSeen } from '../../src/nodee/types.ts';
import type { ProcessReport } from '../../src/processes/types.ts';
import { type SpreadEnsemble, startEnsembleOn } from '../cloudname/support/ensemble.ts';
import { until } from '../cloudname/support/namespace.ts';
import { LiveLoad } from '../faults/support/live-load.ts';
import { BOOKS } from '../faults/support/load.ts';
import { Network } from '../faults/support/network.ts';
import { canInjectAll } from '../faults/support/requirements.ts';
import { compile } from '../support/build.ts';
import { quietLog } from '../support/log.ts';
import { AgentOnHost, type Answer, type Nodee, nodee } from './support/hosts.ts';
import { ResolvedTaker } from './support/resolved-taker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const HOSTS = ['ann', 'bob', 'cat'];
const DATABASE = 'database';
const FLEET = { user: 'pay', cell: 'test' };
/** Longer than a busy machine stands still. */
const SESSION_MS = 10_000;
const TEST_MS_MAX = 300_000;
/** All of it has to run on two cores. */
const CALLERS = 4;
/** Of the ensemble's time; sessions end after two of these at the soonest. */
const TICK_MS = 500;
const MOVED_MS_MAX = 120_000;
const BEACON = `import { appendFileSync } from 'node:fs';
const [, , file, host] = process.argv;
setInterval(() => appendFileSync(file, host + '\\n'), 20);
`;

interface Ref {
  readonly id: string;
  readonly sha256: string;
}

describe.runIf(canInjectAll)('three hosts that run the payment service', { timeout: TEST_MS_MAX }, () => {
  let folder: string;
  let network: Network;
  let ensemble: SpreadEnsemble;
  let set: EmbeddedReplicaSet;
  let tool: Nodee;
  let agents: AgentOnHost[];
  let cloudname: Cloudname;
  let load: LiveLoad;
  let taker: ResolvedTaker;
  const refs: Record<string, Ref> = {};
  const apiKey = generateApiKey();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nodee-'));
    // The service runs as somebody else, and reads its files there.
    await chmod(folder, 0o755);
    network = await Network.create([...HOSTS, DATABASE]);
    const [zookeepers, database, build] = await Promise.all([
      startEnsembleOn(network, HOSTS, { tickMs: TICK_MS, properties: {} }),
      startReplicaSet(),
      compile(),
    ]);
    [ensemble, set] = [zookeepers, database];
    const connect = ensemble.members.map(({ server }) => server.connect).join(',');
    const environment = {
      ZOOKEEPER_CONNECT: connect,
      ZOOKEEPER_SESSION_MS: String(SESSION_MS),
      NODEE_COORDINATE: 'nodee.pay.test',
      NODEE_TOKEN: randomBytes(32).toString('hex'),
      HOME: folder,
    };
    tool = { program: build.program, folder, environment };
    agents = HOSTS.map((host) => new AgentOnHost(tool, network, host));
    await Promise.all(agents.map((agent) => agent.start()));
    load = await LiveLoad.over(set.uri, 'fleet', CALLERS);
    cloudname = await Cloudname.connect({ connect, sessionMs: SESSION_MS, requestMs: MOVED_MS_MAX });
    taker = new ResolvedTaker(cloudname, 'kvitt.pay.test', apiKey);
    await packAll();
  }, TEST_MS_MAX);

  afterAll(async () => {
    await load?.close();
    await cloudname?.close();
    if (tool !== undefined) await apply('nothing', { services: {} }).catch(() => undefined);
    await Promise.all((agents ?? []).map((agent) => agent.end('SIGTERM')));
    await ensemble?.stop();
    await set?.stop();
    await network?.remove();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  function startReplicaSet(): Promise<EmbeddedReplicaSet> {
    const place = network.place(DATABASE);
    return startEmbeddedReplicaSet({ dataDir: null, log: quietLog, places: [place, place, place] });
  }

  /** The service as it is released, the same once more as another version, and a small program; all agents get them. */
  async function packAll(): Promise<void> {
    const out = join(folder, 'kvitt.tar.gz');
    const release = join(ROOT, 'scripts/release.ts');
    const made = await promisify(execFile)(process.execPath, ['--import', 'tsx', release, '--out', out]);
    const { sha256 } = JSON.parse(made.stdout) as Ref;
    await mkdir(join(folder, 'beacon'));
    await writeFile(join(folder, 'beacon', 'beacon.mjs'), BEACON);
    const small = join(folder, 'beacon.tar.gz');
    const packed = await run('pack', join(folder, 'beacon'), '--id', 'test:beacon:1', '--out', small, '--json');
    refs.beacon = JSON.parse(packed.stdout) as Ref;
    await run('push', small, '--id', 'test:beacon:1', '--host', 'all');
    for (const version of ['1.0.0', '1.1.0']) {
      refs[version] = { id: `no.kvitt:kvitt:${version}`, sha256 };
      // The others get it from this one.
      await run('push', out, '--id', refs[version].id, '--host', 'bob');
    }
  }

  /** What must succeed. */
  async function run(...args: string[]): Promise<Answer> {
    const answer = await nodee(tool, ...args);
    if (answer.code !== 0) throw new Error(`nodee ${args.join(' ')}: ${answer.code}\n${answer.stdout}${answer.stderr}`);
    return answer;
  }

  async function apply(name: string, fleet: object): Promise<Answer> {
    const file = join(folder, `${name}.yaml`);
    // Whatever is JSON is YAML.
    await writeFile(file, JSON.stringify(fleet));
    return nodee(tool, 'apply', file, '--yes', '--timeout', '200');
  }

  function fleet(version: string, more: object = {}): object {
    const kvitt = {
      artifact: { id: refs[version]!.id, sha256: refs[version]!.sha256 },
      instances: HOSTS.length,
      command: [process.execPath, 'dist/src/cli.js', 'serve'],
      user: 'nobody',
      claim: 'process',
      ports: { http: null, internal: null },
      env: {
        MONGODB_URI: set.uri,
        MONGODB_DATABASE: 'fleet',
        BOOKS: String(BOOKS),
        BOOTSTRAP_API_KEY: apiKey,
        HTTP_HOST: `\${host}`,
        HTTP_PORT: `\${port.http}`,
        INTERNAL_PORT: `\${port.internal}`,
        CLOUDNAME_COORDINATE: `\${coordinate}`,
        ZOOKEEPER_CONNECT: `\${zookeeper}`,
        ZOOKEEPER_SESSION_MS: String(SESSION_MS),
        RECOVERY_AFTER_SECONDS: '1',
        SHUTDOWN_DELAY_MS: '1000',
      },
      health: { port: 'http', http: '/readyz', every: '500ms', timeout: '20s', startup: '120s' },
      restart: { backoff: '200ms' },
      ...more,
    };
    const beacon = {
      artifact: refs.beacon,
      command: [process.execPath, 'beacon.mjs', join(folder, 'beacon.txt'), `\${host}`],
      user: 'nobody',
      cutoff: 'kill',
    };
    return { replace_after: '8s', services: { beacon, kvitt } };
  }

  async function processes(): Promise<(ProcessReport & { host: string })[]> {
    const hosts = await seeHosts(cloudname, FLEET);
    return hosts.flatMap(({ report }) => (report?.processes ?? []).map((one) => ({ ...one, host: report!.host })));
  }

  const pidsOf = (all: readonly ProcessReport[]) =>
    Object.fromEntries(all.map(({ coordinate, pid }) => [coordinate, pid]).sort());

  it('bring it up on each of them from one archive, after showing the plan', async () => {
    await writeFile(join(folder, 'beacon.txt'), '');
    await chmod(join(folder, 'beacon.txt'), 0o666);
    await writeFile(join(folder, 'first.yaml'), JSON.stringify(fleet('1.0.0')));
    const dry = await nodee(tool, 'apply', join(folder, 'first.yaml'), '--dry-run');
    expect(dry).toMatchObject({ code: 1, stdout: expect.stringContaining('4 to start') });
    expect(await processes()).toEqual([]);
    const applied = await apply('first', fleet('1.0.0'));
    expect(applied, applied.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('All is as wanted.') });
    const service = (await processes()).filter(({ coordinate }) => coordinate.includes('.kvitt.'));
    expect(service.map(({ host }) => host).sort()).toEqual(HOSTS);
    expect(service.every(({ state, artifact }) => state === 'running' && artifact === 'no.kvitt:kvitt:1.0.0')).toBe(
      true,
    );
    load.add(taker);
    await load.progress(50);
    expect(taker.failures).toEqual([]);
  });

  it('change to another version under load, one after the other, and not one request fails', async () => {
    const before = pidsOf(await processes());
    const applied = await apply('second', fleet('1.1.0'));
    expect(applied, applied.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('3 to roll') });
    const after = await processes();
    const changed = after
      .filter(({ coordinate, pid }) => before[coordinate] !== pid)
      .map(({ coordinate }) => coordinate);
    expect(changed.sort()).toEqual(['0.kvitt.pay.test', '1.kvitt.pay.test', '2.kvitt.pay.test']);
    await load.progress(50);
    expect(taker.failures).toEqual([]);
    expect(load.readsFailed).toBe(0);
  });

  it('keep the version that they have when the next one is not healthy, and not one request fails', async () => {
    const before = pidsOf(await processes());
    const broken = fleet('1.1.0', { command: [process.execPath, '-e', 'process.exit(3)'] });
    const applied = await apply('broken', broken);
    expect(applied, applied.stderr).toMatchObject({ code: 1, stderr: expect.stringContaining('rolled back') });
    await load.progress(50);
    expect(pidsOf(await processes())).toEqual(before);
    expect(taker.failures).toEqual([]);
    expect(load.readsFailed).toBe(0);
  });

  it('run on while an agent is killed, and the next agent finds what runs', async () => {
    const before = pidsOf(await processes());
    await agents[1]!.end('SIGKILL');
    await load.progress(50);
    await agents[1]!.start();
    // Its coordinate is free when the session of the one before has ended.
    await until(processes, (all) => all.filter(({ host }) => host === 'bob').length > 0, MOVED_MS_MAX);
    await load.progress(50);
    expect(pidsOf(await processes())).toEqual({ ...before, ...beaconOf(await processes()) });
    expect(taker.failures).toEqual([]);
  });

  it('start a service again that was killed', async () => {
    const [victim] = (await processes()).filter(({ coordinate }) => coordinate === '1.kvitt.pay.test');
    process.kill(victim!.pid!, 'SIGKILL');
    const isBack = (all: readonly ProcessReport[]) =>
      all.some(
        ({ coordinate, state, pid }) => coordinate === victim!.coordinate && state === 'running' && pid !== victim!.pid,
      );
    const back = await until(processes, isBack, MOVED_MS_MAX);
    expect(back.find(({ coordinate }) => coordinate === victim!.coordinate)!.restarts).toBe(1);
    const { stdout } = await run('logs', victim!.coordinate, '-n', '2000');
    expect(stdout).toContain('sharing the books');
    await load.progress(50);
  });

  it('replace what ran on a host that is cut off, after it was ended there, and take the host back', async () => {
    const { host: lost } = (await processes()).find(({ coordinate }) => coordinate === '0.beacon.pay.test')!;
    const others = [...HOSTS, DATABASE].filter((host) => host !== lost);
    const here = (await processes()).filter(({ host }) => host === lost).map(({ coordinate }) => coordinate);
    expect(here.some((coordinate) => coordinate.includes('.kvitt.'))).toBe(true);
    await network.cut(lost, others);
    const isMoved = (all: readonly (ProcessReport & { host: string })[]) =>
      here.every((each) =>
        all.some(({ coordinate, state, host }) => coordinate === each && state === 'running' && host !== lost),
      );
    await until(processes, isMoved, MOVED_MS_MAX);
    await load.progress(50);
    await network.heal();
    // What still ran there, without a claim, is ended now.
    const isBack = (all: readonly HostSeen[]) =>
      all.some(({ report }) => report?.host === lost && report.processes.length === 0);
    await until(() => seeHosts(cloudname, FLEET), isBack, MOVED_MS_MAX);
    await until(
      () => run('status').catch(() => null),
      (answer) => answer !== null,
      MOVED_MS_MAX,
    );
    expect((await processes()).length).toBe(HOSTS.length + 1);
    expect(await turnsOfBeacon()).toEqual([...new Set(await turnsOfBeacon())]);
    expect((await turnsOfBeacon()).at(-2)).toBe(network.address(lost));
  });

  it('have lost and doubled nothing in all of that', async () => {
    expect(await load.end(4)).toEqual([]);
  });

  /** The beacon's own, which is ended and begun again when its agent is away for longer than its lease. */
  const beaconOf = (all: readonly ProcessReport[]) =>
    pidsOf(all.filter(({ coordinate }) => coordinate.includes('.beacon.')));

  /** On which hosts the beacon ran, one after the other: had two run at once, hosts would come again and again. */
  async function turnsOfBeacon(): Promise<string[]> {
    const lines = (await readFile(join(folder, 'beacon.txt'), 'utf8')).trimEnd().split('\n');
    return lines.filter((line, index) => line !== lines[index - 1]);
  }
});
