import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, readNodeeConfig } from '../../src/config.ts';

const TOKEN = 'x'.repeat(32);
const NEEDED = { ZOOKEEPER_CONNECT: '127.0.0.1:2181', NODEE_COORDINATE: 'nodee.ops.oslo', NODEE_TOKEN: TOKEN };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodee-settings-'));
});
afterAll(() => rm(folder, { recursive: true }));

function complaints(environment: Record<string, string>): string {
  try {
    readNodeeConfig(environment);
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
}

describe('settings of an agent', () => {
  it('have defaults, but for three that are asked for at once, each with how to come by it', () => {
    expect(readNodeeConfig(NEEDED)).toMatchObject({
      ...{ NODEE_DIR: '.kvitt/nodee', NODEE_HOST: '127.0.0.1', NODEE_PORT: 7070, NODEE_ALLOW_ROOT: 'false' },
      ...{ NODEE_PORTS: { from: 20_000, to: 29_999 }, NODEE_ARTIFACTS_KEEP: 3, NODEE_ARTIFACT_MIB_MAX: 1_024 },
    });
    const said = complaints({});
    for (const name of Object.keys(NEEDED)) expect(said).toContain(`${name} must be set`);
    expect(said).toContain('openssl rand -hex 32');
  });

  it.each([
    ['NODEE_COORDINATE', 'web.ops.oslo', 'nodee.user.cell'],
    ['NODEE_COORDINATE', '1.web.ops.oslo', 'nodee.user.cell'],
    ['NODEE_COORDINATE', 'nodee.ops', 'nodee.user.cell'],
    ['NODEE_COORDINATE', '-1.nodee.ops.oslo', 'nodee.user.cell'],
    ['NODEE_TOKEN', 'x'.repeat(31), '32 to 512'],
    ['NODEE_TOKEN', `${'x'.repeat(40)}\nX-More: 1`, '32 to 512'],
    ['NODEE_NAME', '../x', 'letters'],
    ['NODEE_PORTS', '30000-20000', 'the lower one first'],
    ['NODEE_PORTS', '0-65535', 'from 1'],
    ['NODEE_PORTS', '20000', 'two ports'],
    ['NODEE_MEMORY_RESERVE', '1.5GiB', 'number of bytes'],
    ['NODEE_MEMORY_RESERVE', '999999999999999GiB', 'too large'],
    ['NODEE_ALLOW_ROOT', 'yes', 'expected one of'],
    ['NODEE_PORT', '65536', 'from 0 to 65535'],
    ['ZOOKEEPER_CONNECT', ':', 'host:port'],
  ])('are refused when wrong: %s=%s', (name, value, rule) => {
    const said = complaints({ ...NEEDED, [name]: value });
    expect(said).toContain(`${name} `);
    expect(said).toContain(rule);
    if (name === 'NODEE_TOKEN') expect(said).not.toContain(value);
  });

  it('take amounts of memory in bytes and in units', () => {
    const reserve = (text: string) => readNodeeConfig({ ...NEEDED, NODEE_MEMORY_RESERVE: text }).NODEE_MEMORY_RESERVE;
    expect(['0', '1024', '256MiB', '2GiB'].map(reserve)).toEqual([0, 1_024, 2 ** 28, 2 ** 31]);
  });

  it('take the token from a file, but not from both', async () => {
    const file = join(folder, 'token');
    await writeFile(file, `${TOKEN}\n`);
    const { NODEE_TOKEN: _, ...others } = NEEDED;
    expect(readNodeeConfig({ ...others, NODEE_TOKEN_FILE: file }).NODEE_TOKEN).toBe(TOKEN);
    expect(complaints({ ...NEEDED, NODEE_TOKEN_FILE: file })).toContain('are both set');
  });

  it('are all in the documentation, and no others', async () => {
    const text = await readFile(new URL('../../docs/nodee.md', import.meta.url), 'utf8');
    const documented = new Set(text.match(/`NODEE_[A-Z_]+`/g)?.map((name) => name.slice(1, -1)));
    documented.delete('NODEE_TOKEN_FILE');
    const known = Object.keys(readNodeeConfig(allSet())).filter((name) => name.startsWith('NODEE_'));
    expect([...documented].sort()).toEqual(known.sort());
  });
});

function allSet(): Record<string, string> {
  const optional = { NODEE_NAME: 'a', NODEE_ADVERTISE_HOST: 'a', NODEE_TRUSTED_KEYS: 'a', NODEE_MEMORY_RESERVE: '1' };
  return { ...NEEDED, ...optional };
}
