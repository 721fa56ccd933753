/** `kvitt cn` as whoever types it, or calls it from a script, sees it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Claim } from '../../src/cloudname/claim.ts';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { type Ended, Kvitt, kvitt, useBuild } from '../service/support/kvitt.ts';
import { Namespace, until } from './support/namespace.ts';

const HTTP = { name: 'http', host: '10.0.0.1', port: 80, protocol: 'http' };
/** Where nobody listens. */
const NOWHERE = '127.0.0.1:1';

useBuild();
let folder: string;
let namespace: Namespace;
/** What the commands do is looked at through this one, and what they find was done by it. */
let cloudname: Cloudname;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvitt-cn-'));
  namespace = await Namespace.create(inject('zookeeperConnect'));
  cloudname = await namespace.open();
});
afterAll(async () => {
  await namespace?.close();
  await rm(folder, { recursive: true });
});

function environment(): Record<string, string> {
  return { ZOOKEEPER_CONNECT: namespace.connect, ZOOKEEPER_SESSION_MS: '10000' };
}

function run(...args: string[]): Promise<Ended> {
  return kvitt(['cn', ...args], environment());
}

function runWith(stdin: string, ...args: string[]): Promise<Ended> {
  return kvitt(['cn', ...args], environment(), stdin);
}

/** One that goes on until it is ended. */
function start(...args: string[]): Kvitt {
  return new Kvitt(['cn', ...args], environment());
}

/** @throws when something was said beside the answer, or the answer is none */
function json({ stdout, stderr }: Ended): unknown {
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

async function created(...texts: string[]): Promise<Coordinate[]> {
  const coordinates = texts.map((text) => Coordinate.parse(text));
  for (const coordinate of coordinates) await cloudname.create(coordinate);
  return coordinates;
}

async function runningAt(text: string): Promise<Claim> {
  const [at] = await created(text);
  const claim = cloudname.claim(at!);
  await claim.putEndpoints([HTTP]);
  await claim.setStatus('RUNNING', 'well');
  return claim;
}

function isThere(path: string): Promise<boolean> {
  return cloudname.session.exists(path).then((stat) => stat !== null);
}

describe.concurrent('kvitt cn', { timeout: 240_000 }, () => {
  // First, as it takes the longest, and next to no processor time.
  test('says that no server answers, and does not wait for it for ever', async () => {
    const { code, stdout, stderr } = await kvitt(['cn', 'list', '--json'], { ZOOKEEPER_CONNECT: NOWHERE });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(`kvitt: none of the ZooKeeper servers ${NOWHERE} answered in 10000 ms\n`);
  });

  test('create ends with 1 when one exists, having created the others, and with 2 for what is no coordinate', async () => {
    await created('1.create.u.c');
    const [some, asJson, malformed] = await Promise.all([
      run('create', '1.create.u.c', '2.create.u.c', '3.create.u.c'),
      run('create', '--json', '4.create.u.c', '1.create.u.c'),
      run('create', '5.create.u.c', 'create.u.c'),
    ]);
    expect(some).toEqual({
      code: 1,
      stdout: 'created 2.create.u.c\ncreated 3.create.u.c\n',
      stderr: 'kvitt cn: 1.create.u.c exists already\n',
    });
    expect([asJson.code, JSON.parse(asJson.stdout)]).toEqual([
      1,
      [
        { coordinate: '4.create.u.c', result: 'created' },
        { coordinate: '1.create.u.c', result: 'coordinate_exists', error: '1.create.u.c exists already' },
      ],
    ]);
    expect(malformed).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('"create.u.c" is not a') });
    const found = (await cloudname.list({ service: 'create' })).map(({ instance }) => instance);
    expect(found).toEqual([1, 2, 3, 4]);
  });

  test('setup-file creates what a file lists, and says what was there already', async () => {
    await created('2.setup.u.c');
    const file = join(folder, 'setup');
    await writeFile(file, '# The services\r\n\n1.setup.u.c # the first\n  2.setup.u.c\n#3.setup.u.c\n4.setup.u.c');
    const [fromFile, fromInput] = await Promise.all([
      run('setup-file', file),
      runWith('1.setup.u.b\n', 'setup-file', '-', '--json'),
    ]);
    expect(fromFile).toEqual({
      code: 1,
      stdout: 'created 1.setup.u.c\ncreated 4.setup.u.c\n',
      stderr: 'kvitt cn: 2.setup.u.c exists already\n',
    });
    expect([fromInput.code, json(fromInput)]).toEqual([0, [{ coordinate: '1.setup.u.b', result: 'created' }]]);
  });

  test('list shows coordinates in order, all or some', async () => {
    await created('10.list.u.c', '9.list.u.c', '1.list.v.c', '1.list.u.b', '1.other.listing.c');
    const [services, user, asJson] = await Promise.all([
      run('list', '--service', 'list'),
      run('list', '--cell', 'c', '--user', 'listing'),
      run('list', '--json', '--service', 'list', '--cell', 'b'),
    ]);
    expect(services).toEqual({
      code: 0,
      stdout: '1.list.u.b\n9.list.u.c\n10.list.u.c\n1.list.v.c\n',
      stderr: '',
    });
    expect(user.stdout).toBe('1.other.listing.c\n');
    expect(json(asJson)).toEqual(['1.list.u.b']);
  });

  test('status, host and resolve find who runs, and end with 1 when nobody does', async () => {
    await runningAt('1.found.u.c');
    await created('2.found.u.c');
    const [status, asJson, idle, missing] = await Promise.all([
      run('status', '1.found.u.c'),
      run('status', '1.found.u.c', '--json'),
      run('status', '2.found.u.c'),
      run('status', '3.found.u.c'),
    ]);
    expect(status).toEqual({ code: 0, stdout: 'RUNNING well\nhttp http://10.0.0.1:80\n', stderr: '' });
    expect(json(asJson)).toEqual({
      coordinate: '1.found.u.c',
      claimed: true,
      state: 'RUNNING',
      message: 'well',
      endpoints: [{ ...HTTP, endpointData: null, coordinate: '1.found.u.c' }],
    });
    expect(idle).toEqual({ code: 1, stdout: 'not claimed\n', stderr: '' });
    expect(missing).toEqual({
      code: 1,
      stdout: '',
      stderr: 'kvitt cn: 3.found.u.c does not exist: create it first\n',
    });

    const [host, noHost, resolved, none, noService, unknown] = await Promise.all([
      run('host', '1.found.u.c'),
      run('host', '2.found.u.c', '--json'),
      run('resolve', 'http.any.found.u.c'),
      run('resolve', 'https.all.found.u.c', '--json'),
      run('resolve', 'all.lost.u.c', '--json'),
      run('resolve', 'first.found.u.c'),
    ]);
    expect(host).toEqual({ code: 0, stdout: '10.0.0.1\n', stderr: '' });
    expect([noHost.code, json(noHost)]).toEqual([1, []]);
    expect(resolved).toEqual({ code: 0, stdout: 'http.1.found.u.c http://10.0.0.1:80\n', stderr: '' });
    expect([none.code, json(none)]).toEqual([1, []]);
    expect([noService.code, JSON.parse(noService.stdout)]).toEqual([1, []]);
    expect(noService.stderr).toContain('there is no service lost.u.c');
    expect(unknown).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('"first"') });
  });

  test('claim creates, claims and publishes, and gives the coordinate up when it is ended', async () => {
    const at = Coordinate.parse('1.claim.u.c');
    const endpoints = ['--endpoint', 'http=http://10.0.0.1:80', '--endpoint', 'admin=https://[::1]:8443'];
    const owner = start('claim', String(at), '--create', ...endpoints, '--message', 'by hand', '--json');
    const found = () => cloudname.resolver.find(`all.${at.service}.u.c`).catch(() => []);
    const both = await until(found, (seen) => seen.length === 2);
    expect(both.map(({ endpoint }) => `${endpoint.name} ${endpoint.host} ${endpoint.port}`).sort()).toEqual([
      'admin ::1 8443',
      'http 10.0.0.1 80',
    ]);
    const other = start('claim', String(at));
    await until(
      () => other.stdout,
      (text) => text !== '',
    );
    other.kill('SIGTERM');
    expect(await other.ended()).toEqual({
      code: 0,
      stdout: `NOT_OWNER somebody else has claimed ${at}\n`,
      stderr: '',
    });
    expect((await cloudname.status(at))?.status).toEqual({ state: 'RUNNING', message: 'by hand' });
    owner.kill('SIGTERM');
    const { code, stdout, stderr } = await owner.ended();
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ event: 'COORDINATE_OK', message: `${at} is ours` });
    // Long before its session would have ended.
    expect(await cloudname.status(at)).toBeNull();
  });

  test('claim takes no endpoint that is none', async () => {
    const { code, stdout, stderr } = await run('claim', '1.claim.u.c', '--endpoint', 'http=10.0.0.1:80');
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('name=protocol://host:port')]);
  });

  test('watch tells of endpoints in lines, each of them JSON if asked for', async () => {
    const claim = await runningAt('1.watch.u.c');
    const [asJson, plain] = [start('watch', 'http.all.watch.u.c', '--json'), start('watch', 'http.all.watch.u.c')];
    const told = (count: number) =>
      until(
        () => [asJson, plain].map(({ stdout }) => stdout.split('\n').length - 1),
        (lines) => lines.every((each) => each === count),
      );
    await told(1);
    await claim.putEndpoints([{ ...HTTP, endpointData: 'more' }]);
    await told(2);
    await claim.release();
    await told(3);
    for (const each of [asJson, plain]) each.kill('SIGTERM');
    const [first, second] = await Promise.all([asJson.ended(), plain.ended()]);
    expect([first.code, first.stderr]).toEqual([0, '']);
    const events = first.stdout.trimEnd().split('\n');
    const at = '1.watch.u.c';
    const endpoint = { ...HTTP, endpointData: 'more', coordinate: at };
    expect(events.map((line) => JSON.parse(line))).toEqual([
      { event: 'NEW_ENDPOINT', at, ...endpoint, endpointData: null },
      { event: 'MODIFIED_ENDPOINT_DATA', at, ...endpoint },
      { event: 'REMOVED_ENDPOINT', at, ...endpoint },
    ]);
    const names = ['NEW_ENDPOINT', 'MODIFIED_ENDPOINT_DATA', 'REMOVED_ENDPOINT'];
    const stdout = names.map((name) => `${name} http.1.watch.u.c http://10.0.0.1:80\n`).join('');
    expect(second).toEqual({ code: 0, stdout, stderr: '' });
  });

  test('watch ends when nobody reads what it tells', async () => {
    const claim = await runningAt('1.piped.u.c');
    const watching = start('watch', 'all.piped.u.c');
    await until(
      () => watching.stdout,
      (text) => text !== '',
    );
    watching.hangUp();
    await claim.putEndpoints([{ ...HTTP, endpointData: 'more' }]);
    expect(await watching.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  test('config shows and replaces a configuration, if it still is what it was taken for', async () => {
    const [at] = await created('1.config.u.c');
    const text = String(at);
    const [unset, nothing] = await Promise.all([run('config', 'get', text), run('config', 'set', text)]);
    expect(unset).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(nothing).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--file') });
    expect(await run('config', 'set', text, 'colour=red')).toEqual({ code: 0, stdout: 'version 1\n', stderr: '' });
    const conflict = await run('config', 'set', text, 'colour=blue', '--old', 'colour=green');
    expect(conflict).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('is not what it was taken'),
    });
    const set = await run('config', 'set', text, 'colour=blue', '--old', 'colour=red', '--json');
    expect([set.code, json(set)]).toEqual([0, { version: 2 }]);
    const [shown, asJson] = await Promise.all([run('config', 'get', text), run('config', 'get', text, '--json')]);
    expect(shown.stdout).toBe('colour=blue\n');
    expect(json(asJson)).toEqual({ text: 'colour=blue', version: 2 });
    expect((await runWith('æ=1\nø=2\n', 'config', 'set', text, '--file', '-')).code).toBe(0);
    expect(await cloudname.getConfig(at!)).toEqual({ text: 'æ=1\nø=2\n', version: 3 });
    const [lines, missing] = await Promise.all([
      run('config', 'get', text),
      run('config', 'set', '2.config.u.c', 'colour=red'),
    ]);
    expect(lines.stdout).toBe('æ=1\nø=2\n');
    expect(missing).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('does not exist') });
  });

  test('lock runs a command while it is held, and ends as that does', async () => {
    const at = Coordinate.parse('1.lock.u.c');
    const script = `echo $CLOUDNAME_FENCING_NUMBER; exit 7`;
    const first = await run('lock', String(at), 'work', '--', 'sh', '-c', script);
    expect(first).toMatchObject({ code: 7, stderr: '' });
    const held = await cloudname.lock({ coordinate: at, scope: 'service', name: 'work' });
    const waiting = run('lock', String(at), 'work', '--wait', '30', '--', 'sh', '-c', script);
    const [refused, elsewhere, unknown, killed] = await Promise.all([
      run('lock', String(at), 'work', '--json', '--', 'sh', '-c', script),
      run('lock', String(at), 'work', '--scope', 'user', '--', 'true'),
      run('lock', String(at), 'other', '--', 'no-such-command'),
      run('lock', String(at), 'another', '--', 'sh', '-c', 'kill -KILL $$'),
    ]);
    expect(refused).toEqual({ code: 1, stdout: '', stderr: 'kvitt cn: the lock "work" is held by others\n' });
    expect(elsewhere).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(unknown).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('no-such-command') });
    expect(killed).toMatchObject({ code: 137, stdout: '' });
    await held!.release();
    const last = await waiting;
    expect(last).toMatchObject({ code: 7, stderr: '' });
    expect(Number(last.stdout)).toBeGreaterThan(Number(first.stdout));
    expect((await cloudname.session.getChildren('/locks/c/u/lock/locks')).children).toEqual([]);
  });

  test('lock without a command is held until it is ended', async () => {
    const at = Coordinate.parse('1.held.u.c');
    const holder = start('lock', String(at), 'work', '--json');
    const line = await until(
      () => holder.stdout,
      (text) => text.endsWith('\n'),
    );
    const { event, path } = JSON.parse(line);
    expect([event, await isThere(path)]).toEqual(['LOCKED', true]);
    holder.kill('SIGTERM');
    expect(await holder.ended()).toEqual({ code: 0, stdout: line, stderr: '' });
    expect(await isThere(path)).toBe(false);
  });

  test('lock ends its command when the lock is lost, and when it is ended itself', async () => {
    const at = Coordinate.parse('1.lose.u.c');
    const hold = (name: string) => start('lock', String(at), name, '--', 'sh', '-c', 'echo up; exec sleep 60');
    const [loser, ended] = [hold('loser'), hold('ended')];
    await until(
      () => [loser.stdout, ended.stdout],
      (texts) => texts.every((text) => text === 'up\n'),
    );
    ended.kill('SIGTERM');
    expect((await ended.ended()).code).toBe(143);
    const lockFolder = '/locks/c/u/lose/locks';
    const { children } = await cloudname.session.getChildren(lockFolder);
    expect(children).toEqual([expect.stringMatching(/^loser\d+$/)]);
    await cloudname.session.delete(`${lockFolder}/${children[0]}`);
    expect(await loser.ended()).toEqual({
      code: 1,
      stdout: 'up\n',
      stderr: 'kvitt cn: the lock is lost: somebody deleted its node\n',
    });
  });

  test('destroy needs a yes, and somebody’s coordinate is left to them', async () => {
    await created('1.destroy.u.c', '2.destroy.u.c');
    await runningAt('3.destroy.u.c');
    const [unsure, some] = await Promise.all([
      run('destroy', '1.destroy.u.c'),
      run('destroy', '2.destroy.u.c', '3.destroy.u.c', '4.destroy.u.c', '--yes', '--json'),
    ]);
    expect(unsure).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--yes') });
    expect([some.code, JSON.parse(some.stdout)]).toMatchObject([
      1,
      [
        { coordinate: '2.destroy.u.c', result: 'destroyed' },
        { coordinate: '3.destroy.u.c', result: 'coordinate_claimed' },
        { coordinate: '4.destroy.u.c', result: 'coordinate_missing' },
      ],
    ]);
    expect((await cloudname.list({ service: 'destroy' })).map(({ instance }) => instance)).toEqual([1, 3]);
  });

  test('lets others read, but not change, what was made with ZOOKEEPER_AUTH', async () => {
    const mine = { ...environment(), ZOOKEEPER_AUTH: 'ole:secret' };
    const as = (who: Record<string, string>, ...args: string[]) => kvitt(['cn', ...args], who);
    expect((await as(mine, 'create', '1.mine.u.c')).code).toBe(0);
    const [set, destroyed, refused] = await Promise.all([
      as(mine, 'config', 'set', '1.mine.u.c', 'colour=red'),
      as(environment(), 'destroy', '1.mine.u.c', '--yes'),
      as({ ...mine, ZOOKEEPER_AUTH: 'ole:guess' }, 'config', 'set', '1.mine.u.c', 'colour=green'),
    ]);
    expect(set.code).toBe(0);
    for (const each of [destroyed, refused]) {
      expect(each).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/1\.mine|mine\/1/) });
      expect(each.stderr).toMatch(/no_auth/);
    }
    expect((await run('config', 'get', '1.mine.u.c')).stdout).toBe('colour=red\n');
  });

  test('says which settings are missing or wrong', async () => {
    const [unset, wrong] = await Promise.all([
      kvitt(['cn', 'list'], {}),
      kvitt(['cn', 'list'], { ZOOKEEPER_CONNECT: 'host:99999' }),
    ]);
    expect(unset).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Set ZOOKEEPER_CONNECT') });
    expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('ZOOKEEPER_CONNECT must be') });
  });
});
