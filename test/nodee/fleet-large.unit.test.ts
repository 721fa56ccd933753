import { describe, expect, it } from 'vitest';
import { fleetState, wantedOf } from '../../src/nodee/fleet.ts';
import { type HostView, place } from '../../src/nodee/placement.ts';
import { planOf } from '../../src/nodee/plan.ts';
import { nextStep } from '../../src/nodee/rollout.ts';
import { problemOfSize } from '../../src/nodee/sizes.ts';
import type { HostDesired, HostReport } from '../../src/nodee/types.ts';
import { REPORT } from './support/api.ts';
import { FLEET } from './support/simulated-fleet.ts';

const HOSTS = 20;
const INSTANCES = 200;
/** How often a look at a fleet may read what one host was told. */
const READS_MAX = 20;

function stateOf(instances: number, more: object = {}) {
  const artifact = { id: 'no.kvitt:web:1', sha256: 'a'.repeat(64) };
  return fleetState.parse({ services: { web: { revision: 0, artifact, command: ['run'], instances, ...more } } });
}

/** Of which is counted how often it is read. */
class CountedHost implements HostView {
  readonly lostMs = null;
  reads = 0;

  constructor(
    readonly coordinate: string,
    readonly told: HostDesired | null,
  ) {}

  get desired(): HostDesired | null {
    this.reads++;
    return this.told;
  }

  get report(): HostReport {
    return { ...REPORT, host: this.coordinate };
  }
}

function hostsOf(told: ReadonlyMap<string, HostDesired> = new Map()): CountedHost[] {
  const coordinates = Array.from({ length: HOSTS }, (_, number) => `${number}.nodee.pay.oslo`);
  return coordinates.map((coordinate) => new CountedHost(coordinate, told.get(coordinate) ?? null));
}

describe('a large fleet', () => {
  it('is looked at host by host, not once more for each instance', () => {
    const state = stateOf(INSTANCES);
    const { writes } = nextStep(state, FLEET, hostsOf());
    expect([...writes.values()].map(({ processes }) => processes.length)).toEqual(Array(HOSTS).fill(INSTANCES / HOSTS));
    const changed = { ...state, services: { web: { ...state.services.web!, command: ['other'] } } };
    for (const look of [nextStep, planOf]) {
      const hosts = hostsOf(writes);
      look(changed, FLEET, hosts);
      expect(Math.max(...hosts.map(({ reads }) => reads))).toBeLessThan(READS_MAX);
    }
  });

  it('is spread evenly, by name where nothing else tells', () => {
    const placement = place(stateOf(3), wantedOf(stateOf(3), FLEET), hostsOf().reverse());
    expect([...placement.values()]).toEqual(['0.nodee.pay.oslo', '1.nodee.pay.oslo', '10.nodee.pay.oslo']);
  });

  it('is refused before it is written when it does not fit into ZooKeeper, or into an agent', () => {
    const [first] = hostsOf();
    expect(problemOfSize(stateOf(10), FLEET, [first!])).toBeNull();
    const long = { env: { A: 'x'.repeat(30_000) } };
    expect(problemOfSize(stateOf(100, long), FLEET, [first!])).toMatch(
      /what 0\.nodee\.pay\.oslo would be told has \d+/,
    );
    expect(problemOfSize(stateOf(100, long), FLEET, hostsOf())).toBeNull();
    const services = Object.fromEntries(['a', 'b'].map((name) => [name, stateOf(501).services.web!]));
    const two = { ...stateOf(0), services };
    expect(problemOfSize(two, FLEET, [first!])).toContain('would get 1002 processes; 1000 at most');
    const huge = stateOf(0, { command: Array(30).fill('x'.repeat(32_000)) });
    expect(problemOfSize(huge, FLEET, [])).toMatch(/the fleet would have 96\d+ bytes/);
  });
});
