import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/ledger/engine.ts';
import type { Account, Command, Outcome } from '../../src/ledger/types.ts';
import { aChange, aHold, anAccount, aPayment, following } from '../support/commands.ts';
import { quietLog } from '../support/log.ts';
import { MemoryStore } from '../support/memory-store.ts';

const BOOKS = [['one book', 0] as const, ['two books', 1] as const];
const CALLERS = 50;

interface World {
  readonly store: MemoryStore;
  readonly engine: Engine;
  /** What became of a command: its kind, or why it was rejected. */
  submit(command: Command): Promise<string>;
  /** `posted/held` of an account. */
  holds(account: string): string;
}

/** `a` has 100, `b` nothing; `b` is in the book given, all else in book 0. */
async function aWorld(bookOfB = 0, more: readonly Account[] = []): Promise<World> {
  const store = new MemoryStore();
  const accounts = [
    anAccount('world', { minBalance: null }),
    anAccount('a'),
    anAccount('b', { book: bookOfB }),
    ...more,
  ];
  for (const account of accounts) store.accounts.set(account.id, account);
  const engine = new Engine({ ...portsOf(store), log: quietLog });
  const submit = async (command: Command) => outcomeOf(await engine.submit(command));
  await submit(aPayment('world', 'a', 100n));
  const holds = (account: string) => {
    const { posted, held } = store.balances([account]).get(account) ?? { posted: 0n, held: 0n };
    return `${posted}/${held}`;
  };
  return { store, engine, submit, holds };
}

function portsOf(store: MemoryStore) {
  return { journal: store.journal(), claims: store.claimsPort(), accounts: store.accountsPort() };
}

function outcomeOf({ entry }: Outcome): string {
  return entry.rejection?.reason ?? entry.kind;
}

function counted(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

describe.each(BOOKS)('a payment that is captured later, over %s', (_, book) => {
  it('holds its amount first, and moves it when it is captured', async () => {
    const { submit, holds } = await aWorld(book);
    const hold = aHold('a', 'b', 60n);
    expect(await submit(hold)).toBe('payment');
    expect([holds('a'), holds('b')]).toEqual(['100/60', '0/0']);
    expect(await submit(aPayment('a', 'b', 41n))).toBe('insufficient_funds');
    expect(await submit(following('capture', hold, 60n))).toBe('capture');
    expect([holds('a'), holds('b')]).toEqual(['40/0', '60/0']);
    expect(await submit(following('capture', hold, 1n))).toBe('nothing_held');
  });

  it('is captured in parts, up to its amount and never beyond', async () => {
    const { submit, holds } = await aWorld(book);
    const hold = aHold('a', 'b', 60n);
    await submit(hold);
    expect(await submit(following('capture', hold, 20n))).toBe('capture');
    expect([holds('a'), holds('b')]).toEqual(['80/40', '20/0']);
    expect(await submit(following('capture', hold, 41n))).toBe('capture_exceeds_held');
    expect(await submit(following('capture', hold, 10n, { isLast: true }))).toBe('capture');
    expect([holds('a'), holds('b')]).toEqual(['70/0', '30/0']);
    expect(await submit(following('capture', hold, 1n))).toBe('nothing_held');
  });

  it('gives everything back when it is canceled, once', async () => {
    const { submit, holds } = await aWorld(book);
    const hold = aHold('a', 'b', 60n);
    await submit(hold);
    await submit(following('capture', hold, 20n));
    expect(await submit(following('cancel', hold))).toBe('cancel');
    expect([holds('a'), holds('b')]).toEqual(['80/0', '20/0']);
    expect(await submit(following('cancel', hold))).toBe('nothing_held');
    expect(await submit(following('capture', hold, 1n))).toBe('nothing_held');
  });

  it('cannot be captured from its expiry on, before anything released it, and is released only then', async () => {
    const { submit, holds } = await aWorld(book);
    const late = aHold('a', 'b', 10n, { hold: { expiresAt: Date.now() } });
    const early = aHold('a', 'b', 20n, { hold: { expiresAt: Date.now() + 60_000 } });
    await submit(late);
    await submit(early);
    expect(await submit(following('capture', late, 1n))).toBe('authorization_expired');
    expect(await submit(following('expiry', early))).toBe('not_expired');
    expect(await submit(following('expiry', late))).toBe('expiry');
    expect(await submit(following('expiry', late))).toBe('nothing_held');
    expect(holds('a')).toBe('100/20');
  });

  it('is refunded up to what was captured, in parts', async () => {
    const { submit, holds } = await aWorld(book);
    const hold = aHold('a', 'b', 60n);
    await submit(hold);
    expect(await submit(following('refund', hold, 1n))).toBe('refund_exceeds_captured');
    await submit(following('capture', hold, 30n));
    expect(await submit(following('refund', hold, 10n))).toBe('refund');
    expect(await submit(following('refund', hold, 21n))).toBe('refund_exceeds_captured');
    expect(await submit(following('refund', hold, 20n))).toBe('refund');
    expect(await submit(following('refund', hold, 1n))).toBe('refund_exceeds_captured');
    expect([holds('a'), holds('b')]).toEqual(['100/30', '0/0']);
  });

  it.each(['capture', 'cancel', 'refund'] as const)('has one effect, whoever races to %s it', async (kind) => {
    const { submit, holds } = await aWorld(book);
    const payment = kind === 'refund' ? aPayment('a', 'b', 60n) : aHold('a', 'b', 60n);
    await submit(payment);
    const racing = Array.from({ length: CALLERS }, () =>
      submit(following(kind, payment, kind === 'cancel' ? 0n : 60n)),
    );
    const refused = kind === 'refund' ? 'refund_exceeds_captured' : 'nothing_held';
    expect(counted(await Promise.all(racing))).toEqual({ [kind]: 1, [refused]: CALLERS - 1 });
    expect([holds('a'), holds('b')]).toEqual(kind === 'capture' ? ['40/0', '60/0'] : ['100/0', '0/0']);
  });

  it('goes to whoever is first when captures, cancels and refunds of two engines race', async () => {
    const world = await aWorld(book);
    const other = new Engine({ ...portsOf(world.store), log: quietLog });
    const hold = aHold('a', 'b', 60n);
    await world.submit(hold);
    const racing = Array.from({ length: CALLERS }, async (_unused, n) => {
      const kind = (['capture', 'cancel', 'refund'] as const)[n % 3]!;
      const command = following(kind, hold, kind === 'cancel' ? 0n : BigInt(1 + (n % 7)));
      const outcome = await (n % 2 === 0 ? world.engine : other).submit(command);
      return { kind, amount: command.follows!.amount, outcome: outcomeOf(outcome) };
    });
    const settled = (await Promise.all(racing)).filter(({ kind, outcome }) => kind === outcome);
    const sum = (of: string) => settled.reduce((all, { kind, amount }) => (kind === of ? all + amount : all), 0n);
    expect(settled.filter(({ kind }) => kind === 'cancel')).toHaveLength(1);
    expect(sum('refund') <= sum('capture') && sum('capture') <= 60n).toBe(true);
    const paid = sum('capture') - sum('refund');
    expect([world.holds('a'), world.holds('b')]).toEqual([`${100n - paid}/0`, `${paid}/0`]);
  });
});

describe.each(BOOKS)('a refund or a reversal, over %s', (_, book) => {
  it('moves nothing and can be tried again when the destination has not enough', async () => {
    const { submit, holds } = await aWorld(book);
    const payment = aPayment('a', 'b', 60n);
    await submit(payment);
    await submit(aPayment('b', 'world', 50n));
    expect(await submit(following('refund', payment, 60n))).toBe('insufficient_funds');
    expect([holds('a'), holds('b')]).toEqual(['40/0', '10/0']);
    await submit(aPayment('world', 'b', 50n));
    expect(await submit(following('refund', payment, 60n))).toBe('refund');
    expect([holds('a'), holds('b')]).toEqual(['100/0', '0/0']);
  });

  it('takes a transaction back once', async () => {
    const { submit, holds } = await aWorld(book);
    const transaction = aPayment('a', 'b', 60n, { kind: 'transaction' });
    await submit(transaction);
    const racing = Array.from({ length: CALLERS }, () => submit(following('reversal', transaction)));
    expect(counted(await Promise.all(racing))).toEqual({ reversal: 1, already_reversed: CALLERS - 1 });
    expect([holds('a'), holds('b')]).toEqual(['100/0', '0/0']);
  });

  it('is known again after a restart, with little in memory', async () => {
    const { store, engine, submit } = await aWorld(book);
    const payment = aPayment('a', 'b', 60n);
    await submit(payment);
    await submit(following('refund', payment, 50n));
    await engine.stop();
    const next = new Engine({ ...portsOf(store), log: quietLog });
    expect(outcomeOf(await next.submit(following('refund', payment, 11n)))).toBe('refund_exceeds_captured');
    expect(outcomeOf(await next.submit(following('refund', payment, 10n)))).toBe('refund');
  });
});

describe('an account', () => {
  it('that is frozen gives nothing and holds nothing more, and still receives', async () => {
    const { submit, holds } = await aWorld();
    const hold = aHold('a', 'b', 10n);
    await submit(hold);
    expect(await submit(aChange({ account: 'a', status: 'frozen' }))).toBe('account_change');
    expect(await submit(aPayment('a', 'b', 1n))).toBe('account_frozen');
    expect(await submit(aHold('a', 'b', 1n))).toBe('account_frozen');
    expect(await submit(following('capture', hold, 10n))).toBe('account_frozen');
    expect(await submit(aPayment('world', 'a', 1n))).toBe('payment');
    expect(await submit(following('cancel', hold))).toBe('cancel');
    expect(await submit(aChange({ account: 'a', status: 'open' }))).toBe('account_change');
    expect(await submit(aPayment('a', 'b', 1n))).toBe('payment');
    expect(holds('a')).toBe('100/0');
  });

  it('is closed when it is empty, for ever', async () => {
    const { submit } = await aWorld();
    expect(await submit(aChange({ account: 'a', status: 'closed' }))).toBe('account_not_empty');
    await submit(aPayment('a', 'world', 100n));
    expect(await submit(aChange({ account: 'a', status: 'closed' }))).toBe('account_change');
    expect(await submit(aPayment('world', 'a', 1n))).toBe('account_closed');
    expect(await submit(aHold('world', 'a', 1n))).toBe('account_closed');
    expect(await submit(aChange({ account: 'a', status: 'open' }))).toBe('account_closed');
    expect(await submit(aChange({ account: 'a', status: 'closed' }))).toBe('account_change');
  });

  it('is not closed while something is held on it', async () => {
    const { submit } = await aWorld(0, [anAccount('credit', { minBalance: -50n })]);
    const hold = aHold('credit', 'b', 10n);
    await submit(hold);
    expect(await submit(aChange({ account: 'credit', status: 'closed' }))).toBe('account_not_empty');
    await submit(following('cancel', hold));
    expect(await submit(aChange({ account: 'credit', status: 'closed' }))).toBe('account_change');
  });

  it('that is closed in another book is paid nothing where that is known, and its money waits in suspense where not', async () => {
    const { store, engine, submit, holds } = await aWorld(1);
    await submit(aChange({ account: 'b', status: 'closed' }));
    expect(await submit(aPayment('a', 'b', 1n))).toBe('account_closed');
    await engine.stop();
    const next = new Engine({ ...portsOf(store), log: quietLog });
    expect(outcomeOf(await next.submit(aPayment('a', 'b', 1n)))).toBe('account_closed');
    expect([holds('a'), holds('b')]).toEqual(['100/0', '0/0']);
  });

  it('takes new limits from there on, unless its balance is beyond them', async () => {
    const { submit } = await aWorld();
    expect(await submit(aChange({ account: 'a', minBalance: -50n }))).toBe('account_change');
    expect(await submit(aPayment('a', 'b', 150n))).toBe('payment');
    expect(await submit(aPayment('a', 'b', 1n))).toBe('insufficient_funds');
    expect(await submit(aChange({ account: 'a', minBalance: -49n }))).toBe('balance_limit_exceeded');
    expect(await submit(aChange({ account: 'b', maxBalance: 149n }))).toBe('balance_limit_exceeded');
    expect(await submit(aChange({ account: 'b', maxBalance: 150n }))).toBe('account_change');
    expect(await submit(aPayment('world', 'b', 1n))).toBe('balance_limit_exceeded');
    expect(await submit(aChange({ account: 'b', maxBalance: null }))).toBe('account_change');
    expect(await submit(aPayment('world', 'b', 1n))).toBe('payment');
  });

  it('is as it was changed after a restart', async () => {
    const { store, engine, submit } = await aWorld();
    await submit(aChange({ account: 'a', minBalance: -50n }));
    await submit(aChange({ account: 'a', status: 'frozen' }));
    await engine.stop();
    const next = new Engine({ ...portsOf(store), log: quietLog });
    expect(outcomeOf(await next.submit(aPayment('a', 'b', 1n)))).toBe('account_frozen');
    await next.submit(aChange({ account: 'a', status: 'open' }));
    expect(outcomeOf(await next.submit(aPayment('a', 'b', 150n)))).toBe('payment');
  });

  it('that does not exist cannot be changed', async () => {
    const { engine } = await aWorld();
    const change = aChange({ account: 'nobody', status: 'frozen' });
    await expect(engine.submit(change)).rejects.toMatchObject({ code: 'account_not_found' });
  });
});

const step = fc.record({
  kind: fc.constantFrom('hold', 'pay', 'capture', 'last', 'cancel', 'refund'),
  of: fc.nat({ max: 9 }),
  amount: fc.bigInt(1n, 40n),
});

test.prop([fc.array(step, { maxLength: 40 }), fc.nat({ max: 1 })], { numRuns: 60 })(
  'payments in any order settle as plain arithmetic says, and what is held is what is held for them',
  async (steps, book) => {
    const { submit, holds } = await aWorld(book);
    const model = { a: 100n, b: 0n };
    const payments: { command: Command; held: bigint; captured: bigint; refunded: bigint }[] = [];
    const held = () => payments.reduce((sum, payment) => sum + payment.held, 0n);
    for (const { kind, of, amount } of steps) {
      if (kind === 'hold' || kind === 'pay') {
        const command = kind === 'hold' ? aHold('a', 'b', amount) : aPayment('a', 'b', amount);
        const isEnough = model.a - held() >= amount;
        expect(await submit(command)).toBe(isEnough ? 'payment' : 'insufficient_funds');
        if (!isEnough) continue;
        const captured = kind === 'pay' ? amount : 0n;
        payments.push({ command, held: amount - captured, captured, refunded: 0n });
        model.a -= captured;
        model.b += captured;
        continue;
      }
      const payment = payments[of % Math.max(1, payments.length)];
      if (!payment) continue;
      const isCapture = kind === 'capture' || kind === 'last';
      const what = isCapture ? 'capture' : kind;
      const command = following(what, payment.command, kind === 'cancel' ? 0n : amount, { isLast: kind === 'last' });
      const outcome = await submit(command);
      if (isCapture) {
        const fits = payment.held >= amount;
        expect(outcome).toBe(fits ? 'capture' : payment.held === 0n ? 'nothing_held' : 'capture_exceeds_held');
        if (!fits) continue;
        payment.held = kind === 'last' ? 0n : payment.held - amount;
        payment.captured += amount;
        model.a -= amount;
        model.b += amount;
      } else if (kind === 'cancel') {
        expect(outcome).toBe(payment.held > 0n ? 'cancel' : 'nothing_held');
        payment.held = 0n;
      } else {
        const isWithin = payment.refunded + amount <= payment.captured;
        expect(outcome).toBe(isWithin ? 'refund' : 'refund_exceeds_captured');
        if (!isWithin) continue;
        payment.refunded += amount;
        model.a += amount;
        model.b -= amount;
      }
    }
    expect([holds('a'), holds('b')]).toEqual([`${model.a}/${held()}`, `${model.b}/0`]);
  },
);
