import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../migrations/index.ts';
import { isApiKey } from '../../src/http/auth.ts';
import { MongoBalanceSnapshots } from '../../src/mongo/balance-snapshots.ts';
import { MongoClaims } from '../../src/mongo/claims.ts';
import { Api, type Balance, type Payment, type Problem } from './support/api.ts';
import { kvitt, useBuild } from './support/kvitt.ts';
import { listsCaughtUp, useService } from './support/service.ts';

useBuild();
/** Leaves to the command line what it could recover itself. */
const service = useService({ RECOVERY_AFTER_SECONDS: '50' });
let folder: string;
let paid: Payment;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvitt-cli-'));
  await service.api.createAccounts('world:EUR', 'alice', 'bob');
  paid = await service.api.pay('world:EUR', 'alice', 1_050, { reference: 'INV-1' });
  await listsCaughtUp(service.db);
  // Or the service takes in what a test makes of the journal for a moment.
  await new MongoBalanceSnapshots(service.db).advance(0);
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...args: string[]) => kvitt(args, service.environment);

describe('kvitt verify', () => {
  it('ends with 0 when nothing is broken, and says what it saw', async () => {
    const { code, stdout, stderr } = await run('verify', '--json');
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      accounts: 3,
      claims: 1,
      breaks: [],
      books: [{ entries: 1, postings: 2, hash: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      trial_balance: [{ currency: 'EUR', debit: '-1050', credit: '1050', sum: '0' }],
    });
  });

  it('goes on from where it was verified before, and says from where', async () => {
    await service.db.collection('verifications').deleteMany({});
    const first = await run('verify', '--incremental', '--json');
    expect(first.code).toBe(0);
    expect(first.stderr).toContain('No verification is remembered');
    const whole = JSON.parse(first.stdout);
    expect(whole).toMatchObject({ mode: 'full', since: null, ok: true });
    const [{ height, hash }] = whole.books;
    const next = await run('verify', '--incremental', '--json');
    expect([next.code, next.stderr]).toEqual([0, '']);
    expect(JSON.parse(next.stdout)).toMatchObject({
      mode: 'incremental',
      since: expect.stringMatching(/^\d{4}-/),
      trial_balance: null,
      books: [{ above: height, blocks: 0, entries: 0, height, hash }],
    });
    const text = await run('verify', '--incremental');
    expect(text.stdout).toMatch(/^Ledger: verified since \d{4}-\S+Z, nothing broken\n/);
    expect(text.stdout).toMatch(new RegExp(`^book +above .*\n +0 +${height} +0 `, 'm'));
  });

  it('ends with 1 when something is, and names it', async () => {
    const block = { _id: { book: 0, height: BigInt(paid.height) } as never };
    const change = (posted: bigint) =>
      service.db.collection('journal').updateOne(block, { $set: { 'entries.0.postings.1.posted': posted } });
    await change(2_050n);
    const { code, stdout } = await run('verify');
    await change(1_050n);
    expect(code).toBe(1);
    expect(stdout).toContain('hash_mismatch');
    expect(stdout).toMatch(new RegExp(`wrong_running_balance +0 +${paid.height} .*account alice .*posted 1050`));
  });
});

describe('kvitt reconcile', () => {
  const csv = (amount: string, reference = 'INV-1') =>
    `reference,amount,currency,date\n${reference},${amount},EUR,${paid.created_at.slice(0, 10)}\n`;

  it('ends with 0 when the statement agrees, and keeps nothing of a dry run', async () => {
    const args = ['reconcile', '-', '--json', '--dry-run', '--account', 'alice'];
    const { code, stdout } = await kvitt(args, service.environment, csv('10.50'));
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { report: { ok: true, dry_run: true }, items: [] }]);
    expect(await service.db.collection('reconciliations').countDocuments()).toBe(0);
  });

  it('ends with 1 when it differs, shows how, and writes the report', async () => {
    const file = join(folder, 'differs.csv');
    await writeFile(file, csv('10.49'));
    const report = join(folder, 'differs.html');
    const { code, stdout } = await run('reconcile', file, '--account', 'alice', '--report', report);
    expect(code).toBe(1);
    expect(stdout).toContain('NOT reconciled');
    expect(stdout).toMatch(/amount_differs +INV-1 .*10\.49 EUR.*10\.50 EUR/);
    expect(await readFile(report, 'utf8')).toContain('<svg');
    const again = await run('reconcile', file, '--account', 'alice');
    expect([again.code, again.stdout.split('\n').at(-2)]).toEqual([1, stdout.split('\n').at(-2)]);
  });

  it('lists what was reconciled, and what is to be worked on', async () => {
    const listed = JSON.parse((await run('reconciliations', 'list', '--json')).stdout) as { id: string }[];
    expect(listed).toMatchObject([{ source: 'default', ok: false, file: { name: 'differs.csv' } }]);
    const { stdout: table } = await run('reconciliations', 'report', listed[0]!.id, '--format', 'csv');
    expect(table).toContain('amount_differs');
    const [differs] = JSON.parse((await run('breaks', 'list', '--json')).stdout) as { id: string; cause: string }[];
    expect(differs).toMatchObject({ cause: 'amount_differs', status: 'open' });
    expect((await run('breaks', 'assign', differs!.id, 'kari')).stdout).toMatch(/assignee +kari/);
    expect((await run('breaks', 'comment', differs!.id, 'asked the bank')).stdout).toContain('asked the bank');
    const postings = [
      { account: 'world:EUR', amount: 1, currency: 'EUR' },
      { account: 'alice', amount: -1, currency: 'EUR' },
    ];
    const file = join(folder, 'adjust.json');
    await writeFile(file, JSON.stringify({ postings }));
    const before = Number(await service.api.posted('alice'));
    const args = ['breaks', 'resolve', differs!.id, '--reason', 'rounded by the bank', '--transaction', file];
    expect((await run(...args)).stdout).toMatch(/status +resolved/);
    expect(await run(...args)).toMatchObject({ code: 0 });
    expect(Number(await service.api.posted('alice')) - before).toBe(-1);
    const audited = JSON.parse((await run('audit', 'list', '--json')).stdout) as { action: string }[];
    expect(audited.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['reconciliation_started', 'break_assigned', 'break_commented', 'break_resolved']),
    );
  });

  it('ends with 2 when there is nothing to compare', async () => {
    const file = join(folder, 'broken.csv');
    await writeFile(file, csv('10.5x'));
    const broken = await run('reconcile', file);
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringContaining('line 2')]);
    const missing = await run('reconcile', join(folder, 'missing.csv'));
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('missing.csv')]);
    const nowhere = await run('reconcile', file, '--source', 'nowhere');
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('nowhere')]);
  });
});

describe('kvitt keys', () => {
  const ask = (key: string) => new Api(service.api.address, key).get<Problem>('/v1/accounts');

  it('makes keys that open what their scopes say, shows them once, and revokes them', async () => {
    const made = await run('keys', 'create', 'shop', '--scopes', 'accounts:read', '--expires-days', '2', '--json');
    const { key, ...rest } = JSON.parse(made.stdout) as { key: string; expires_at: string };
    expect(isApiKey(key)).toBe(true);
    expect(rest).toMatchObject({ client: 'shop', scopes: ['accounts:read'] });
    expect((await ask(key)).status).toBe(200);
    const payment = { source: 'world:EUR', destination: 'alice', amount: 1, currency: 'EUR' };
    const refused = await new Api(service.api.address, key).post<Problem>('/v1/payments', payment);
    expect(refused).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });

    const second = (await run('keys', 'create', 'till')).stdout.trim();
    const { stdout: listed } = await run('keys', 'list');
    expect(listed).not.toContain('kvitt_');
    const id = /^([0-9a-f]{16}) +till .* never$/m.exec(listed)?.[1];
    expect(id).toBeDefined();
    const careless = await run('keys', 'revoke', id!);
    expect([careless.code, careless.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    expect(await run('keys', 'revoke', id!, '--yes')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await ask(second)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  });

  it.each([
    ['the name of the consumer', ['create', 'sqs'], 'none of sqs'],
    ['a key that there is not', ['revoke', '00000000', '--yes'], 'kvitt keys list'],
  ])('refuses %s', async (_, args, why) => {
    const { code, stderr } = await run('keys', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
  });
});

describe('kvitt', () => {
  it('migrate shows what is not applied yet and applies nothing until it is told to', async () => {
    const environment = {
      ...service.environment,
      MONGODB_DATABASE: `${service.environment.MONGODB_DATABASE!.slice(0, 30)}_fresh`,
    };
    const db = service.db.client.db(environment.MONGODB_DATABASE);
    try {
      const names = MIGRATIONS.map(({ name }) => name);
      const before = await kvitt(['migrate', 'status', '--json'], environment);
      expect(JSON.parse(before.stdout)).toEqual(names.map((name) => ({ name, applied_at: null })));
      expect((await db.listCollections().toArray()).map(({ name }) => name)).not.toContain('journal');
      const up = await kvitt(['migrate', 'up'], environment);
      expect(up.code).toBe(0);
      const applied = names.map((name) => ({ name, applied_at: expect.stringMatching(/^20/) }));
      const after = await kvitt(['migrate', 'status', '--json'], environment);
      expect(JSON.parse(after.stdout)).toEqual(applied);
    } finally {
      await db.dropDatabase();
    }
  });

  it('recover finishes what a process left behind', async () => {
    const id = `txn_${uuidv7()}`;
    const legs = [
      { account: 'world:EUR', amount: -5n, currency: 'EUR' },
      { account: 'bob', amount: 5n, currency: 'EUR' },
    ];
    const command = { id, key: 'gone/1', fingerprint: 'f', kind: 'payment', legs, details: {} } as const;
    const claim = {
      id: 'left-behind',
      owner: 'gone',
      at: Date.now() - 5_000,
      state: 'pending',
      commands: [command],
    } as const;
    expect(await new MongoClaims(service.db).insert(claim)).toBe('inserted');
    const first = await run('recover', '--older-than-seconds', '2', '--json');
    expect([first.code, JSON.parse(first.stdout)]).toMatchObject([
      0,
      { claims: 1, driven_on: 1, finished: 1, failed: 0 },
    ]);
    expect(await service.api.read<Balance>('/v1/accounts/bob/balance')).toMatchObject({ posted: '5' });
  });

  it('rebuild makes anew what is written behind the journal, while the service follows the journal too', async () => {
    const payments = service.db.collection<{ _id: string; height: number }>('payments');
    const accounts = service.db.collection<{ _id: string }>('accounts');
    await listsCaughtUp(service.db);
    await new MongoBalanceSnapshots(service.db).advance(0);
    const all = async () => ({
      payments: await payments.find().sort({ _id: 1 }).toArray(),
      accounts: await accounts.find().sort({ _id: 1 }).toArray(),
    });
    const before = await all();
    await payments.updateMany({}, { $inc: { amount: 1n } });
    await payments.insertOne({ _id: 'pay_invented', height: 1 });
    await accounts.updateMany({ balance: { $exists: true } }, { $inc: { 'balance.posted': 1n } });
    expect((await run('verify')).code).toBe(1);
    const refused = await run('rebuild');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    const { code, stdout } = await run('rebuild', '--yes', '--json');
    const balances = before.accounts.filter((account) => 'balance' in account).length;
    expect(balances).toBeGreaterThan(1);
    expect([code, JSON.parse(stdout)]).toEqual([0, { payments: before.payments.length, balances }]);
    expect(await all()).toEqual(before);
    expect((await run('verify')).code).toBe(0);
  });

  it('config print hides the secrets', async () => {
    const { code, stdout } = await run('config', 'print');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^MONGODB_URI +\(hidden\)$/m);
    expect(stdout).toMatch(/^BOOTSTRAP_API_KEY +\(hidden\)$/m);
    expect(stdout).toMatch(/^SQS_QUEUE_URL +\(unset\)$/m);
    expect(stdout).not.toContain(service.environment.BOOTSTRAP_API_KEY);
  });

  it('config print names every wrong setting at once and ends with 2', async () => {
    const wrong = { HTTP_PORT: '80.5', BOOKS: '0', SQS_QUEUE_URL: 'queue' };
    const { code, stdout, stderr } = await kvitt(['config', 'print'], wrong);
    expect([code, stdout]).toEqual([2, '']);
    for (const name of Object.keys(wrong)) expect(stderr).toContain(`- ${name} `);
  });

  it('ends with 2 when it is not used as its help says', async () => {
    const calls = [['--help'], ['verify', '--jsno'], ['verfiy'], ['reconcile', '--window-days', 'x']];
    const ended = await Promise.all(calls.map((args) => kvitt(args, {})));
    expect(ended.map(({ code }) => code)).toEqual([0, 2, 2, 2]);
    expect(ended[1]!.stderr).toContain('--json');
  });

  it('serve ends with 2 and says why when its port is taken', async () => {
    const { port } = new URL(service.api.address);
    const { code, stderr } = await kvitt(['serve'], { ...service.environment, HTTP_PORT: port });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/kvitt: .*EADDRINUSE/)]);
  });

  it('consume ends with 2 when there is no queue', async () => {
    const { code, stderr } = await run('consume');
    expect([code, stderr]).toEqual([2, expect.stringContaining('SQS_QUEUE_URL')]);
  });
});
