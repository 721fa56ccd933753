/** Whatever single value of a sound ledger is changed, at random: verification notices. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verify } from '../../src/verification/verify.ts';
import { NOW } from './model.ts';
import { MUTATIONS } from './mutations.ts';
import { randomFrom, randomModel } from './random-model.ts';

describe('a single change is always noticed', () => {
  test.each(Object.entries(MUTATIONS))('%s', async (_name, mutate) => {
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 20 }), async (seed, groups) => {
        const model = randomModel(seed, groups);
        const what = mutate(model, randomFrom(seed ^ 0x5bd1e995));
        if (what === null) return;
        changes++;
        const { ok, breaks } = await verify(model.port(), { clock: { now: () => NOW } });
        // What is in suspense was so before.
        const found = breaks.some(({ kind }) => kind !== 'in_suspense');
        expect({ what, ok, found }).toEqual({ what, ok: false, found: true });
      }),
      { numRuns: 200 },
    );
    expect(changes).toBeGreaterThan(25);
  });
});
