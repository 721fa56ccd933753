import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { CREATOR_ALL_ACL, CREATOR_WRITES_ACL, digestId } from '../../src/zookeeper/protocol.ts';
import { Namespace, until } from './support/namespace.ts';

let namespace: Namespace;
beforeEach(async () => {
  namespace = await Namespace.create(inject('zookeeperConnect'));
});
afterEach(() => namespace.close());

describe('coordinates', () => {
  test('are created once, listed in order, and destroyed with the service when they were its last', async () => {
    const cloudname = await namespace.open();
    const texts = ['10.web.pay.oslo', '2.web.pay.oslo', '0.db.pay.oslo', '1.web.pay.aker9'];
    for (const text of texts) await cloudname.create(Coordinate.parse(text));
    await expect(cloudname.create(Coordinate.parse(texts[0]!))).rejects.toMatchObject({ code: 'coordinate_exists' });
    const all = (await cloudname.list()).map(String);
    expect(all).toEqual(['1.web.pay.aker9', '0.db.pay.oslo', '2.web.pay.oslo', '10.web.pay.oslo']);
    expect((await cloudname.list({ cell: 'oslo', service: 'web' })).map(String)).toEqual([
      '2.web.pay.oslo',
      '10.web.pay.oslo',
    ]);
    await cloudname.destroy(Coordinate.parse('2.web.pay.oslo'));
    expect(await cloudname.session.exists('/cn/oslo/pay/web')).not.toBeNull();
    await cloudname.destroy(Coordinate.parse('10.web.pay.oslo'));
    expect(await cloudname.session.exists('/cn/oslo/pay/web')).toBeNull();
    expect(await cloudname.session.exists('/cn/oslo/pay')).not.toBeNull();
    await expect(cloudname.destroy(Coordinate.parse('10.web.pay.oslo'))).rejects.toMatchObject({
      code: 'coordinate_missing',
    });
  });

  test('that are claimed, or have more below them than is known, are not destroyed', async () => {
    const at = await namespace.created('1.s.u.c');
    const cloudname = await namespace.open();
    const claim = cloudname.claim(at);
    await claim.held(30_000);
    await expect(cloudname.destroy(at)).rejects.toMatchObject({ code: 'coordinate_claimed' });
    await claim.release();
    await cloudname.session.create(`${at.configPath}/more`, null);
    await expect(cloudname.destroy(at)).rejects.toMatchObject({ code: 'coordinate_not_empty' });
    await cloudname.session.delete(`${at.configPath}/more`);
    await cloudname.destroy(at);
    expect(await cloudname.list()).toEqual([]);
  });

  test('of which the original left a half are completed', async () => {
    const cloudname = await namespace.open();
    for (const path of ['/cn', '/cn/c', '/cn/c/u', '/cn/c/u/s', '/cn/c/u/s/1'])
      await cloudname.session.create(path, null);
    await cloudname.create(Coordinate.parse('1.s.u.c'));
    expect(await cloudname.getConfig(Coordinate.parse('1.s.u.c'))).toEqual({ text: '', version: 0 });
  });

  test('created, claimed and destroyed by many at once are whole or not there at all', async () => {
    const clients = await Promise.all([namespace.open(), namespace.open(), namespace.open()]);
    const outcomes: string[] = [];
    const work = clients.flatMap((cloudname, client) =>
      Array.from({ length: 20 }, async (_, count) => {
        const at = Coordinate.parse(`${count % 4}.s.u.c`);
        const what = (client + count) % 2 === 0 ? cloudname.create(at) : cloudname.destroy(at);
        await what.then(
          () => outcomes.push('done'),
          (error) => outcomes.push(error.code),
        );
      }),
    );
    await Promise.all(work);
    expect(
      outcomes.filter((code) => !['done', 'coordinate_exists', 'coordinate_missing', 'busy'].includes(code)),
    ).toEqual([]);
    expect(outcomes).toContain('done');
    const { session } = clients[0]!;
    for (const coordinate of await clients[0]!.list())
      expect(await session.exists(coordinate.configPath)).not.toBeNull();
  });
});

describe('a configuration', () => {
  test('is set whatever it was, or only if it is what it was taken for', async () => {
    const at = await namespace.created('1.s.u.c');
    const cloudname = await namespace.open();
    expect(await cloudname.setConfig(at, 'a', null)).toBe(1);
    expect(await cloudname.setConfig(at, 'b', 'a')).toBe(2);
    await expect(cloudname.setConfig(at, 'c', 1)).rejects.toMatchObject({ code: 'config_conflict' });
    expect(await cloudname.setConfig(at, 'b', 2)).toBe(3);
    await expect(cloudname.setConfig(at, 'c', 'a')).rejects.toMatchObject({ code: 'config_conflict' });
    await expect(cloudname.setConfig(at, 'x'.repeat(1_000_001), null)).rejects.toMatchObject({ code: 'too_large' });
    expect(await cloudname.getConfig(at)).toEqual({ text: 'b', version: 3 });
    const none = Coordinate.parse('2.s.u.c');
    await expect(cloudname.setConfig(none, 'a', null)).rejects.toMatchObject({ code: 'coordinate_missing' });
    await expect(cloudname.getConfig(none)).rejects.toMatchObject({ code: 'coordinate_missing' });
  });

  test('that two change at once is changed by one of them', async () => {
    const at = await namespace.created('1.s.u.c');
    const clients = await Promise.all([namespace.open(), namespace.open()]);
    for (let round = 0; round < 20; round++) {
      const old = (await clients[0]!.getConfig(at)).text;
      const tries = clients.map((each, client) => each.setConfig(at, `${round} by ${client}`, old));
      const states = (await Promise.allSettled(tries)).map(({ status }) => status).sort();
      expect(states).toEqual(['fulfilled', 'rejected']);
    }
  });

  test('tells whoever listens of what it is, of changes, and of its end', async () => {
    const at = await namespace.created('1.s.u.c');
    const [cloudname, other] = [await namespace.open(), await namespace.open()];
    const told: string[] = [];
    const stop = cloudname.watchConfig(at, (event) => told.push(event.type === 'UPDATED' ? event.text : event.type));
    const next = (text: string) =>
      until(
        () => told,
        (seen) => seen.at(-1) === text,
      );
    await next('');
    await other.setConfig(at, 'one', null);
    await next('one');
    await other.setConfig(at, 'two', null);
    await next('two');
    await other.destroy(at);
    await next('DELETED');
    await other.create(at);
    await other.setConfig(at, 'three', null);
    await next('three');
    stop();
    await other.setConfig(at, 'four', null);
    await other.session.ready();
    expect(told.filter((text) => text !== '').join(' ')).toBe('one two DELETED three');
  });
});

describe('ACLs', () => {
  const owner = { auth: [{ user: 'ole', password: 'secret' }] };

  test('keep what one creates from others', async () => {
    const at = Coordinate.parse('1.s.u.c');
    const mine = await namespace.open({ ...owner, acl: CREATOR_ALL_ACL });
    await mine.create(at);
    await mine.claim(at).setStatus('RUNNING', 'well');
    const stranger = await namespace.open({ auth: [{ user: 'ole', password: 'guess' }] });
    for (const refused of [stranger.getConfig(at), stranger.setConfig(at, 'x', null), stranger.status(at)]) {
      await expect(refused).rejects.toMatchObject({ code: 'no_auth' });
    }
    expect((await (await namespace.open(owner)).status(at))?.status.state).toBe('RUNNING');
  });

  test('may name others by user and password', async () => {
    const at = Coordinate.parse('1.s.u.c');
    const [kari, ole] = [{ user: 'kari', password: 'hemmelig' }, owner.auth[0]!];
    const acl = [kari, ole].map(({ user, password }) => ({
      permissions: 31,
      scheme: 'digest',
      id: digestId(user, password),
    }));
    await (await namespace.open({ ...owner, acl })).create(at);
    await (await namespace.open({ auth: [kari] })).setConfig(at, 'by kari', null);
    const stranger = await namespace.open({ auth: [{ user: 'kari', password: 'guess' }] });
    await expect(stranger.getConfig(at)).rejects.toMatchObject({ code: 'no_auth' });
  });

  test('let others read what only one may write', async () => {
    const at = Coordinate.parse('1.s.u.c');
    const mine = await namespace.open({ ...owner, acl: CREATOR_WRITES_ACL });
    await mine.create(at);
    const claim = mine.claim(at);
    await claim.setStatus('RUNNING', 'well');
    await claim.putEndpoints([{ name: 'http', host: 'h', port: 1, protocol: 'http' }]);
    const stranger = await namespace.open();
    expect(await stranger.resolver.resolve('http.1.s.u.c')).toMatchObject([{ host: 'h', port: 1 }]);
    await expect(stranger.session.setData(at.statusPath, null)).rejects.toMatchObject({ code: 'no_auth' });
    await expect(stranger.destroy(at)).rejects.toMatchObject({ code: 'coordinate_claimed' });
  });
});
