import { LedgerError } from '../../../src/ledger/errors.ts';
import type { RejectionReason } from '../../../src/ledger/types.ts';
import {
  type Answer,
  type Caller,
  type CreatePayment,
  type Followed,
  type FollowPayment,
  PaymentsError,
  type PaymentView,
} from '../../../src/payments/types.ts';
import type { EventPayments } from '../../../src/queue/judge.ts';
import { paymentViewOf } from '../../support/payment-view.ts';

interface Known {
  readonly fingerprint: string;
  readonly value: unknown;
}

/** What becomes of a payment that was followed, or why nothing does. */
type Decision = Pick<PaymentView, 'amountHeld' | 'amountCaptured' | 'amountRefunded'> | RejectionReason;

/**
 * The contract of payments without a database: one effect a key, the first answer again for the same request, misuse
 * for another; unknown accounts, payments and other currencies refused before the key is used; rejections remembered like
 * payments.
 *
 * Accounts are `<name>` in EUR, payments `pay_<event id>`. `before` runs ahead of each call, and may wait or throw.
 */
export class MemoryPayments implements EventPayments {
  before: (request: CreatePayment | FollowPayment, caller: Caller) => Promise<void> | void = () => {};
  calls = 0;
  readonly balances: Map<string, bigint>;
  readonly payments = new Map<string, PaymentView>();
  readonly #known = new Map<string, Known>();

  constructor(balances: Record<string, bigint>) {
    this.balances = new Map(Object.entries(balances));
  }

  /** Payments that moved money at once. */
  get posted(): PaymentView[] {
    return [...this.payments.values()].filter(({ status }) => status === 'posted');
  }

  createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    return this.#once(request, request, caller, () => this.#decide(request, caller.key));
  }

  capturePayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#follow(['capture', id], request, caller, ({ amountHeld, amountCaptured, ...payment }) => {
      const amount = request.amount ?? amountHeld;
      if (amountHeld === 0n) return 'nothing_held';
      if (amount > amountHeld) return 'capture_exceeds_held';
      this.#move(payment.destination!, amount);
      return { ...payment, amountHeld: amountHeld - amount, amountCaptured: amountCaptured + amount };
    });
  }

  cancelPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#follow(['cancel', id], request, caller, ({ amountHeld, ...payment }) => {
      if (amountHeld === 0n) return 'nothing_held';
      this.#move(payment.source, amountHeld);
      return { ...payment, amountHeld: 0n };
    });
  }

  refundPayment(id: string, request: FollowPayment, caller: Caller): Promise<Answer<Followed>> {
    return this.#follow(['refund', id], request, caller, ({ amountRefunded, ...payment }) => {
      const left = payment.amountCaptured - amountRefunded;
      const amount = request.amount ?? left;
      if (amount > left) return 'refund_exceeds_captured';
      this.#move(payment.destination!, -amount);
      this.#move(payment.source, amount);
      return { ...payment, amountRefunded: amountRefunded + amount };
    });
  }

  #follow(
    [kind, id]: [string, string],
    request: FollowPayment,
    caller: Caller,
    decide: (payment: PaymentView) => Decision,
  ): Promise<Answer<Followed>> {
    return this.#once(request, [kind, id, request], caller, () => {
      const payment = this.payments.get(id);
      if (payment === undefined) throw new PaymentsError('not_found', `there is no payment ${id}`);
      const decision = decide(payment);
      if (typeof decision === 'string') return { payment, transactionId: 'txn_1', rejectionReason: decision };
      const after = { ...payment, ...decision };
      this.payments.set(id, after);
      return { payment: after, transactionId: 'txn_1', rejectionReason: null };
    });
  }

  async #once<T>(
    request: CreatePayment | FollowPayment,
    meaning: unknown,
    caller: Caller,
    run: () => T,
  ): Promise<Answer<T>> {
    this.calls += 1;
    await this.before(request, caller);
    const key = `${caller.client}/${caller.key}`;
    const fingerprint = JSON.stringify(meaning, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    const known = this.#known.get(key);
    if (known === undefined) {
      if (caller.dryRun) {
        const before = [new Map(this.balances), new Map(this.payments)] as const;
        try {
          return { value: run(), replayed: false };
        } finally {
          for (const [name, balance] of before[0]) this.balances.set(name, balance);
          for (const id of this.payments.keys()) if (!before[1].has(id)) this.payments.delete(id);
          for (const [id, payment] of before[1]) this.payments.set(id, payment);
        }
      }
      const value = run();
      this.#known.set(key, { fingerprint, value });
      return { value, replayed: false };
    }
    if (known.fingerprint === fingerprint) return { value: known.value as T, replayed: true };
    throw new LedgerError('idempotency_key_reused', `the key ${key} was used before, with another request`);
  }

  #decide(request: CreatePayment, key: string): PaymentView {
    const { source, destination, amount, currency, capture } = request;
    const from = this.#balanceOf(source);
    this.#balanceOf(destination!);
    if (currency !== 'EUR') throw new LedgerError('currency_mismatch', 'the accounts are in EUR');
    const isHold = capture === 'manual';
    const enough = from >= amount;
    if (enough) this.#move(source, -amount);
    if (enough && !isHold) this.#move(destination!, amount);
    const payment = paymentViewOf(request, {
      id: `pay_${key}`,
      transactionId: `txn_${key}`,
      status: enough ? (isHold ? 'authorized' : 'posted') : 'rejected',
      ...(isHold && enough ? { amountHeld: amount, amountCaptured: 0n } : {}),
    });
    this.payments.set(payment.id, payment);
    return payment;
  }

  #move(account: string, amount: bigint): void {
    this.balances.set(account, this.#balanceOf(account) + amount);
  }

  #balanceOf(account: string): bigint {
    const balance = this.balances.get(account);
    if (balance === undefined)
      throw new LedgerError('account_not_found', `there is no account ${account}`, { account });
    return balance;
  }
}
