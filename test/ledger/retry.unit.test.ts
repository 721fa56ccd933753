import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { backoffMs } from '../../src/ledger/retry.ts';

test.prop([fc.integer({ min: 1, max: 10_000 })])(
  'waits at least half of the doubled base, at most the bound',
  (failures) => {
    const ceiling = Math.min(900_000, 1_000 * 2 ** (failures - 1));
    const wait = backoffMs(failures, 1_000, 900_000);
    expect(wait).toBeGreaterThanOrEqual(ceiling / 2);
    expect(wait).toBeLessThanOrEqual(ceiling);
  },
);
