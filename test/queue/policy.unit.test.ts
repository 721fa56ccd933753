import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
/** Made for tests and the embedded server only. */
const NOT_OF_A_SERVICE = new Set(['CreateQueue']);

interface Statement {
  readonly Action: string | string[];
}

function actionsOfPolicy(): Set<string> {
  const document = readFileSync(new URL('docs/queue.md', ROOT), 'utf8');
  const policy = /^```json\n(\{\n {2}"Version".*?)^```$/ms.exec(document)![1]!;
  const { Statement: statements } = JSON.parse(policy) as { Statement: Statement[] };
  return new Set(statements.flatMap(({ Action }) => Action).map((action) => action.replace('sqs:', '')));
}

/** A batch needs what a single call needs. */
function actionsInSource(): Set<string> {
  const files = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' });
  const text = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(new URL(`src/${file}`, ROOT), 'utf8'));
  const found = text.flatMap((source) => {
    if (!source.includes('@aws-sdk/client-sqs')) return [];
    return [...source.matchAll(/new (\w+)Command\(|#call(?:<\w+>)?\('(\w+)'/g)].map(([, sdk, own]) => (sdk ?? own)!);
  });
  return new Set(found.map((name) => name.replace(/Batch$/, '')).filter((name) => !NOT_OF_A_SERVICE.has(name)));
}

test('the policy in docs/queue.md allows what is called, and nothing else', () => {
  expect([...actionsOfPolicy()].sort()).toEqual([...actionsInSource()].sort());
});
