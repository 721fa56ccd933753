import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/audit.mjs', import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvitt-audit-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the audit with an npm that answers so. */
function audit(answer: unknown, exitCode: number): { status: number | null; stdout: string } {
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\ncat <<'END'\n${text}\nEND\nexit ${exitCode}\n`);
  chmodSync(join(folder, 'npm'), 0o755);
  const env = { PATH: `${folder}${delimiter}${process.env.PATH}` };
  return spawnSync(process.execPath, [SCRIPT], { env, encoding: 'utf8' });
}

const report = (high: number, critical: number) => ({
  auditReportVersion: 2,
  vulnerabilities: high + critical === 0 ? {} : { leaky: { name: 'leaky', severity: 'high', range: '<1.2.3' } },
  metadata: { vulnerabilities: { low: 1, moderate: 0, high, critical, total: 1 + high + critical } },
});

describe('the audit of packages', () => {
  it('passes when nothing grave is known', () => {
    expect(audit(report(0, 0), 0)).toMatchObject({ status: 0, stdout: expect.stringContaining('0 high or critical') });
  });

  it.each([
    [1, 0],
    [0, 2],
  ])('fails on findings: %i high, %i critical', (high, critical) => {
    const { status, stdout } = audit(report(high, critical), 1);
    expect([status, stdout]).toEqual([1, expect.stringContaining('high: leaky <1.2.3')]);
  });

  it.each([
    ['that it cannot', { message: '405 Method Not Allowed - POST https://registry.test/-/npm/v1', statusCode: 405 }],
    ['an error', { error: { code: 'ENOAUDIT', summary: 'no audit endpoint' } }],
    ['nothing', ''],
    ['what is no report', '<html>'],
  ])('says that it was not possible when the registry answers %s, and passes', (_what, answer) => {
    const { status, stdout } = audit(answer, 1);
    expect([status, stdout]).toEqual([0, expect.stringContaining('not possible')]);
    expect(stdout).not.toContain('registry.test');
  });
});
