import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sign } from '../../src/events/signature.ts';
import type { List, Payment } from './support/api.ts';
import { kvitt } from './support/kvitt.ts';
import { commandExamples, type Example, outputAfter, patternOf, program, ROOT } from './support/readme.ts';
import { useService } from './support/service.ts';

const ADDRESS = 'http://127.0.0.1:8080';
const MARK = '=== the next example';
const SECRET = 'whsec_of_the_readme';
const EVENT = '{"id":"evt_1","type":"payment.posted","data":{}}';

const run = promisify(execFile);
const service = useService();
let folder: string;

beforeAll(async () => {
  // Below the checkout, so that the packages are found from there.
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  folder = await mkdtemp(join(cache, 'readme-'));
  await mkdir(join(folder, '.kvitt'));
  await writeFile(join(folder, '.kvitt/api-key'), service.api.key);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs them one after the other in one shell, and gives the output of each. */
async function typed(commands: readonly string[]): Promise<string[]> {
  const script = commands.map((command) => `${command}\necho; echo '${MARK}'`).join('\n');
  const file = join(folder, 'typed.sh');
  await writeFile(file, `${script.replaceAll(ADDRESS, service.api.address)}`);
  // Through a pipe, as the sockets of Node.js cannot be opened by the name of /dev/stderr.
  const { stdout } = await run('bash', ['-c', `bash ${file} 2>&1 | cat`], { cwd: folder });
  return stdout.split(MARK).slice(0, -1);
}

/** The last answer in some output of `curl -i`. */
function lastAnswer(output: string): { status: string; headers: string[]; body: string } {
  const answer = output.slice(output.lastIndexOf('HTTP/1.1'));
  const [head, body] = answer.split(/\r\n\r\n/, 2);
  const [status, ...headers] = head!.split('\r\n');
  return { status: status!, headers, body: body!.trim() };
}

function checkAnswer(output: string, shown: string): void {
  const { status, headers, body } = lastAnswer(output);
  const hasHead = shown.startsWith('HTTP');
  const [head, shownBody] = hasHead ? shown.split('\n\n') : ['', shown];
  const [shownStatus, ...shownHeaders] = head!.split('\n');
  if (hasHead) expect(status).toBe(shownStatus);
  for (const header of shownHeaders) expect(headers).toContainEqual(expect.stringMatching(patternOf(header)));
  expect(body).toMatch(patternOf(shownBody!.replace('… the same to the last byte', '…')));
}

describe('the README', () => {
  let examples: Example[];
  let outputs: string[];
  beforeAll(async () => {
    examples = await commandExamples();
    outputs = await typed(examples.map(({ command }) => command));
  });

  it('shows commands that do what they say', async () => {
    expect(examples.filter(({ answer }) => answer !== undefined)).toHaveLength(6);
    expect(outputs).toHaveLength(examples.length);
    examples.forEach(({ answer }, n) => {
      if (answer !== undefined) checkAnswer(outputs[n]!, answer);
    });
    const others = outputs.flatMap((output) => [...output.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status));
    expect(others.filter((status) => Number(status) >= 400)).toEqual(['422']);
  });

  it('says of the order what became of it', async () => {
    const id = /"id":"(pay_[0-9a-f-]+)"[^\n]*"status":"captured"/.exec(outputs.at(-2)!)?.[1];
    const { data } = await service.api.read<List<object>>(`/v1/payments/${id}/transactions`);
    expect(data).toHaveLength(3);
    expect(await service.api.read<Payment>(`/v1/payments/${id}`)).toMatchObject({
      status: 'captured',
      amount_held: '0',
      amount_captured: '600',
      amount_refunded: '100',
    });
  });

  it('shows what is proven of the books then', async () => {
    const { code, stdout } = await kvitt(['verify'], service.environment);
    expect(code).toBe(0);
    const shapeOf = (text: string) =>
      text
        .replace(/[0-9a-f]{16}…/g, '<hash>')
        .replace(/-?\d+(?:\.\d+)?/g, '0')
        .replace(/ +/g, ' ')
        .trim();
    expect(shapeOf(stdout)).toBe(shapeOf(await outputAfter('Ledger: verified')));
  });

  it('shows a program that has the right types, and prints what it says', async () => {
    const { text, prints } = await program();
    const client = "'./src/client/index.ts'";
    expect(text).toContain(client);
    const call = `received(Buffer.from(${JSON.stringify(EVENT)}), process.env.SIGNATURE);`;
    const own = text.replace(client, "'../../../src/client/index.ts'").replaceAll(ADDRESS, service.api.address);
    await writeFile(join(folder, 'example.mts'), `${own}\n${call}\n`);
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), include: ['example.mts'] }),
    );
    const compiled = run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]);
    expect(
      await compiled.then(
        () => '',
        ({ stdout }: { stdout: string }) => stdout,
      ),
    ).toBe('');
    const { stdout } = await run(process.execPath, ['--import', 'tsx', join(folder, 'example.mts')], {
      cwd: ROOT,
      env: {
        ...process.env,
        KVITT_API_KEY: service.api.key,
        WEBHOOK_SECRET: SECRET,
        SIGNATURE: sign(EVENT, [SECRET], Math.floor(Date.now() / 1000)),
      },
    });
    expect(stdout.trim().split('\n')).toEqual(prints);
    expect(prints).toHaveLength(17);
  });
});
