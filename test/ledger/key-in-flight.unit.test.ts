import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/ledger/engine.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

function anEngine(): Engine {
  const store = new MemoryStore();
  store.accounts.set('world', anAccount('world', { minBalance: null }));
  store.accounts.set('a', anAccount('a'));
  return new Engine({ journal: store.journal(), claims: store.claimsPort(), accounts: store, log: quietLog });
}

describe('a command whose key another one has that is in flight', () => {
  // Found by test/faults: it was refused for good, though the other never used the key up. An event with that key became
  // a dead letter, and might have happened nevertheless.
  it('is carried out when the other one is refused', async () => {
    const engine = anEngine();
    const [refused, right] = await Promise.allSettled([
      engine.submit(aPayment('world', 'nobody', 1n, { key: 'sqs/one' })),
      engine.submit(aPayment('world', 'a', 2n, { key: 'sqs/one' })),
    ]);
    expect(refused).toMatchObject({ reason: { code: 'account_not_found' } });
    expect(right).toMatchObject({ status: 'fulfilled', value: { replayed: false, entry: { kind: 'payment' } } });
  });

  it('is refused for good once the other one stands, each of many', async () => {
    const engine = anEngine();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => engine.submit(aPayment('world', 'a', BigInt(n + 1), { key: 'sqs/one' }))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(codes).toEqual(Array(19).fill('idempotency_key_reused'));
  });

  it('is carried out, or told to come again, when it is one of many that differ and the first is refused', async () => {
    const engine = anEngine();
    const many = [aPayment('world', 'nobody', 1n, { key: 'sqs/one' })];
    for (let n = 1; n <= 30; n++) many.push(aPayment('world', 'a', BigInt(n), { key: 'sqs/one' }));
    const [first, ...others] = await engine.submitMany(many);
    expect(first).toMatchObject({ reason: { code: 'account_not_found' } });
    expect(others.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = new Set(others.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : [])));
    expect([...codes]).toEqual(['idempotency_key_in_progress']);
  });

  it('is told to come again when it is not known what became of the other one', async () => {
    const store = new MemoryStore();
    store.accounts.set('world', anAccount('world', { minBalance: null }));
    store.accounts.set('a', anAccount('a'));
    const claims = { ...store.claimsPort(), insert: () => new Promise<never>(() => {}) };
    const engine = new Engine({ journal: store.journal(), claims, accounts: store, log: quietLog });
    const results = Promise.allSettled([
      engine.submit(aPayment('world', 'a', 1n, { key: 'sqs/one' })),
      engine.submit(aPayment('world', 'a', 2n, { key: 'sqs/one' })),
    ]);
    void engine.stop(0);
    const codes = (await results).map((result) => result.status === 'rejected' && result.reason.code);
    expect(codes).toEqual(['outcome_unknown', 'idempotency_key_in_progress']);
  });
});
