import { beforeEach, describe, expect, it } from 'vitest';
import { concerned } from '../../src/ledger/concerned.ts';
import { Engine, type EngineDeps } from '../../src/ledger/engine.ts';
import type { AppendResult, EngineObserver, Log } from '../../src/ledger/ports.ts';
import { systemRuntime } from '../../src/ledger/runtime.ts';
import { anAccount, aPayment } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

let store: MemoryStore;
let warned: { fields: Record<string, unknown>; message: string }[];
beforeEach(() => {
  warned = [];
  store = new MemoryStore(systemRuntime);
  for (const id of ['world', 'a']) store.accounts.set(id, anAccount(id, { minBalance: null }));
});

const log: Log = {
  ...quietLog,
  warn: (fields, message) => warned.push({ fields: fields as Record<string, unknown>, message }),
  error: (fields, message) => warned.push({ fields: fields as Record<string, unknown>, message }),
};

function engineWith(deps: Partial<EngineDeps> = {}): Engine {
  const [journal, claims, accounts] = [store.journal(), store.claimsPort(), store.accountsPort()];
  return new Engine({ journal, claims, accounts, log, ...deps });
}

const asked = (requestId: string) => aPayment('world', 'a', 1n, { requestId });

/** The fields of the only warning whose text holds this. */
function warning(text: string): Record<string, unknown> {
  const found = warned.filter(({ message }) => message.includes(text));
  expect(found).toHaveLength(1);
  return found[0]!.fields;
}

describe('a warning of the engine names the requests that it is about', () => {
  it('when their accounts cannot be read', async () => {
    const accounts = { ...store.accountsPort(), load: () => Promise.reject(new Error('planted')) };
    const engine = engineWith({ accounts });
    await Promise.allSettled([engine.submit(asked('req_1')), engine.submit(asked('req_2'))]);
    await engine.stop();
    expect(warning('accounts cannot be read')).toMatchObject({ commands: 2, request_ids: ['req_1', 'req_2'] });
  });

  it('when the outcome of their append is unknown, and when their round fails', async () => {
    const journal = store.journal();
    const plan: ('unknown' | 'throws')[] = ['unknown', 'throws'];
    const append: typeof journal.append = (blocks) => {
      const isOfEntries = blocks[0]!.block.kind === 'entries';
      const next = isOfEntries ? plan.shift() : undefined;
      if (next === 'throws') return Promise.reject(new Error('planted'));
      const lost: AppendResult = { landed: 0, ended: 'unknown', cause: new Error('planted') };
      return next === 'unknown' ? Promise.resolve(lost) : journal.append(blocks);
    };
    const engine = engineWith({ journal: { ...journal, append } });
    await engine.submit(asked('req_3'));
    await engine.stop();
    expect(warning('the outcome of an append is unknown')).toMatchObject({ commands: 1, request_ids: ['req_3'] });
    expect(warning('a round failed')).toMatchObject({ commands: 1, request_ids: ['req_3'] });
  });

  it('once each, and the first of them only', () => {
    const commands = Array.from({ length: 100 }, (_, n) => asked(`req_${n >> 1}`));
    const { request_ids, ...rest } = concerned([aPayment('world', 'a', 1n), ...commands]);
    expect(rest).toEqual({ commands: 101 });
    expect(request_ids).toEqual(Array.from({ length: 20 }, (_, n) => `req_${n}`));
  });
});

it('an observer that throws is logged, and disturbs neither the engine nor other observers', async () => {
  const seen: string[] = [];
  const broken = (): never => {
    throw new Error('planted');
  };
  const good: EngineObserver = {
    claimed: (commands, result) => seen.push(`${commands.length} ${result}`),
    appended: (blocks, { ended }) => seen.push(`${blocks.length} ${ended}`),
  };
  const engine = engineWith({ observers: [{ claimed: broken, appended: broken }, good] });
  expect((await engine.submit(asked('req_4'))).entry.kind).toBe('payment');
  await engine.stop();
  expect(seen).toEqual(['1 inserted', '1 done']);
  expect(warned.map(({ message }) => message)).toEqual(Array(2).fill('an observer of the engine failed'));
});
