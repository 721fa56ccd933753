import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { availableMemory, chooseVictim, describePressure, type Suspect } from '../../src/processes/pressure.ts';

const of = (value: number, usedBytes: number, expectedBytes: number | null): Suspect => ({
  value,
  usedBytes,
  expectedBytes,
});

describe('who is ended under memory pressure', () => {
  it('is nobody as long as the reserve is there', () => {
    expect(chooseVictim([of(0, 999, 1)], 100, 100)).toBeNull();
  });

  it('is who is worth least of those that use more than expected', () => {
    const worthless = of(0, 500, null);
    const kept = of(1, 500, 500);
    const over = of(5, 501, 500);
    const more = of(5, 700, 500);
    const valuable = of(9, 9_999, 1);
    expect(chooseVictim([worthless, kept, over, more, valuable], 99, 100)).toBe(more);
    expect(chooseVictim([worthless, kept, over, more, valuable], 1, 100)).toBe(more);
  });

  it('is one that keeps to what was expected only when it gets dire', () => {
    const [small, large] = [of(1, 300, 500), of(1, 400, null)];
    expect(chooseVictim([small, large, of(2, 900, null)], 50, 100)).toBeNull();
    expect(chooseVictim([small, large, of(2, 900, null)], 49, 100)).toBe(large);
  });

  it('is nobody that uses nothing, and nobody when there is nobody', () => {
    expect(chooseVictim([of(0, 0, null)], 0, 100)).toBeNull();
    expect(chooseVictim([], 0, 100)).toBeNull();
  });

  const suspects = fc.array(
    fc.record({
      value: fc.nat({ max: 3 }),
      usedBytes: fc.nat({ max: 5 }),
      expectedBytes: fc.option(fc.nat({ max: 5 })),
    }),
  );
  test.prop([suspects, fc.nat({ max: 120 })])(
    'is never worth more than another that is over as well',
    (all, available) => {
      const isOver = (each: Suspect) => each.expectedBytes !== null && each.usedBytes > each.expectedBytes;
      const victim = chooseVictim(all, available, 100);
      if (all.some(isOver) && available < 100) {
        expect(victim).not.toBeNull();
        expect(isOver(victim!)).toBe(true);
        expect(victim!.value).toBe(Math.min(...all.filter(isOver).map(({ value }) => value)));
      }
      if (available >= 50 && !all.some(isOver)) expect(victim).toBeNull();
    },
  );

  it('is told with figures', () => {
    const MIB = 2 ** 20;
    expect(describePressure(of(10, 900 * MIB, 512 * MIB), 120 * MIB, 256 * MIB)).toBe(
      '120 MiB of memory available, less than the reserve of 256 MiB; used 900 MiB, of 512 MiB expected, value 10',
    );
    expect(describePressure(of(1, MIB, null), 0, MIB)).toContain('no amount was expected');
  });

  it('depends on what this machine has', async () => {
    expect(await availableMemory()).toBeGreaterThan(2 ** 20);
  });
});
