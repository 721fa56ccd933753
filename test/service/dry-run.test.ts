import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Balance, Payment } from './support/api.ts';
import { createAccountsInBook } from './support/api.ts';
import { useService } from './support/service.ts';

const service = useService({ BOOKS: '2' });
let alice: string;
let bob: string;

beforeAll(async () => {
  const { api } = service;
  await api.post('/v1/accounts', { id: 'world:EUR', currency: 'EUR' });
  [alice] = (await createAccountsInBook(api, 0, 'alice', 1)) as [string];
  [bob] = (await createAccountsInBook(api, 1, 'bob', 1)) as [string];
  await api.pay('world:EUR', alice, 100);
});

type Told = Payment & { code?: string };
const stored = async () => {
  const [blocks, claims] = await Promise.all(
    ['journal', 'idempotency'].map((name) => service.db.collection(name).countDocuments()),
  );
  return { blocks, claims };
};
const fields = (amount: number, more: object = {}) => ({
  source: alice,
  destination: bob,
  amount,
  currency: 'EUR',
  ...more,
});
const balance = async () => (await service.api.read<Balance>(`/v1/accounts/${alice}/balance`)).available;

describe('a dry run', () => {
  it.each<[string, () => object, string]>([
    ['a payment', () => fields(60), 'posted'],
    ['a payment of more than there is', () => fields(101), 'insufficient_funds'],
    ['a payment that is captured later', () => fields(60, { capture: 'manual' }), 'authorized'],
    ['a payment to nobody', () => fields(1, { destination: 'nobody' }), 'account_not_found'],
  ])('of %s tells its outcome, and writes nothing', async (_, request, outcome) => {
    const before = await stored();
    const { status, headers, body: told } = await service.api.post<Told>('/v1/payments?dry_run=true', request());
    expect(told.code ?? told.status).toBe(outcome);
    expect(status).toBe(told.code ? 422 : 200);
    expect(headers.get('dry-run')).toBe('true');
    expect(await stored()).toEqual(before);
    expect(await balance()).toBe('100');
  });

  it('leaves its key to be used, and tells of a key that was used what became of it', async () => {
    const key = randomUUID();
    await service.api.post('/v1/payments?dry_run=true', fields(1), key);
    const { status, body: made } = await service.api.post<Told>('/v1/payments', fields(1), key);
    expect(status).toBe(201);
    const again = await service.api.post<Told>('/v1/payments?dry_run=true', fields(1), key);
    expect([again.headers.get('idempotent-replayed'), again.body]).toEqual(['true', made]);
    const other = await service.api.post<Told>('/v1/payments?dry_run=true', fields(2), key);
    expect(other.body.code).toBe('idempotency_key_reused');
    await service.api.post(`/v1/payments/${made.id}/refund`, {});
  });

  it('of a capture, a refund and a change tells what the book would decide', async () => {
    const { body: payment } = await service.api.post<Told>('/v1/payments', fields(50, { capture: 'manual' }));
    const dry = async (what: string, amount?: number) => {
      const path = `/v1/payments/${payment.id}/${what}?dry_run=true`;
      const { body } = await service.api.post<Told>(path, amount === undefined ? {} : { amount });
      return body.code ?? `${body.status} ${body.amount_held} ${body.amount_captured}`;
    };
    const before = await stored();
    expect(await dry('capture', 20)).toBe('authorized 30 20');
    expect(await dry('capture', 51)).toBe('capture_exceeds_held');
    expect(await dry('cancel')).toBe('canceled 0 0');
    expect(await dry('refund', 1)).toBe('refund_exceeds_captured');
    const frozen = await service.api.post<Told>(`/v1/accounts/${alice}/freeze?dry_run=true`, {});
    expect(frozen.body.status).toBe('frozen');
    const closed = await service.api.post<Told>(`/v1/accounts/${alice}/close?dry_run=true`, {});
    expect(closed.body.code).toBe('account_not_empty');
    expect(await stored()).toEqual(before);
    expect((await service.api.read<Payment>(`/v1/payments/${payment.id}`)).status).toBe('authorized');
  });
});
