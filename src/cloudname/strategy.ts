import { createHash } from 'node:crypto';
import type { Coordinate } from './coordinate.ts';
import type { Endpoint } from './status.ts';

/** An endpoint of a running instance. */
export interface Found {
  /** Where it was found: the same object for all endpoints of an instance. */
  readonly at: Coordinate;
  readonly endpoint: Endpoint;
}

/** Chooses among the endpoints of the running instances of a service, which come in the order of the instances. */
export interface Strategy {
  /** As expressions write it: a-z, 0-9, - and _, beginning with a letter. */
  readonly name: string;
  /** Does it choose the same of the same, for as long as the client runs? Then it is asked only when something changed. */
  readonly isSteady?: boolean;
  /** @param seed Of the client: the same for as long as it runs, another for another client. */
  choose(found: readonly Found[], seed: string): readonly Found[];
}

export const ALL: Strategy = { name: 'all', choose: (found) => found };

/**
 * One instance, with all of its endpoints that were asked for: the same for a client as long as it runs, and spread
 * evenly over the clients. Of each instance and the client's seed a number is drawn, and the highest wins ("rendezvous
 * hashing"), so that an instance that comes or goes moves no other client than its own.
 */
export const ANY: Strategy = {
  name: 'any',
  isSteady: true,
  choose: (found, seed) => {
    const instances = new Set(found.map(({ at }) => at));
    const weights = [...instances].map((at) => ({ at, weight: weightOf(at, seed) }));
    const best = weights.reduce<(typeof weights)[number] | null>(
      (most, next) => (most === null || next.weight > most.weight ? next : most),
      null,
    );
    return found.filter(({ at }) => at === best?.at);
  },
};

function weightOf(coordinate: Coordinate, seed: string): bigint {
  return createHash('sha1').update(`${seed} ${coordinate}`).digest().readBigUInt64BE();
}
