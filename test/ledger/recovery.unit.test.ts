import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/ledger/engine.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

describe('recovery', () => {
  it('finishes any number of claims, a few at a time, also behind one that cannot be finished', async () => {
    const store = new MemoryStore();
    store.accounts.set('world', anAccount('world', { minBalance: null }));
    store.accounts.set('a', anAccount('a'));
    const port = store.claimsPort();
    const asked: number[] = [];
    const pending = (before: number, limit: number) => {
      asked.push(limit);
      return port.pending(before, limit);
    };
    const claims = Array.from({ length: 90 }, (_, i) => aPayment('world', i === 0 ? 'nobody' : 'a', 1n));
    for (const command of claims) {
      const at = Date.now() - 1000;
      await port.insert({ id: `claim-${command.id}`, owner: 'gone', at, state: 'pending', commands: [command] });
    }
    const engine = new Engine({
      journal: store.journal(),
      claims: { ...port, pending },
      accounts: store,
      log: quietLog,
    });
    expect(await engine.recover(0)).toMatchObject({ claims: 90, drivenOn: 89, finished: 89, failed: 1 });
    expect(Math.max(...asked)).toBeLessThanOrEqual(21);
  });
});
