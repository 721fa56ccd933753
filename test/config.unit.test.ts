import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, environmentOf, printableConfig, readConfig } from '../src/config.ts';

const KEY = `kvitt_${'a'.repeat(43)}`;
const URI = 'mongodb://somebody:hunter2@127.0.0.1:27017/?replicaSet=rs';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvitt-config-'));
  await writeFile(join(folder, 'key'), `${KEY}\n`);
  await writeFile(join(folder, 'empty'), '\n');
});
afterAll(() => rm(folder, { recursive: true }));

/** What is said to be wrong, a line each. */
function complaints(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n').slice(1);
  }
}

it('has a default for everything, on the loopback interface', () => {
  expect(readConfig({})).toMatchObject({
    MONGODB_DATABASE: 'kvitt',
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 8080,
    BOOKS: 1,
    METRICS_OPEN: 'false',
  });
});

it('takes an empty variable for an unset one, and knows nothing of others', () => {
  expect(readConfig({ HTTP_PORT: '', MONGODB_URI: '', PATH: '/bin', HTTP_PROT: '1' })).toEqual(readConfig({}));
});

describe('a wrong setting is named: ', () => {
  it.each([
    ['HTTP_PORT', '65536', 'must be from 0 to 65535'],
    ['HTTP_PORT', '-1', 'must be a whole number'],
    ['HTTP_PORT', '80.5', 'must be a whole number'],
    ['HTTP_PORT', '1e3', 'must be a whole number'],
    ['BOOKS', '0', 'must be from 1 to 256'],
    ['BOOKS', '257', 'must be from 1 to 256'],
    ['ACCOUNTS_IN_MEMORY', '999', 'must be from 1000 to 10000000'],
    ['QUEUE_COMMANDS_MAX', '9', 'must be from 10 to 1000000'],
    ['QUEUE_MIB_MAX', '7', 'must be from 8 to 4096'],
    ['MONGODB_URI', 'postgres://x', 'must begin with mongodb://'],
    ['MONGODB_DATABASE', 'a.b', 'must be 1 to 38 letters'],
    ['MONGODB_DATABASE', 'x'.repeat(39), 'must be 1 to 38 letters'],
    ['BOOTSTRAP_API_KEY', 'secret', 'kvitt keys generate'],
    ['LOG_LEVEL', 'loud', 'expected one of'],
    ['SQS_ENDPOINT', 'localhost:9324', 'must be a URL that begins with http:// or https://'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', 'must be a URL that begins with http:// or https://'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user:hunter2@collector:4318', 'must hold no user or password'],
    ['SQS_WAIT_SECONDS', '21', 'must be from 0 to 20'],
    ['SQS_VISIBILITY_TIMEOUT_SECONDS', '1', 'must be from 2 to 43200'],
    ['SQS_CONCURRENCY', '65', 'must be from 1 to 64'],
    ['RECOVERY_AFTER_SECONDS', '51', 'must be from 1 to 50'],
    ['METRICS_OPEN', 'yes', 'expected one of'],
    ['SHUTDOWN_GRACE_MS', '99', 'must be from 100 to 600000'],
  ])('%s=%s', (name, value, rule) => {
    const [complaint, ...others] = complaints({ [name]: value });
    expect(complaint).toContain(`${name} `);
    expect(complaint).toContain(rule);
    expect(others).toEqual([]);
  });

  it('one queue without the other', () => {
    const url = 'http://127.0.0.1:9324/queue';
    const both = 'SQS_QUEUE_URL and SQS_DEAD_LETTER_QUEUE_URL must be set together';
    expect(complaints({ SQS_QUEUE_URL: url })).toEqual([expect.stringContaining(both)]);
    expect(complaints({ SQS_DEAD_LETTER_QUEUE_URL: url })).toEqual([expect.stringContaining(both)]);
    expect(complaints({ SQS_QUEUE_URL: url, SQS_DEAD_LETTER_QUEUE_URL: url })).toEqual([]);
  });

  it('all of them at once, whatever they are wrong in', () => {
    const wrong = {
      HTTP_PORT: 'x',
      BOOKS: '0',
      LOG_LEVEL: 'loud',
      SQS_QUEUE_URL: 'http://127.0.0.1/q',
      MONGODB_URI_FILE: join(folder, 'missing'),
    };
    const found = complaints(wrong).join('\n');
    for (const name of Object.keys(wrong)) expect(found).toContain(name);
    expect(complaints(wrong)).toHaveLength(5);
  });
});

describe('a secret', () => {
  it('is read from a file as well', () => {
    expect(readConfig({ BOOTSTRAP_API_KEY_FILE: join(folder, 'key') }).BOOTSTRAP_API_KEY).toBe(KEY);
  });

  it.each<[string, () => Record<string, string>]>([
    ['both set and in a file', () => ({ BOOTSTRAP_API_KEY: KEY, BOOTSTRAP_API_KEY_FILE: join(folder, 'key') })],
    ['in a file that is missing', () => ({ BOOTSTRAP_API_KEY_FILE: join(folder, 'missing') })],
    ['in an empty file', () => ({ BOOTSTRAP_API_KEY_FILE: join(folder, 'empty') })],
    ['in a folder', () => ({ BOOTSTRAP_API_KEY_FILE: folder })],
  ])('is refused %s', (_, environment) => {
    expect(complaints(environment())).toEqual([expect.stringContaining('BOOTSTRAP_API_KEY')]);
  });

  it('is never shown, neither printed nor in a complaint', () => {
    const printed = JSON.stringify(printableConfig(readConfig({ MONGODB_URI: URI, BOOTSTRAP_API_KEY: KEY })));
    expect(printed).toContain('"MONGODB_URI":"(hidden)"');
    const complained = complaints({ MONGODB_URI: 'hunter2', BOOTSTRAP_API_KEY: 'hunter2' }).join();
    for (const secret of ['hunter2', KEY]) expect(printed + complained).not.toContain(secret);
  });

  it('that is not set is printed as such', () => {
    expect(printableConfig(readConfig({}))).toMatchObject({ MONGODB_URI: null, HTTP_PORT: 8080 });
  });
});

it('a process that is started with the same settings reads the same', () => {
  const config = readConfig({ HTTP_PORT: '1', MONGODB_URI: 'mongodb://a', RECONCILIATION_SCHEDULE: '0 3 * * *' });
  const ambient = { PATH: '/bin', HTTP_PORT: '2', SQS_ENDPOINT: 'http://elsewhere', MONGODB_URI_FILE: '/secret' };
  const environment = environmentOf(config, ambient);
  expect(environment.PATH).toBe('/bin');
  expect(readConfig(environment)).toEqual(config);
});

it.each(['0 3 * *', 'noon', '61 * * * *'])('%j is no schedule', (expression) => {
  expect(() => readConfig({ RECONCILIATION_SCHEDULE: expression })).toThrow(/RECONCILIATION_SCHEDULE must be a cron/);
});
