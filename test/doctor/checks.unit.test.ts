import { describe, expect, it } from 'vitest';
import { diskCheck, filesCheck, nodeCheck } from '../../src/doctor/host.ts';
import { clockCheck } from '../../src/doctor/mongodb.ts';

const GIB = 1 << 30;
const limits = (files: string) =>
  `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${files}   1048576  files\n`;

describe('doctor', () => {
  it.each([
    ['20.18.9', 'fail'],
    ['20.19.0', 'ok'],
    ['22.1.0', 'ok'],
    ['18.20.0', 'fail'],
  ])('finds node %s %s', (version, status) => {
    expect(nodeCheck(version)).toMatchObject({
      status,
      next: status === 'ok' ? null : expect.stringContaining('20.19'),
    });
  });

  it.each<[string | null, number, string]>([
    [limits('1048576'), 4_000, 'ok'],
    [limits('unlimited'), 4_000, 'ok'],
    [limits('4096'), 4_000, 'warn'],
    [limits('512'), 4_000, 'fail'],
    [limits('512'), 10, 'ok'],
    [null, 4_000, 'warn'],
  ])('finds the limits %j with %i requests %s', (text, requestsMax, status) => {
    expect(filesCheck(text, requestsMax).status).toBe(status);
  });

  it.each([
    [100 * GIB, 500 * GIB, 'ok'],
    [40 * GIB, 500 * GIB, 'warn'],
    [4 * GIB, 10 * GIB, 'warn'],
    [GIB / 2, 10 * GIB, 'fail'],
  ])('finds a disk with %i of %i bytes free %s', (free, total, status) => {
    expect(diskCheck('disk', free, total).status).toBe(status);
  });

  it.each([
    [0, 'ok'],
    [-999, 'ok'],
    [1_500, 'warn'],
    [-1_500, 'warn'],
    [-400_000, 'fail'],
  ])('finds a clock %i ms ahead %s', (aheadMs, status) => {
    expect(clockCheck('a:1', aheadMs).status).toBe(status);
  });
});
