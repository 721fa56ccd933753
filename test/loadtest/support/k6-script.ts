/** A script for k6, run by Node.js: what it imports from k6 is replaced by stand-ins that record what is called. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SentCall } from './calls.ts';

const STAND_INS: Readonly<Record<string, string>> = {
  k6: `export const sleep = (seconds) => world.sleeps.push(seconds);
    export const check = (value, checks) => Object.values(checks).every((holds) => holds(value));`,
  'k6/data': 'export class SharedArray { constructor(name, make) { return make(); } }',
  'k6/execution': 'export default { scenario: { get iterationInTest() { return world.iteration; } } };',
  'k6/http': `const call = (method) => (url, ...more) => world.answer(method, url, ...more);
    export default { get: call('GET'), post: call('POST') };`,
};

interface K6Module {
  readonly options: {
    readonly scenarios: { readonly users: Readonly<Record<string, unknown>> };
    readonly thresholds: Readonly<Record<string, readonly string[]>>;
  };
  setup(): unknown;
  default(data: unknown): void;
}

export interface K6Run {
  readonly options: K6Module['options'];
  /** By iteration. */
  readonly calls: SentCall[][];
  readonly sleeps: number[];
}

/** Runs so many iterations; `status` answers a call, 201 unless given. */
export async function runK6Script(
  text: string,
  key: string,
  iterations: number,
  status: (call: SentCall) => number = () => 201,
): Promise<K6Run> {
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-k6-script-'));
  const name = `k6_${randomUUID().replaceAll('-', '')}`;
  const run = { calls: [] as SentCall[][], sleeps: [] as number[], iteration: 0 };
  let sent = 0;
  const answer = (method: string, url: string, ...more: unknown[]) => {
    const [body, parameters] = method === 'GET' ? [null, more[0]] : more;
    const { headers } = parameters as { headers: Record<string, string> };
    const { pathname, search } = new URL(url);
    const call = { method, path: pathname + search, headers, body: body as string | null };
    run.calls.at(-1)!.push(call);
    const id = `pay_${++sent}`;
    return { status: status(call), json: () => id };
  };
  try {
    Object.assign(globalThis, { __ENV: { KVITT_API_KEY: key }, [name]: Object.assign(run, { answer }) });
    const script = await load(text, name, folder);
    const data = script.setup();
    for (run.iteration = 0; run.iteration < iterations; run.iteration++) {
      run.calls.push([]);
      script.default(data);
    }
    return { options: script.options, calls: run.calls, sleeps: run.sleeps };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function load(text: string, world: string, folder: string): Promise<K6Module> {
  let script = text;
  for (const [index, [specifier, source]] of Object.entries(STAND_INS).entries()) {
    const file = `stand-in-${index}.mjs`;
    await writeFile(join(folder, file), `const world = globalThis.${world};\n${source}`);
    script = script.replaceAll(`from '${specifier}';`, `from './${file}';`);
  }
  await writeFile(join(folder, 'script.mjs'), script);
  return import(pathToFileURL(join(folder, 'script.mjs')).href);
}
