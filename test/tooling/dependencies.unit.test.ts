import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const IMPORTS = 'lint/style/noRestrictedImports';
const ENVIRONMENT = 'lint/style/noProcessEnv';

/** File, its text, and the rule that must refuse it; null: nothing may. */
const PLANTED: readonly (readonly [file: string, text: string, rule: string | null])[] = [
  ['src/ledger/own.ts', `import './types.ts';`, null],
  ['src/ledger/payments.ts', `import '../payments/types.ts';`, IMPORTS],
  ['src/ledger/settings.ts', `import '../config.ts';`, IMPORTS],
  ['src/ledger/driver.ts', `import 'mongodb';`, IMPORTS],
  ['src/ledger/type.ts', `import type { Db } from 'mongodb';\n\nexport type A = Db;`, IMPORTS],
  ['src/ledger/later.ts', `export const mongo = await import('../mongo/client.ts');`, IMPORTS],
  ['src/ledger/again.ts', `export { a } from '../mongo/client.ts';`, IMPORTS],
  ['src/ledger/web.ts', `import 'fastify';`, IMPORTS],
  ['src/ledger/queue.ts', `import '@aws-sdk/client-sqs';`, IMPORTS],
  ['src/payments/ledger.ts', `import '../ledger/types.ts';`, null],
  ['src/payments/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/payments/around.ts', `import '../../src/mongo/client.ts';`, IMPORTS],
  ['src/mongo/ports.ts', `import '../ledger/ports.ts';\nimport '../payments/types.ts';\nimport 'mongodb';`, null],
  ['src/mongo/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/mongo/migrate.ts', `import '../../migrations/0001.ts';`, null],
  ['src/http/payments.ts', `import '../payments/types.ts';\nimport 'fastify';`, null],
  ['src/http/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/http/routes/own.ts', `import '../../payments/types.ts';\nimport '../problem.ts';`, null],
  ['src/http/routes/queue.ts', `import '../../queue/event.ts';`, IMPORTS],
  ['src/queue/payments.ts', `import '../payments/types.ts';\nimport '@aws-sdk/client-sqs';`, null],
  ['src/queue/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/jobs/payments.ts', `import '../payments/types.ts';`, null],
  ['src/jobs/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/jobs/environment.ts', `export const a = process.env.HOME;`, ENVIRONMENT],
  ['src/http/environment.ts', `import { env } from 'node:process';\n\nexport const a = env.HOME;`, ENVIRONMENT],
  ['src/config.ts', `export const a = process.env.HOME;`, null],
  ['src/payments/promise.ts', 'async function a() {}\na();', 'lint/nursery/noFloatingPromises'],
];

describe('the linter keeps dependencies pointing one way', () => {
  let folder: string;
  let found: Map<string, string[]>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvitt-test-lint-'));
    copyFileSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'));
    for (const [file, text] of PLANTED) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), `${text}\n`);
    }
    found = lint(folder);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(PLANTED)('%s with `%s`: %s', (file, _text, rule) => {
    expect(found.get(file) ?? []).toEqual(rule === null ? [] : [rule]);
  });
});

/** The errors that the project's linter finds in a folder, as rule names by file. */
function lint(folder: string): Map<string, string[]> {
  const biome = join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const args = [biome, 'lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=200', '.'];
  const run = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  const report = JSON.parse(run.stdout) as { diagnostics: { category: string; location: { path: string } }[] };
  const found = new Map<string, string[]>();
  for (const { category, location } of report.diagnostics) {
    found.set(location.path, [...(found.get(location.path) ?? []), category]);
  }
  return found;
}
