import { describe, expect, it } from 'vitest';
import type { Placed } from '../../src/ledger/types.ts';
import { MemoryStore, NO_FAULTS } from '../support/memory-store.ts';
import { lifeOf, type Mix } from './simulation.ts';
import type { Random, VirtualWorld } from './virtual-world.ts';

const LIVES = 30;
const MIX: Mix = {
  faults: { ...NO_FAULTS, latencyMs: 2, answerLost: 0.1, writeLost: 0.1, writeLate: 0.5 },
  engines: 3,
  books: 2,
  crossing: true,
  freezes: 0.1,
  limits: { recoverAfterMs: 30 },
};

/** A unique index that now and then does not see what is there. */
class ForgetfulIndex<T> extends Map<string, T> {
  constructor(readonly random: Random) {
    super();
  }

  override has(key: string): boolean {
    return super.has(key) && this.random() > 0.3;
  }
}

class TakenHeightsAreTakenAgain extends MemoryStore {
  override readonly blocks = new ForgetfulIndex<never>(this.runtime.random);
}

class KnownKeysAreTakenAgain extends MemoryStore {
  override readonly keys = new ForgetfulIndex<never>(this.runtime.random);
}

/** Lookups by id are answered by a member that is some entries behind. */
class LookupsAreStale extends MemoryStore {
  override placed(): Placed[] {
    return super.placed().slice(0, -5);
  }
}

async function livesWith(Store: typeof MemoryStore): Promise<string[]> {
  const makeStore = (world: VirtualWorld, { faults }: Mix) => new Store(world.runtime, faults);
  const found: string[] = [];
  for (let seed = 1; seed <= LIVES; seed++) {
    const life = await lifeOf(seed, MIX, makeStore).catch(({ message }: Error) => ({ faults: [message] }));
    found.push(...life.faults);
  }
  return found;
}

describe('the simulation', () => {
  it('lives the same life again for the same seed, to the last hash, and another for another seed', async () => {
    const traceOf = async (seed: number) => {
      const { store, told } = await lifeOf(seed, { ...MIX, dies: 0.05, restarts: 0.05, clockOffMs: 300_000 });
      const tips = [...store.blocks.values()].map(({ book, height, hash }) => [book, height, Buffer.from(hash)]);
      return JSON.stringify({ tips, claims: [...store.claims.keys()], told });
    };
    for (let seed = 1; seed <= 10; seed++) expect(await traceOf(seed)).toBe(await traceOf(seed));
    expect(await traceOf(1)).not.toBe(await traceOf(2));
  });

  it('finds nothing wrong over a store that keeps its word', async () => {
    expect(await livesWith(MemoryStore)).toEqual([]);
  });

  it('notices a store that lets two writers have one height', async () => {
    expect(await livesWith(TakenHeightsAreTakenAgain)).not.toEqual([]);
  });

  it('notices a store that lets two claims have one key', async () => {
    expect(await livesWith(KnownKeysAreTakenAgain)).not.toEqual([]);
  });

  it('notices a store whose lookups do not see what is durable', async () => {
    expect(await livesWith(LookupsAreStale)).not.toEqual([]);
  });
});
