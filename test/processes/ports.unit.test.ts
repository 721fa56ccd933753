import { once } from 'node:events';
import { createServer } from 'node:net';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { type AssignedPorts, isPortFree, Ports } from '../../src/processes/ports.ts';

const allFree = async () => true;
const ten = { from: 100, to: 109 };

describe('ports', () => {
  it('go round, so that one that was used a moment ago is not used again', async () => {
    const ports = new Ports({ from: 100, to: 102 }, allFree, () => 0.5);
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      const assigned = await ports.assign({ a: null }, {});
      seen.push(assigned.numbers.a!);
      assigned.release();
    }
    expect(seen).toEqual([101, 102, 100, 101]);
  });

  it('are those of before, where these are free and in range', async () => {
    const ports = new Ports(ten, allFree, () => 0);
    expect((await ports.assign({ a: null, b: null }, { a: 105, b: 99 })).numbers).toEqual({ a: 105, b: 100 });
    expect((await ports.assign({ a: null }, { a: 105 })).numbers).toEqual({ a: 101 });
  });

  it('with numbers of their own come first', async () => {
    const ports = new Ports(ten, allFree, () => 0);
    expect((await ports.assign({ a: null, b: 100 }, {})).numbers).toEqual({ a: 101, b: 100 });
  });

  it('are given back when one of them cannot be had', async () => {
    const ports = new Ports(
      ten,
      async (port) => port !== 200,
      () => 0,
    );
    await expect(ports.assign({ a: 100, b: 200 }, {})).rejects.toThrow(/port 200 \("b"\)/);
    await expect(ports.assign({ a: 100, b: 100 }, {})).rejects.toThrow(/port 100/);
    expect((await ports.assign({ a: 100 }, {})).numbers).toEqual({ a: 100 });
  });

  it('that were taken twice are free when both gave them back, and once each', async () => {
    const ports = new Ports(ten, allFree, () => 0);
    const [one, other] = [ports.take({ a: 100 }), ports.take({ a: 100 })];
    one.release();
    one.release();
    await expect(ports.assign({ a: 100 }, {})).rejects.toThrow();
    other.release();
    expect((await ports.assign({ a: 100 }, {})).numbers).toEqual({ a: 100 });
  });

  const moves = fc.array(
    fc.oneof(fc.record({ give: fc.nat({ max: 9 }) }), fc.record({ want: fc.integer({ min: 1, max: 4 }) })),
    {
      maxLength: 40,
    },
  );
  test.prop([moves])('are never had by two, whoever asks at the same time', async (all) => {
    const ports = new Ports(ten, async (port) => port % 5 !== 0, Math.random);
    const had: AssignedPorts[] = [];
    const asked = all.map(async (move) => {
      if ('give' in move) return had.splice(move.give, 1)[0]?.release();
      const names = Object.fromEntries(Array.from({ length: move.want }, (_, i) => [`p${i}`, null]));
      const assigned = await ports.assign(names, {}).catch(() => null);
      if (assigned === null) return;
      had.push(assigned);
      const numbers = had.flatMap((each) => Object.values(each.numbers));
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(numbers.every((port) => port >= 100 && port <= 109 && port % 5 !== 0)).toBe(true);
    });
    await Promise.all(asked);
    for (const each of had) each.release();
    const rest = await ports.assign(Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`p${i}`, null])), {});
    expect(new Set(Object.values(rest.numbers)).size).toBe(8);
  });
});

describe('a port of this host', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::1', '::'])(
    'is used when somebody listens at it on %s, and free after that',
    async (host) => {
      const server = createServer().listen({ host, port: 0 });
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      expect(await isPortFree(port)).toBe(false);
      server.close();
      await once(server, 'close');
      expect(await isPortFree(port)).toBe(true);
    },
  );
});
