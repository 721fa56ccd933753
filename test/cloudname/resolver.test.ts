import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import type { ResolverEvent } from '../../src/cloudname/resolver.ts';
import { CREATOR_ALL_ACL } from '../../src/zookeeper/protocol.ts';
import recorded from './recorded.json' with { type: 'json' };
import { Namespace, until } from './support/namespace.ts';

let namespace: Namespace;
let owner: Cloudname;
beforeEach(async () => {
  namespace = await Namespace.create(inject('zookeeperConnect'));
  owner = await namespace.open();
});
afterEach(() => namespace.close());

/** Claims it, and says that it runs with these endpoints. */
async function run(text: string, names: readonly string[] = ['http']) {
  const at = Coordinate.parse(text);
  await owner.create(at);
  const claim = owner.claim(at);
  await claim.putEndpoints(names.map((name) => ({ name, host: 'h', port: 80, protocol: 'http' })));
  await claim.setStatus('RUNNING', '');
  return claim;
}

function shown(event: ResolverEvent): string {
  return 'at' in event ? `${event.type} ${event.endpoint.name}.${event.at}` : event.type;
}

describe('an expression', () => {
  test('is resolved as by the original, in all that it got right', async () => {
    await run('1.gold.usr.cell');
    const { resolver } = await namespace.open();
    for (const { expression, result } of recorded.expressions) {
      const mended = expression === 'http.1.gold.usr.cell9' ? { ok: true, endpoints: [] } : result;
      const answer = resolver.resolve(expression);
      if (!mended.ok) await expect(answer, expression).rejects.toThrow();
      else {
        const endpoints = (await answer).map((each) => ({ ...each, coordinate: String(each.coordinate) }));
        expect(endpoints, expression).toEqual(mended.endpoints);
      }
    }
  });

  test('says what is wrong with it', async () => {
    const { resolver } = owner;
    await expect(resolver.resolve('x')).rejects.toMatchObject({ code: 'malformed' });
    await expect(resolver.resolve('first.s.u.c')).rejects.toMatchObject({ code: 'unknown_strategy' });
    await expect(resolver.resolve('all.s.u.c')).rejects.toMatchObject({ code: 'service_missing' });
    await expect(resolver.resolve('1.s.u.c')).resolves.toEqual([]);
  });

  test('finds instances that run, only, and in their order', async () => {
    await run('10.s.u.c', ['http', 'admin']);
    await run('9.s.u.c');
    const ending = await run('8.s.u.c');
    await ending.setStatus('DRAINING', '');
    await owner.create(Coordinate.parse('7.s.u.c'));
    const { resolver } = await namespace.open();
    const found = async (text: string) =>
      (await resolver.resolve(text)).map((each) => `${each.name}.${each.coordinate}`);
    expect((await found('all.s.u.c')).sort()).toEqual(['admin.10.s.u.c', 'http.10.s.u.c', 'http.9.s.u.c']);
    expect(await found('http.all.s.u.c')).toEqual(['http.9.s.u.c', 'http.10.s.u.c']);
    expect(await found('admin.10.s.u.c')).toEqual(['admin.10.s.u.c']);
    expect(await found('8.s.u.c')).toEqual([]);
    expect(await found('none.any.s.u.c')).toEqual([]);
  });

  test('with `any` gives a client the same instance each time, and spreads clients', async () => {
    for (let instance = 0; instance < 4; instance++) await run(`${instance}.s.u.c`);
    const clients = await Promise.all(Array.from({ length: 60 }, () => namespace.open()));
    const chosen = await Promise.all(
      clients.map(async ({ resolver }) => {
        const picks = new Set<string>();
        for (let time = 0; time < 5; time++)
          picks.add(String((await resolver.resolve('http.any.s.u.c'))[0]!.coordinate));
        expect(picks.size).toBe(1);
        return [...picks][0]!;
      }),
    );
    // Of 60 clients and 4 instances: none of them has fewer than 3 once in a million runs.
    const counts = ['0', '1', '2', '3'].map((instance) => chosen.filter((each) => each.startsWith(instance)).length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(3);
  });

  test('with `any` moves only the clients of the instance that goes', async () => {
    const claims = [];
    for (let instance = 0; instance < 4; instance++) claims.push(await run(`${instance}.s.u.c`));
    const clients = await Promise.all(
      Array.from({ length: 30 }, (_, seed) => namespace.open({ resolver: { seed: `client ${seed}` } })),
    );
    const pick = () =>
      Promise.all(clients.map(async ({ resolver }) => (await resolver.find('any.s.u.c'))[0]!.at.instance));
    const before = await pick();
    await claims[2]!.release();
    const after = await until(pick, (picked) => !picked.includes(2));
    expect(after).toEqual(before.map((instance, client) => (instance === 2 ? after[client] : instance)));
    expect(before).toContain(2);
  });

  test('uses strategies of one’s own', async () => {
    await run('1.s.u.c');
    await run('2.s.u.c');
    const last = { name: 'last', choose: <T>(found: readonly T[]) => found.slice(-1) };
    const { resolver } = await namespace.open({ resolver: { strategies: [last] } });
    expect((await resolver.resolve('http.last.s.u.c')).map(({ coordinate }) => coordinate?.instance)).toEqual([2]);
  });

  test('skips a status that cannot be read, and reports it', async () => {
    await run('1.s.u.c');
    const broken = await namespace.created('2.s.u.c');
    await owner.session.create(broken.statusPath, Buffer.from('rubbish'), { mode: 'ephemeral' });
    const { resolver } = await namespace.open();
    const problems: string[] = [];
    resolver.on('problem', (path) => problems.push(path));
    expect((await resolver.resolve('all.s.u.c')).length).toBe(1);
    expect(problems).toEqual([broken.statusPath]);
    expect((await resolver.scan()).length).toBe(1);
    expect(problems.length).toBe(2);
  });
});

test('a service that one must not list is refused, and found as soon as one may', async () => {
  const auth = [{ user: 'ole', password: 'secret' }];
  const mine = await namespace.open({ auth });
  for (const path of ['/cn', '/cn/c', '/cn/c/u']) await mine.session.create(path, null);
  await mine.session.create('/cn/c/u/s', null, { acl: CREATOR_ALL_ACL });
  const { resolver } = owner;
  await expect(resolver.resolve('all.s.u.c')).rejects.toMatchObject({ code: 'no_auth' });
  await expect(resolver.resolve('1.s.u.c')).rejects.toMatchObject({ code: 'no_auth' });
  await mine.session.delete('/cn/c/u/s');
  await run('1.s.u.c');
  await until(
    () => resolver.resolve('all.s.u.c').catch(() => []),
    (found) => found.length === 1,
  );
});

describe('a listener', () => {
  test('is told of endpoints that come, change, move and go', async () => {
    const claim = await run('1.s.u.c');
    const { resolver } = await namespace.open();
    const told: string[] = [];
    await resolver.listen('http.all.s.u.c', (event) => told.push(shown(event)));
    expect(told).toEqual(['NEW_ENDPOINT http.1.s.u.c']);
    const next = async (...expected: string[]) => {
      await until(
        () => told,
        (seen) => seen.length >= expected.length + 1,
      );
      expect(told.splice(1)).toEqual(expected);
    };
    const endpoint = { name: 'http', host: 'h', port: 80, protocol: 'http' };
    await claim.putEndpoints([{ ...endpoint, endpointData: 'more' }]);
    await next('MODIFIED_ENDPOINT_DATA http.1.s.u.c');
    await claim.putEndpoints([{ ...endpoint, port: 81 }]);
    await next('REMOVED_ENDPOINT http.1.s.u.c', 'NEW_ENDPOINT http.1.s.u.c');
    await run('2.s.u.c', ['http', 'admin']);
    await next('NEW_ENDPOINT http.2.s.u.c');
    await claim.setStatus('DRAINING', '');
    await next('REMOVED_ENDPOINT http.1.s.u.c');
    await claim.setStatus('RUNNING', '');
    await next('NEW_ENDPOINT http.1.s.u.c');
    await claim.removeEndpoints(['http']);
    await next('REMOVED_ENDPOINT http.1.s.u.c');
  });

  test('may wait for a service that does not exist, and is told no more once it stopped', async () => {
    const { resolver } = await namespace.open();
    const told: string[] = [];
    const stop = await resolver.listen('http.all.s.u.c', (event) => told.push(shown(event)));
    const claim = await run('1.s.u.c');
    await until(
      () => told,
      (seen) => seen.length > 0,
    );
    stop();
    await claim.release();
    await until(
      () => resolver.resolve('all.s.u.c'),
      (found) => found.length === 0,
    );
    expect(told).toEqual(['NEW_ENDPOINT http.1.s.u.c']);
  });
});

test('a scan finds endpoints by cell, user, service, name and state', async () => {
  await run('1.web.pay.oslo', ['http', 'admin']);
  await (await run('2.web.pay.oslo')).setStatus('DRAINING', '');
  await run('1.db.ops.oslo', ['sql']);
  await run('1.web.pay.aker');
  const { resolver } = await namespace.open();
  const scan = async (filter: Parameters<typeof resolver.scan>[0]) =>
    (await resolver.scan(filter)).map(({ at, endpoint }) => `${endpoint.name}.${at}`).sort();
  expect((await scan({})).length).toBe(5);
  expect(await scan({ cell: 'aker' })).toEqual(['http.1.web.pay.aker']);
  expect(await scan({ user: 'ops' })).toEqual(['sql.1.db.ops.oslo']);
  expect(await scan({ service: 'web', endpoint: 'admin' })).toEqual(['admin.1.web.pay.oslo']);
  expect(await scan({ state: 'DRAINING' })).toEqual(['http.2.web.pay.oslo']);
  expect(await scan({ cell: 'none' })).toEqual([]);
});
