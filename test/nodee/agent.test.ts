import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { Agent } from '../../src/nodee/agent.ts';
import { AgentClient } from '../../src/nodee/client.ts';
import { ENDPOINT } from '../../src/nodee/types.ts';
import { Agents, type Started, TOKEN, WAIT } from './support/agents.ts';
import { MemoryPorts, SHA256, sha256Of, specOf } from './support/doubles.ts';

let agents: Agents;
beforeAll(async () => {
  agents = await Agents.create(inject('zookeeperConnect'));
});
afterAll(() => agents?.close());

function coordinatesWanted({ ports }: Started): string[] | undefined {
  return ports.table.wanted.at(-1)?.map(({ coordinate }) => coordinate);
}

/** The session in which a coordinate is claimed; null: in none. */
async function sessionAt(text: string): Promise<bigint | null> {
  const stat = await agents.cloudname.session.exists(Coordinate.parse(text).statusPath);
  return stat?.ephemeralOwner ?? null;
}

describe.concurrent('an agent', () => {
  it('follows the configuration of its coordinate, and tells how its host is', async () => {
    const folder = await agents.folder();
    const started = await agents.start(folder, { where: 'nodee.follow.oslo' });
    const at = started.agent.coordinate;
    expect(String(at)).toBe('0.nodee.follow.oslo');
    await agents.until(at, ({ report }) => expect(report?.host).toBe('alpha'), 'follow');
    await agents.want(at, 7, '1.web.follow.oslo');
    await agents.until(
      at,
      ({ report, address }) => {
        expect(address).toBe(started.agent.address);
        expect(report).toMatchObject({ generation: 7, problems: [], processes: [{ coordinate: '1.web.follow.oslo' }] });
      },
      'follow',
    );
    expect((await agents.cloudname.status(at))?.status.state).toBe('RUNNING');
    expect(coordinatesWanted(started)).toEqual(['1.web.follow.oslo']);
    // What others resolve: the process, at its ports.
    await vi.waitFor(async () => {
      const status = await agents.cloudname.status(Coordinate.parse('1.web.follow.oslo'));
      expect(status?.status.state).toBe('RUNNING');
      expect(status?.endpoints.get('http')).toMatchObject({ port: 8080, protocol: 'http', host: '127.0.0.1' });
      expect(status?.endpoints.get('admin')).toMatchObject({ port: 8081, protocol: 'tcp' });
    }, WAIT);
    await agents.want(at, 8);
    await vi.waitFor(async () => expect(await sessionAt('1.web.follow.oslo')).toBeNull(), WAIT);
  });

  it('keeps what is wanted when its configuration is malformed, and says so', async () => {
    const started = await agents.start(await agents.folder(), { where: 'nodee.malformed.oslo' });
    const at = started.agent.coordinate;
    await agents.want(at, 1, '1.web.malformed.oslo');
    const twice = ['1.web.malformed.oslo', '1.web.malformed.oslo'].map((coordinate) => specOf(coordinate));
    const wrong = [
      '{"generation":',
      '[]',
      '{"generation":2,"processes":[{"coordinate":"1.web.malformed.oslo"}]}',
      JSON.stringify({ generation: 2, processes: [{ ...specOf('1.web.malformed.oslo'), coordinate: '../../x' }] }),
      JSON.stringify({ generation: 2, processes: twice }),
      JSON.stringify({ generation: 2, processes: [], later: 'of a newer fleet' }),
      '',
    ];
    for (const text of wrong) {
      await vi.waitFor(() => expect(coordinatesWanted(started)).toEqual(['1.web.malformed.oslo']), WAIT);
      await agents.configure(at, text);
      await agents.until(
        at,
        ({ report }) => {
          expect(report).toMatchObject({ generation: 1, processes: [{ coordinate: '1.web.malformed.oslo' }] });
          expect(report?.problems).toEqual([expect.stringContaining('cannot be followed')]);
        },
        'malformed',
      );
      expect(started.ports.table.wanted.length).toBe(1);
    }
    await agents.want(at, 3);
    await agents.until(at, ({ report }) => expect(report).toMatchObject({ generation: 3, problems: [] }), 'malformed');
  });

  it('has the coordinate that it had before, which no other gets though it is down', async () => {
    const where = 'nodee.places.oslo';
    const [one, two, three] = await Promise.all([agents.folder(), agents.folder(), agents.folder()]);
    const first = await agents.start(one, { where });
    await first.agent.stop();
    const second = await agents.start(two, { where });
    const again = await agents.start(one, { where });
    const third = await agents.start(three, { where });
    expect([first, second, again, third].map(({ agent }) => agent.coordinate.instance)).toEqual([0, 1, 0, 2]);
    expect((await readFile(join(one, 'coordinate'), 'utf8')).trim()).toBe('0.nodee.places.oslo');
  });

  it('that is restarted keeps what was claimed, and processes can be found all the while', async () => {
    const folder = await agents.folder();
    const first = await agents.start(folder, { where: 'nodee.restart.oslo' });
    await agents.want(first.agent.coordinate, 1, '1.web.restart.oslo', '2.web.restart.oslo');
    const at = String(first.agent.coordinate);
    await vi.waitFor(async () => expect(await sessionAt('2.web.restart.oslo')).not.toBeNull(), WAIT);
    const session = await sessionAt('1.web.restart.oslo');
    const gaps: string[] = [];
    let isOver = false;
    const looking = (async () => {
      while (!isOver) {
        const status = await agents.cloudname.status(Coordinate.parse('1.web.restart.oslo'));
        if (status?.status.state !== 'RUNNING' || !status.endpoints.get('http')) gaps.push(JSON.stringify(status));
      }
    })();
    await first.agent.stop();
    expect(first.ports.table.isClosed).toBe(true);
    // Meanwhile one of the processes is not wanted any more: what was claimed for it goes.
    await agents.want(at, 2, '1.web.restart.oslo');
    const second = await agents.start(folder, { where: 'nodee.restart.oslo' });
    await agents.until(at, ({ report }) => expect(report).toMatchObject({ generation: 2, problems: [] }), 'restart');
    await vi.waitFor(() => expect(second.ports.table.options?.lease.heldForMs()).toBeGreaterThan(0), WAIT);
    isOver = true;
    await looking;
    expect(gaps).toEqual([]);
    expect([await sessionAt('1.web.restart.oslo'), await sessionAt(at)]).toEqual([session, session]);
  });

  it('goes on with what was wanted last while ZooKeeper is away', async () => {
    const folder = await agents.folder();
    const first = await agents.start(folder, { where: 'nodee.away.oslo' });
    await agents.want(first.agent.coordinate, 4, '1.web.away.oslo');
    await vi.waitFor(() => expect(coordinatesWanted(first)).toEqual(['1.web.away.oslo']), WAIT);
    await first.agent.stop();
    const cloudname = { connect: '127.0.0.1:1', sessionMs: 2_000, requestMs: 1_000 };
    const second = await agents.start(folder, { where: 'nodee.away.oslo', cloudname });
    await vi.waitFor(() => expect(coordinatesWanted(second)).toEqual(['1.web.away.oslo']), WAIT);
    expect(second.ports.table.options?.lease.heldForMs()).toBe(0);
    const { report } = await new AgentClient(second.agent.address, TOKEN).status();
    expect(report).toMatchObject({ generation: 4, problems: [expect.stringContaining('ZooKeeper does not answer')] });
    await second.agent.stop();
  });

  it('refuses to use a folder of another one that lives', async () => {
    const folder = await agents.folder();
    const first = await agents.start(folder, { where: 'nodee.twice.oslo' });
    await expect(agents.start(folder, { where: 'nodee.twice.oslo' })).rejects.toThrow(/Another agent uses the folder/);
    await first.agent.stop();
    await agents.start(folder, { where: 'nodee.twice.oslo' });
  });

  it('does not start where its port is taken, and leaves nothing behind that keeps the next one from starting', async () => {
    const folder = await agents.folder();
    const taken = createServer().listen(0, '127.0.0.1');
    await vi.waitFor(() => expect(taken.listening).toBe(true), WAIT);
    const { port } = taken.address() as AddressInfo;
    const options = { where: 'nodee.port.oslo', listen: { host: '127.0.0.1', port } };
    await expect(agents.start(folder, options)).rejects.toThrow(/EADDRINUSE/);
    await new Promise((resolve) => taken.close(resolve));
    const { agent } = await agents.start(folder, options);
    expect(new URL(agent.address).port).toBe(String(port));
  });

  it('gives up waiting for ZooKeeper when it is told to', async () => {
    const giveUp = new AbortController();
    const cloudname = { connect: '127.0.0.1:1', requestMs: 200 };
    const options = agents.options(await agents.folder(), { cloudname });
    const starting = Agent.start(options, new MemoryPorts(), giveUp.signal);
    setTimeout(() => giveUp.abort(new Error('told to')), 300);
    await expect(starting).rejects.toThrow(/told to|abort/);
  });

  it('whose coordinate another agent has lets go of its processes, and takes them over when it gets it back', async () => {
    const where = '5.nodee.displaced.oslo';
    await agents.cloudname.ensure(Coordinate.parse(where));
    const owner = await agents.start(await agents.folder(), { where });
    await agents.until(where, ({ report }) => expect(report?.problems).toEqual([]), 'displaced');
    const other = await agents.start(await agents.folder(), { where, name: 'beta' });
    await agents.want(where, 1, '1.web.displaced.oslo');
    await vi.waitFor(() => expect(coordinatesWanted(owner)).toEqual(['1.web.displaced.oslo']), WAIT);
    // It never had it, and so follows nothing; after a while it knows that it is not only its own last session.
    const client = new AgentClient(other.agent.address, TOKEN);
    await vi.waitFor(async () => {
      const { report } = await client.status();
      expect(report.problems).toEqual([expect.stringContaining('Another agent has claimed 5.nodee.displaced.oslo')]);
      expect(other.ports.table.isClosed).toBe(true);
    }, WAIT);
    expect(other.ports.table.wanted).toEqual([]);
    expect(other.ports.table.options?.lease.heldForMs()).toBe(0);
    await expect(client.restart('1.web.displaced.oslo')).rejects.toMatchObject({ code: 'not_owner' });
    await owner.agent.stop();
    await agents.until(
      where,
      ({ report }) => expect(report).toMatchObject({ host: 'beta', generation: 1, problems: [] }),
      'displaced',
    );
    expect(other.ports.tables.length).toBe(2);
    expect(coordinatesWanted(other)).toEqual(['1.web.displaced.oslo']);
    await client.close();
  });

  it('does not act in the session of the one whose folder was copied', async () => {
    const [one, two] = await Promise.all([agents.folder(), agents.folder()]);
    const original = await agents.start(one, { where: 'nodee.copied.oslo' });
    const at = String(original.agent.coordinate);
    await vi.waitFor(async () => expect(await sessionAt(at)).not.toBeNull(), WAIT);
    const session = await sessionAt(at);
    for (const file of ['coordinate', 'session.json']) {
      await copyFile(join(one, file), join(two, file));
    }
    const copy = await agents.start(two, { where: 'nodee.copied.oslo' });
    await vi.waitFor(async () => {
      const { report } = await new AgentClient(copy.agent.address, TOKEN).status();
      expect(report.problems).toEqual([expect.stringContaining('claimed')]);
    }, WAIT);
    expect(await sessionAt(at)).toBe(session);
    expect(copy.ports.table.options?.lease.heldForMs()).toBe(0);
  });

  it('starts anew when what it kept is damaged', async () => {
    const folder = await agents.folder();
    for (const file of ['session.json', 'desired.json', 'coordinate']) await writeFile(join(folder, file), '\0{"');
    const { agent } = await agents.start(folder, { where: 'nodee.damaged.oslo' });
    await agents.until(agent.coordinate, ({ report }) => expect(report?.problems).toEqual([]), 'damaged');
  });

  it('gives up the place it had before when it is given another one, as its session lives on', async () => {
    const folder = await agents.folder();
    const before = await agents.start(folder, { where: '3.nodee.places.oslo' });
    await vi.waitFor(async () => expect(await sessionAt('3.nodee.places.oslo')).not.toBeNull(), WAIT);
    const session = await sessionAt('3.nodee.places.oslo');
    await before.agent.stop();
    await agents.start(folder, { where: '4.nodee.places.oslo' });
    await vi.waitFor(async () => expect(await sessionAt('4.nodee.places.oslo')).toBe(session), WAIT);
    await vi.waitFor(async () => expect(await sessionAt('3.nodee.places.oslo')).toBeNull(), WAIT);
    expect(await sessionAt('4.nodee.places.oslo')).toBe(session);
  });

  it('lets nobody have what its processes may still run by, when its coordinate is destroyed', async () => {
    const started = await agents.start(await agents.folder(), { where: 'nodee.destroyed.oslo' });
    const at = started.agent.coordinate;
    await agents.want(at, 1, '1.web.destroyed.oslo');
    await vi.waitFor(async () => expect(await sessionAt('1.web.destroyed.oslo')).not.toBeNull(), WAIT);
    const first = started.ports.table;
    // Whichever comes first, its next claim or this.
    await vi.waitFor(async () => {
      await agents.cloudname.session.delete(at.statusPath);
      await agents.cloudname.destroy(at);
    }, WAIT);
    await vi.waitFor(() => expect(first.isClosed).toBe(true), WAIT);
    const closedAt = performance.now();
    await vi.waitFor(async () => expect(await sessionAt('1.web.destroyed.oslo')).toBeNull(), WAIT);
    expect(performance.now() - closedAt).toBeGreaterThan(1_500);
    await vi.waitFor(async () => expect(await sessionAt('1.web.destroyed.oslo')).not.toBeNull(), WAIT);
    expect(started.ports.tables.length).toBe(2);
    await agents.until(at, ({ report }) => expect(report?.generation).toBe(1), 'destroyed');
  });

  it('claims all again after its session ended', async () => {
    const started = await agents.start(await agents.folder(), { where: 'nodee.expired.oslo' });
    const at = String(started.agent.coordinate);
    await agents.want(at, 1, '1.web.expired.oslo');
    await vi.waitFor(async () => expect(await sessionAt('1.web.expired.oslo')).not.toBeNull(), WAIT);
    const session = await sessionAt(at);
    // As when the servers ended it: whoever has its credentials may do so too.
    const kept = JSON.parse(await readFile(join(started.folder, 'session.json'), 'utf8'));
    const resume = { id: BigInt(kept.id), password: Buffer.from(kept.password, 'base64') };
    await vi.waitFor(async () => {
      // The agent takes its session back as often as it loses it.
      const thief = await agents.namespace.open({ resume });
      await thief.session.close();
      expect(await sessionAt(at)).not.toBe(session);
    }, WAIT);
    await vi.waitFor(async () => {
      const now = await Promise.all([sessionAt(at), sessionAt('1.web.expired.oslo')]);
      expect(now[0]).not.toBeNull();
      expect(now[0]).not.toBe(session);
      expect(now[1]).toBe(now[0]);
    }, WAIT);
    await agents.until(at, ({ report }) => expect(report).toMatchObject({ generation: 1, problems: [] }), 'expired');
    expect(started.ports.tables.length).toBe(1);
  });

  it('shortens a report that no node could hold, and says so', async () => {
    const started = await agents.start(await agents.folder(), { where: 'nodee.large.oslo' });
    const at = started.agent.coordinate;
    started.ports.table.message = '"'.repeat(5_000);
    const coordinates = Array.from({ length: 200 }, (_, index) => `${index}.web.large.oslo`);
    const processes = coordinates.map((coordinate) => specOf(coordinate, { claim: 'process' }));
    await agents.configure(at, JSON.stringify({ generation: 1, processes }));
    await agents.until(
      at,
      ({ report }) => {
        expect(report?.processes.length).toBe(200);
        expect(report?.problems).toEqual([expect.stringContaining('shortened')]);
      },
      'large',
    );
    const { report } = await new AgentClient(started.agent.address, TOKEN).status();
    expect(report.processes[0]!.message.length).toBe(5_000);
  });

  it('tells what changes, but not each change', async () => {
    const started = await agents.start(await agents.folder(), { where: 'nodee.often.oslo' });
    const at = started.agent.coordinate;
    await agents.want(at, 1, '1.web.often.oslo');
    await agents.until(at, ({ report }) => expect(report?.processes.length).toBe(1), 'often');
    const before = (await agents.cloudname.session.exists(at.statusPath))!.version;
    const changes = 300;
    for (let change = 0; change < changes; change++) {
      started.ports.table.message = `change ${change}`;
      started.ports.table.changed();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await agents.until(
      at,
      ({ report }) => expect(report?.processes[0]?.message).toBe(`change ${changes - 1}`),
      'often',
    );
    const after = (await agents.cloudname.session.exists(at.statusPath))!.version;
    expect(after - before).toBeLessThan(changes / 4);
  });

  it('names others that have an artifact, and not those that have another of that name', async () => {
    const where = 'nodee.peers.oslo';
    const [one, two, three] = await Promise.all(
      [0, 1, 2].map(async () => agents.start(await agents.folder(), { where })),
    );
    const data = Buffer.from('an archive');
    const ref = { id: 'no.kvitt:web:1', sha256: sha256Of(data) };
    await one!.ports.store.put(ref, Readable.from([data]));
    two!.ports.store.archives.set(ref.id, { ref: { ...ref, sha256: SHA256 }, data });
    await vi.waitFor(async () => {
      expect((await agents.seen('peers')).filter(({ address }) => address !== null).length).toBe(3);
    }, WAIT);
    const [source, ...more] = await three!.ports.store.options!.others(ref);
    expect(more).toEqual([]);
    const answer = await fetch(source!.url, { headers: source!.headers });
    expect(await answer.text()).toBe('an archive');
    expect(source!.url.startsWith(one!.agent.address)).toBe(true);
    expect(await one!.ports.store.options!.others(ref)).toEqual([]);
  });
});

it('an endpoint of an agent is where it listens', async () => {
  const { agent } = await agents.start(await agents.folder(), {
    where: 'nodee.endpoint.oslo',
    advertisedHost: 'alpha.example',
  });
  await vi.waitFor(async () => {
    const endpoint = (await agents.cloudname.status(agent.coordinate))?.endpoints.get(ENDPOINT);
    expect(endpoint).toMatchObject({
      host: 'alpha.example',
      protocol: 'http',
      port: Number(new URL(agent.address).port),
    });
  }, WAIT);
});
