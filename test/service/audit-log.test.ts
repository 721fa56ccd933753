import { userInfo } from 'node:os';
import { expect, it } from 'vitest';
import { MIGRATIONS } from '../../migrations/index.ts';
import { hashApiKey } from '../../src/http/auth.ts';
import { kvitt, useBuild } from './support/kvitt.ts';
import { useService } from './support/service.ts';

interface Entry {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly details: Record<string, unknown>;
}

useBuild();
const service = useService();
const run = (...args: string[]) => kvitt(args, service.environment);
const list = async (...args: string[]) => JSON.parse((await run('audit', 'list', '--json', ...args)).stdout) as Entry[];
const idOf = (key: string) => hashApiKey(key).slice(0, 16);

it('keeps what operators did: who, when, what, to what, and no secret', async () => {
  const key = (await run('keys', 'create', 'shop', '--scopes', 'accounts:read')).stdout.trim();
  expect((await run('keys', 'revoke', idOf(key), '--yes')).code).toBe(0);
  expect((await run('recover')).code).toBe(0);
  expect((await run('rebuild', '--yes')).code).toBe(0);
  // These do nothing, and leave no trace.
  expect((await run('keys', 'revoke', '00000000', '--yes')).code).toBe(2);
  expect((await run('migrate', 'up')).code).toBe(0);
  expect((await run('verify')).code).toBe(0);

  const entries = await list();
  expect(entries.map(({ action, target, details }) => [action, target, details])).toEqual([
    ['schema_migrated', 'schema', { applied: MIGRATIONS.map(({ name }) => name) }],
    ['key_created', `key ${idOf(service.api.key)}`, expect.objectContaining({ client: 'bootstrap' })],
    ['key_created', `key ${idOf(key)}`, { client: 'shop', scopes: ['accounts:read'], expires_at: null }],
    ['key_revoked', `key ${idOf(key)}`, {}],
    ['claims_recovered', 'pending claims', expect.objectContaining({ claims: 0, failed: 0 })],
    ['read_models_rebuilt', 'read models', { payments: 0, balances: 0 }],
  ]);
  for (const { id, at, actor } of entries) {
    expect(id).toMatch(/^aud_/);
    expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
    expect(actor).toMatch(new RegExp(`^${userInfo().username}@.`));
  }
  expect(JSON.stringify(entries)).not.toContain('kvitt_');
  expect((await list('--limit', '1')).map(({ action }) => action)).toEqual(['read_models_rebuilt']);
  expect((await run('audit', 'list')).stdout).toMatch(/key_revoked +key [0-9a-f]{16} /);
});

it('keeps what an operator did over HTTP', async () => {
  const answer = await service.api.send<{ id: string }>('POST', '/v1/reconciliations', {
    headers: { 'content-type': 'text/csv' },
    body: 'reference,amount,currency,date\nA,1.00,EUR,2026-01-31\n',
  });
  expect(answer.status).toBe(202);
  expect((await list('--limit', '1'))[0]).toMatchObject({
    actor: 'client bootstrap',
    action: 'reconciliation_started',
    target: `reconciliation ${answer.body.id}`,
    details: { key_id: idOf(service.api.key), request_id: answer.headers.get('x-request-id') },
  });
});

it('keeps a migration that an operator carried out', async () => {
  const environment = {
    ...service.environment,
    MONGODB_DATABASE: `${service.environment.MONGODB_DATABASE!.slice(0, 30)}_up`,
  };
  try {
    expect((await kvitt(['migrate', 'up'], environment)).code).toBe(0);
    const { stdout } = await kvitt(['audit', 'list', '--json'], environment);
    expect((JSON.parse(stdout) as Entry[]).map(({ action }) => action)).toEqual(['schema_migrated']);
  } finally {
    await service.db.client.db(environment.MONGODB_DATABASE).dropDatabase();
  }
});
