import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { described, parseFleetFile } from '../../src/nodee/apply.ts';
import { fleetState, NO_FLEET, parseFleetState, wantedOf } from '../../src/nodee/fleet.ts';
import { differences, planOf, renderPlan } from '../../src/nodee/plan.ts';
import { specHash } from '../../src/processes/spec.ts';
import { BROKEN, FLEET, fileOf, SimulatedFleet } from './support/simulated-fleet.ts';

function settled(services: Parameters<SimulatedFleet['apply']>[0], hosts = ['a', 'b', 'c']): SimulatedFleet {
  const fleet = new SimulatedFleet(hosts);
  fleet.apply(services);
  fleet.settle();
  return fleet;
}

describe('instances of a service', () => {
  it('are spread over hosts', () => {
    const fleet = settled({ web: { version: '1', instances: 5 }, db: { version: '1', instances: 1 } });
    expect(Object.values(fleet.versions())).toEqual(['1', '1', '1', '1', '1', '1']);
    const counts = fleet.hosts.map(({ processes }) => processes.size).sort();
    expect(counts).toEqual([2, 2, 2]);
  });

  it('run on hosts that may run them only, and wait when there is none', () => {
    const fleet = settled({
      web: { version: '1', instances: 3, hosts: ['b'] },
      db: { version: '1', instances: 1, hosts: ['x'] },
    });
    expect([...fleet.running().values()]).toEqual([['b'], ['b'], ['b']]);
    expect(fleet.lastStep!.pending.get('0.db.pay.oslo')).toContain('no host may run it');
  });

  it('stay where they are when hosts come', () => {
    const fleet = settled({ web: { version: '1', instances: 4 } }, ['a']);
    const before = fleet.told();
    fleet.hosts.push(...new SimulatedFleet(['z', 'b']).hosts.slice(1));
    fleet.settle();
    expect(fleet.told()).toEqual(before);
  });

  it('are removed with what described them', () => {
    const fleet = settled({ web: { version: '1', instances: 3 } });
    fleet.apply({ web: { version: '1', instances: 1 } });
    fleet.settle();
    expect([...fleet.running().keys()]).toEqual(['0.web.pay.oslo']);
    fleet.apply({});
    fleet.settle();
    expect(fleet.running().size + fleet.told().size).toBe(0);
  });

  it('are moved off a host that is drained, each once it has ended there', () => {
    const fleet = settled({ web: { version: '1', instances: 3 } });
    fleet.change((state) => ({ ...state, drained: ['a'] }));
    fleet.lead();
    expect([...fleet.told().values()].flat().sort()).toEqual(['b', 'c']);
    fleet.lead();
    // Its host still has it.
    expect([...fleet.told().values()].flat().sort()).toEqual(['b', 'c']);
    fleet.settle();
    expect([...fleet.running().values()].flat().sort()).not.toContain('a');
    expect(fleet.running().size).toBe(3);
  });

  it('are moved one after the other, each once the one before is healthy elsewhere', () => {
    const fleet = settled({ web: { version: '1', instances: 3, hosts: ['a'] } });
    fleet.apply({ web: { version: '1', instances: 3, hosts: ['b', 'c'] } });
    let fewest = 3;
    for (let look = 0; look < 40; look++) {
      fleet.lead();
      for (const host of fleet.hosts) {
        host.read();
        for (const coordinate of [...host.processes.keys()]) host.advance(coordinate);
        fewest = Math.min(fewest, fleet.running().size);
      }
    }
    expect(fewest).toBe(2);
    expect([...fleet.running().values()].flat().sort()).toEqual(['b', 'b', 'c']);
  });

  it('stay ended while somebody wants that', () => {
    const fleet = settled({ web: { version: '1', instances: 2 } });
    fleet.change((state) => ({ ...state, stopped: ['1.web.pay.oslo'] }));
    fleet.settle();
    expect(fleet.versions()).toEqual({ '0.web': '1', '1.web': null });
    fleet.change((state) => ({ ...state, stopped: [] }));
    fleet.settle();
    expect(fleet.versions()).toEqual({ '0.web': '1', '1.web': '1' });
  });
});

describe('a host that is away', () => {
  it('keeps its instances for as long as it may be away, and gets others then', () => {
    const fleet = settled({ web: { version: '1', instances: 3 } });
    const [lost] = [...fleet.told().keys()];
    const { name } = fleet.hosts.find(({ processes }) => processes.has(lost!))!;
    fleet.lose(name);
    fleet.now += 9_000;
    fleet.lead();
    expect(fleet.told().get(lost!)).toEqual([name]);
    fleet.now += 1_500;
    // First it is taken from there, and only then given to another one.
    fleet.lead();
    expect(fleet.told().get(lost!)).toBeUndefined();
    fleet.lead();
    expect(fleet.told().get(lost!)).toHaveLength(1);
    expect(fleet.told().get(lost!)).not.toEqual([name]);
    fleet.settle();
    fleet.find(name);
    fleet.settle();
    expect(fleet.running().get(lost!)).toHaveLength(1);
    expect(fleet.running().get(lost!)).not.toEqual([name]);
  });
});

describe('a change of a service', () => {
  it('reaches one instance after the other, each once the one before is healthy', () => {
    const fleet = settled({ web: { version: '1', instances: 3 } });
    fleet.apply({ web: { version: '2', instances: 3 } });
    const toldNew = () =>
      fleet.hosts.flatMap(({ desired }) => desired!.processes).filter(({ artifact }) => artifact.id.endsWith(':2'))
        .length;
    for (let done = 1; done <= 3; done++) {
      for (let look = 0; look < 3; look++) fleet.lead();
      expect(toldNew()).toBe(done);
      for (const host of fleet.hosts) {
        host.read();
        for (const coordinate of host.processes.keys()) host.advance(coordinate);
      }
    }
    fleet.settle();
    expect(fleet.versions()).toEqual({ '0.web': '2', '1.web': '2', '2.web': '2' });
    expect(fleet.state).toMatchObject({ previous: {}, outcomes: {} });
  });

  it('that is refused is taken back everywhere, and says why', () => {
    const fleet = settled({ web: { version: '1', instances: 3 }, db: { version: '1', instances: 1 } });
    fleet.apply({ web: { version: BROKEN, instances: 3 }, db: { version: '2', instances: 1 } });
    fleet.settle();
    expect(fleet.versions()).toEqual({ '0.web': '1', '1.web': '1', '2.web': '1', '0.db': '2' });
    expect(fleet.state.outcomes).toMatchObject({
      web: { result: 'rolled_back', why: expect.stringContaining('not healthy') },
    });
    expect(fleet.state.services.web!.artifact.id).toBe('no.kvitt:web:1');
  });

  it('to something else, before it was done, goes back to what was there before both', () => {
    const fleet = settled({ web: { version: '1', instances: 3 } });
    fleet.apply({ web: { version: '2', instances: 3 } });
    fleet.lead();
    fleet.apply({ web: { version: BROKEN, instances: 3 } });
    fleet.settle();
    expect(new Set(Object.values(fleet.versions()))).toEqual(new Set(['1']));
  });

  it('that was taken back is tried again when somebody applies it again', () => {
    const fleet = settled({ web: { version: '1', instances: 1 } });
    fleet.apply({ web: { version: BROKEN, instances: 1 } });
    fleet.settle();
    const [refused] = fleet.hosts.flatMap(({ processes }) => [...processes.values()]).map(({ told }) => specHash(told));
    fleet.apply({ web: { version: BROKEN, instances: 1 } });
    const spec = wantedOf(fleet.state, FLEET).get('0.web.pay.oslo')!.spec;
    expect(specHash(spec)).not.toBe(refused);
    expect(fleet.state.outcomes).toEqual({});
    fleet.settle();
    expect(fleet.versions()).toEqual({ '0.web': '1' });
    // And taking back needs no new process.
    expect(fleet.state.services.web!.revision).toBe(0);
  });

  it('that is the first, and is refused, is said to have failed, and nothing goes back to it', () => {
    const fleet = settled({ web: { version: BROKEN, instances: 1 } });
    expect(fleet.state.outcomes).toMatchObject({ web: { result: 'failed' } });
    fleet.apply({ web: { version: `2-${BROKEN}`, instances: 1 } });
    expect(fleet.state.previous).toEqual({});
    fleet.apply({ web: { version: '3', instances: 1 } });
    fleet.settle();
    expect(fleet.versions()).toEqual({ '0.web': '3' });
  });

  it('is done at once for what does not run anyway', () => {
    const fleet = settled({ web: { version: '1', instances: 2 } });
    fleet.change((state) => ({ ...state, stopped: ['0.web.pay.oslo', '1.web.pay.oslo'] }));
    fleet.settle();
    fleet.apply({ web: { version: '2', instances: 2 } });
    fleet.lead();
    expect(
      new Set(fleet.hosts.flatMap(({ desired }) => desired?.processes ?? []).map(({ artifact }) => artifact.id)),
    ).toEqual(new Set(['no.kvitt:web:2']));
  });
});

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('lead' as const), writes: fc.constantFrom(0, 1, 2, 99) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('read' as const), host: fc.nat(3) }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('advance' as const), host: fc.nat(3), process: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), host: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('find' as const), host: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 6_000, 30_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      version: fc.constantFrom('1', '2', BROKEN),
      instances: fc.nat(4),
      hosts: fc.constantFrom(null, ['a', 'b'], ['c', 'd', 'a']),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drain' as const), host: fc.nat(3) }) },
);

function act(fleet: SimulatedFleet, step: typeof action extends fc.Arbitrary<infer T> ? T : never): void {
  if (step.do === 'lead') fleet.lead(step.writes);
  else if (step.do === 'wait') fleet.now += step.ms;
  else if (step.do === 'apply') {
    const { version, instances, hosts } = step;
    fleet.apply({ web: { version, instances, hosts }, db: { version: '1', instances: 1 } });
  } else {
    const host = fleet.hosts[step.host]!;
    if (step.do === 'lose') fleet.lose(host.name);
    else if (step.do === 'find') fleet.find(host.name);
    else if (step.do === 'drain')
      fleet.change((state) => ({ ...state, drained: state.drained[0] === host.name ? [] : [host.name] }));
    else if (host.lostAt === null && step.do === 'read') host.read();
    else if (host.lostAt === null && step.do === 'advance')
      host.advance([...host.processes.keys()][step.process] ?? '');
  }
}

describe('whatever happens, and whenever a leader stops in the midst of it', () => {
  test.prop([fc.array(action, { maxLength: 120 })], { numRuns: 400 })(
    'no instance runs on two hosts, and all is as wanted in the end',
    (steps) => {
      const fleet = new SimulatedFleet(['a', 'b', 'c', 'd']);
      fleet.apply({ web: { version: '1', instances: 3 }, db: { version: '1', instances: 1 } });
      for (const step of steps) {
        act(fleet, step);
        for (const hosts of [...fleet.running().values(), ...fleet.told().values()])
          expect(hosts.length).toBeLessThan(2);
      }
      for (const { name } of fleet.hosts) fleet.find(name);
      fleet.apply({ web: { version: '3', instances: 3 }, db: { version: '1', instances: 1 } });
      fleet.change((state) => ({ ...state, drained: [] }));
      fleet.settle();
      expect(fleet.versions()).toEqual({ '0.web': '3', '1.web': '3', '2.web': '3', '0.db': '1' });
      expect(fleet.state.outcomes).toEqual({});
    },
  );

  test.prop([fc.array(action, { maxLength: 60 })], { numRuns: 200 })(
    'what is kept of a fleet is read again as it was written',
    (steps) => {
      const fleet = new SimulatedFleet(['a', 'b', 'c', 'd']);
      for (const step of steps) act(fleet, step);
      expect(parseFleetState(JSON.stringify(fleet.state))).toEqual(fleet.state);
    },
  );
});

describe('a plan', () => {
  it('shows what starts, changes, moves, stops and goes', () => {
    const fleet = settled({ web: { version: '1', instances: 2 }, old: { version: '1', instances: 1 } });
    const next = {
      ...described(fleet.state, fileOf({ web: { version: '2', instances: 3 } })),
      stopped: ['1.web.pay.oslo'],
    };
    const text = renderPlan(planOf(next, FLEET, fleet.views()));
    expect(text).toMatch(
      /~ roll {4}0\.web\.pay\.oslo on [abc]\n {4}artifact\.id: "no\.kvitt:web:1" -> "no\.kvitt:web:2"/,
    );
    expect(text).toMatch(/- stop {4}1\.web\.pay\.oslo/);
    expect(text).toMatch(/\+ start {3}2\.web\.pay\.oslo on [abc]\n {4}no\.kvitt:web:2/);
    expect(text).toMatch(/- remove {2}0\.old\.pay\.oslo/);
    expect(text).toContain('1 to roll, 1 to stop, 1 to start, 1 to remove');
  });

  it('is empty for what is as described', () => {
    const services = { web: { version: '1', instances: 2 } };
    const fleet = settled(services);
    expect(planOf(described(fleet.state, fileOf(services)), FLEET, fleet.views())).toEqual([]);
  });

  it('shows no values of the environment', () => {
    expect(differences({ env: { A: 'secret', B: '1' } }, { env: { A: 'other', B: '1' } })).toEqual(['env.A changes']);
  });
});

describe('a file of a fleet', () => {
  const good = `services:\n  web:\n    artifact: { id: g:n:1, sha256: ${'a'.repeat(64)} }\n    command: [run]\n`;

  it('gives everything that is not said', () => {
    const { services, replace_after } = parseFleetFile(good);
    expect(replace_after).toBe(30);
    expect(services.web).toMatchObject({ instances: 1, update: 'roll', cutoff: 'run', claim: 'agent', grace: 15 });
  });

  it.each([
    ['an unknown member', good.replace('command', 'comand'), /comand/],
    ['a wrong name of a service', good.replace('web', 'Web'), /beginning with a letter/],
    ['a wrong digest', good.replace('aaa', 'xyz'), /64 hex digits/],
    ['no artifact', 'services: { web: { command: [run] } }', /artifact/],
    ['a service twice', `${good}  web: {}`, /unique/i],
    ['what is no YAML', 'services: [', /flow collection|services/i],
    ['text', 'hello', /expected object/],
    ['a size that is none', `${good}    limits: { memory: lots }`, /256MiB/],
    ['too many instances', `${good}    instances: 100000`, /1000/],
    [
      'a check of a port and a command',
      `${good}    health: { port: http, command: [x] }`,
      /either a port or a command/,
    ],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseFleetFile(text)).toThrow(message);
  });

  it('is bounded in what aliases make of it', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((name, n) => {
        const before = 'abcdefghi'[n];
        return `${name}: &${name} [${`*${before},`.repeat(9)}]`;
      }),
    ].join('\n');
    expect(() => parseFleetFile(bomb)).toThrow(/alias/i);
  });
});

it('a fleet of which nothing was kept is empty, and one that cannot be read says so', () => {
  expect(parseFleetState('')).toEqual(NO_FLEET);
  expect(fleetState.parse({})).toEqual(NO_FLEET);
  expect(() => parseFleetState('{"generation":-1}')).toThrow(/cannot be read/);
});
