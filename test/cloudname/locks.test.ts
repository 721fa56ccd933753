import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { Namespace } from './support/namespace.ts';

let namespace: Namespace;
beforeEach(async () => {
  namespace = await Namespace.create(inject('zookeeperConnect'));
});
afterEach(() => namespace.close());

const coordinate = Coordinate.parse('1.s.u.c');

describe('a lock', () => {
  test('is held by one at a time, in the order of their coming, with growing fencing numbers', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => namespace.open()));
    let holders = 0;
    const fences: number[] = [];
    const work = clients.flatMap((cloudname) =>
      Array.from({ length: 5 }, async () => {
        const lock = await cloudname.lock({ coordinate, scope: 'service', name: 'work' }, 30_000);
        expect(++holders).toBe(1);
        fences.push(lock!.fencingNumber);
        await cloudname.session.exists('/');
        holders--;
        await lock!.release();
      }),
    );
    await Promise.all(work);
    expect(fences.length).toBe(20);
    expect(fences).toEqual([...fences].sort((a, b) => a - b));
    expect((await clients[0]!.session.getChildren('/locks/c/u/s/locks')).children).toEqual([]);
  });

  test('is refused at once, or after a while, to whoever does not wait longer, and leaves nothing', async () => {
    const [one, two] = [await namespace.open(), await namespace.open()];
    const held = await one.lock({ coordinate, scope: 'cell', name: 'work' });
    expect(await two.lock({ coordinate, scope: 'cell', name: 'work' })).toBeNull();
    expect(await two.lock({ coordinate, scope: 'cell', name: 'work' }, 100)).toBeNull();
    expect((await two.session.getChildren('/locks/c/locks')).children.length).toBe(1);
    await held!.release();
    await held!.release();
    expect((await two.lock({ coordinate, scope: 'cell', name: 'work' }))?.isHeld()).toBe(true);
  });

  test('does not stand in the way of locks of other scopes and names, also ones contained in the path', async () => {
    const [one, two] = [await namespace.open(), await namespace.open()];
    for (const scope of ['cell', 'user', 'service'] as const) {
      for (const name of ['locks', 'lock', 'c', 'u', 's', 'work', 'work0']) {
        const lock = await one.lock({ coordinate, scope, name });
        expect(lock?.isHeld(), `${scope} ${name}`).toBe(true);
        expect(await two.lock({ coordinate, scope, name }), `${scope} ${name}`).toBeNull();
      }
    }
  });

  test('whose node somebody deletes is lost, and says so', async () => {
    const [one, two] = [await namespace.open(), await namespace.open()];
    const lock = await one.lock({ coordinate, scope: 'user', name: 'work' });
    const lost = once(lock!, 'lost');
    await two.session.delete(lock!.path);
    expect(await lost).toEqual(['somebody deleted its node']);
    expect(lock!.isHeld()).toBe(false);
  });

  test('ends with the session', async () => {
    const [one, two] = [await namespace.open(), await namespace.open()];
    const lock = await one.lock({ coordinate, scope: 'user', name: 'work' });
    const waiting = two.lock({ coordinate, scope: 'user', name: 'work' }, 20_000);
    await one.close();
    expect(lock!.isHeld()).toBe(false);
    expect((await waiting)?.isHeld()).toBe(true);
  });

  test('has a name that is one', async () => {
    const cloudname = await namespace.open();
    for (const name of ['', 'a/b', '../up', '1', 'x'.repeat(101)]) {
      await expect(cloudname.lock({ coordinate, scope: 'cell', name })).rejects.toMatchObject({ code: 'malformed' });
    }
  });
});
