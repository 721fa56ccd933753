import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const IMPORTS = 'lint/style/noRestrictedImports';
const ENVIRONMENT = 'lint/style/noProcessEnv';

/** All of src/ but what wires, and what calls it. */
const ROOMS = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['wiring', 'commands'].includes(entry.name))
  .map(({ name }) => name);

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
  ['src/ledger/traces.ts', `import '@opentelemetry/api';`, IMPORTS],
  ['src/ledger/traced.ts', `import '../tracing/tracing.ts';`, IMPORTS],
  ['src/ledger/queue.ts', `import '@aws-sdk/client-sqs';`, IMPORTS],
  ['src/payments/ledger.ts', `import '../ledger/types.ts';`, null],
  ['src/payments/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/payments/around.ts', `import '../../src/mongo/client.ts';`, IMPORTS],
  ['src/resources/payments.ts', `import '../payments/types.ts';`, null],
  ['src/resources/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/events/own.ts', `import '../payments/types.ts';\nimport '../resources/present.ts';`, null],
  ['src/events/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/events/driver.ts', `import '@aws-sdk/client-sqs';`, IMPORTS],
  ['src/webhooks/own.ts', `import '../events/types.ts';\nimport 'undici';`, null],
  ['src/webhooks/mongo.ts', `import 'mongodb';`, IMPORTS],
  ['src/events/webhooks.ts', `import '../webhooks/types.ts';`, IMPORTS],
  ['src/payments/events.ts', `import '../events/types.ts';`, IMPORTS],
  ['src/mongo/ports.ts', `import '../ledger/ports.ts';\nimport '../payments/types.ts';\nimport 'mongodb';`, null],
  ['src/mongo/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/mongo/migrate.ts', `import '../../migrations/0001.ts';`, null],
  ['src/http/payments.ts', `import '../payments/types.ts';\nimport 'fastify';`, null],
  ['src/http/events.ts', `import '../events/types.ts';\nimport '../resources/present.ts';`, null],
  ['src/http/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/http/routes/own.ts', `import '../../payments/types.ts';\nimport '../problem.ts';`, null],
  ['src/http/routes/queue.ts', `import '../../queue/event.ts';`, IMPORTS],
  ['src/queue/payments.ts', `import '../payments/types.ts';\nimport '@aws-sdk/client-sqs';`, null],
  ['src/queue/events.ts', `import '../events/types.ts';`, null],
  ['src/queue/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/queue/traces.ts', `import '@opentelemetry/api';`, IMPORTS],
  [
    'src/tracing/own.ts',
    `import '../ledger/ports.ts';\nimport '../http/ports.ts';\nimport '@opentelemetry/api';`,
    null,
  ],
  ['src/tracing/queue.ts', `import '../queue/ports.ts';`, null],
  ['src/tracing/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/tracing/consumer.ts', `import '../queue/consumer.ts';`, IMPORTS],
  ['src/tracing/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/tracing/driver.ts', `import 'mongodb';`, IMPORTS],
  ['src/statements/ledger.ts', `import '../ledger/types.ts';`, null],
  ['src/statements/payments.ts', `import '../payments/types.ts';`, IMPORTS],
  ['src/verification/payments.ts', `import '../payments/types.ts';`, null],
  ['src/verification/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/verification/environment.ts', `export const a = process.env.HOME;`, ENVIRONMENT],
  ['src/matching/statements.ts', `import '../statements/statement.ts';`, null],
  ['src/matching/reconciliation.ts', `import '../reconciliation/match.ts';`, IMPORTS],
  ['src/reconciliation/own.ts', `import '../matching/rules.ts';\nimport '../verification/verify.ts';`, null],
  ['src/reconciliation/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/reconciliation/html.ts', `import '../html/markup.ts';`, null],
  ['src/html/own.ts', `import './markup.ts';`, null],
  ['src/html/reconciliation.ts', `import '../reconciliation/types.ts';`, IMPORTS],
  ['src/html/driver.ts', `import 'mongodb';`, IMPORTS],
  [
    'src/loadtest/own.ts',
    `import '../client/index.ts';\nimport '../html/markup.ts';\nimport '../ladder/result.ts';\nimport '../resources/text.ts';\nimport '../version.ts';\nimport '@aws-sdk/client-sqs';`,
    null,
  ],
  ['src/loadtest/ledger.ts', `import '../ledger/types.ts';`, IMPORTS],
  ['src/loadtest/ladder.ts', `import '../ladder/ladder.ts';`, IMPORTS],
  ['src/loadtest/resources.ts', `import '../resources/present.ts';`, IMPORTS],
  ['src/loadtest/driver.ts', `import 'mongodb';`, IMPORTS],
  ['src/loadtest/web.ts', `import 'fastify';`, IMPORTS],
  ['src/verification/reconciliation.ts', `import '../reconciliation/match.ts';`, IMPORTS],
  ['src/http/environment.ts', `import { env } from 'node:process';\n\nexport const a = env.HOME;`, ENVIRONMENT],
  ['src/zookeeper/ledger.ts', `import '../ledger/types.ts';`, IMPORTS],
  ['src/cloudname/zookeeper.ts', `import '../zookeeper/session.ts';`, null],
  ['src/cloudname/ledger.ts', `import '../ledger/types.ts';`, IMPORTS],
  ['src/cluster/own.ts', `import '../ledger/types.ts';\nimport '../cloudname/claim.ts';`, null],
  ['src/cluster/mongo.ts', `import '../mongo/client.ts';`, IMPORTS],
  ['src/cluster/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/artifacts/own.ts', `import './artifact.ts';\nimport 'tar-stream';`, null],
  ['src/artifacts/processes.ts', `import '../processes/spec.ts';`, IMPORTS],
  ['src/artifacts/web.ts', `import 'fastify';`, IMPORTS],
  ['src/processes/own.ts', `import '../artifacts/artifact.ts';`, null],
  ['src/processes/cloudname.ts', `import '../cloudname/claim.ts';`, IMPORTS],
  ['src/processes/web.ts', `import 'fastify';`, IMPORTS],
  [
    'src/nodee/own.ts',
    `import '../cloudname/claim.ts';\nimport '../processes/spec.ts';\nimport '../resources/text.ts';\nimport 'fastify';`,
    null,
  ],
  ['src/nodee/ledger.ts', `import '../ledger/types.ts';`, IMPORTS],
  ['src/nodee/driver.ts', `import 'mongodb';`, IMPORTS],
  ['src/ladder/own.ts', `import '../loadtest/result.ts';\nimport 'undici';`, null],
  ['src/ladder/ledger.ts', `import '../ledger/types.ts';`, IMPORTS],
  ['src/ladder/mongo.ts', `import 'mongodb';`, IMPORTS],
  ['src/client/own.ts', `import '../cloudname/cloudname.ts';\nimport '../http/schemas/requests.ts';`, null],
  ['src/client/http.ts', `import '../http/app.ts';`, IMPORTS],
  ['src/config.ts', `export const a = process.env.HOME;`, null],
  ['src/main.ts', `import './wiring/storage.ts';\nimport './mongo/client.ts';`, null],
  ['src/cli.ts', `import './commands/groups.ts';`, null],
  ['src/commands/own.ts', `import '../main.ts';\nimport '../wiring/storage.ts';`, null],
  ['src/version.ts', `import './commands/output.ts';`, IMPORTS],
  ['src/wiring/commands.ts', `import '../commands/output.ts';`, IMPORTS],
  ['src/metrics.ts', `import './wiring/storage.ts';`, IMPORTS],
  ['src/log.ts', `import './main.ts';`, IMPORTS],
  ['src/wiring/own.ts', `import '../mongo/client.ts';\nimport './storage.ts';`, null],
  ['src/wiring/main.ts', `import '../main.ts';`, IMPORTS],
  ['src/doctor/own.ts', `import '../config.ts';\nimport '../mongo/client.ts';`, null],
  ['src/doctor/around.ts', `import '../../src/wiring/storage.ts';`, IMPORTS],
  ['src/http/routes/wiring.ts', `import '../../wiring/http.ts';`, IMPORTS],
  ['src/http/routes/main.ts', `import '../../main.ts';`, IMPORTS],
  ...ROOMS.flatMap((room): typeof PLANTED => [
    [`src/${room}/wiring.ts`, `import '../wiring/storage.ts';`, IMPORTS],
    [`src/${room}/start.ts`, `import '../main.ts';`, IMPORTS],
  ]),
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
