import { LedgerError } from '../../../src/ledger/errors.ts';
import type { Answer, Caller, CreatePayment, PaymentView } from '../../../src/payments/types.ts';

interface Known {
  readonly fingerprint: string;
  readonly view: PaymentView;
}

/**
 * The contract of payments without a database: one effect a key, the first answer again for the same request, misuse
 * for another; unknown accounts and other currencies refused before the key is used; rejections remembered like payments.
 *
 * Accounts are `<name>` in EUR. `before` runs ahead of each call, and may wait or throw.
 */
export class MemoryPayments {
  before: (request: CreatePayment, caller: Caller) => Promise<void> | void = () => {};
  calls = 0;
  readonly balances: Map<string, bigint>;
  readonly #known = new Map<string, Known>();

  constructor(balances: Record<string, bigint>) {
    this.balances = new Map(Object.entries(balances));
  }

  /** Payments that moved money. */
  get posted(): PaymentView[] {
    return [...this.#known.values()].map(({ view }) => view).filter(({ status }) => status === 'posted');
  }

  async createPayment(request: CreatePayment, caller: Caller): Promise<Answer<PaymentView>> {
    this.calls += 1;
    await this.before(request, caller);
    const key = `${caller.client}/${caller.key}`;
    const fingerprint = JSON.stringify(request, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    const known = this.#known.get(key);
    if (known !== undefined) {
      if (known.fingerprint === fingerprint) return { value: known.view, replayed: true };
      throw new LedgerError('idempotency_key_reused', `the key ${key} was used before, with another request`);
    }
    const view = this.#decide(request, key);
    this.#known.set(key, { fingerprint, view });
    return { value: view, replayed: false };
  }

  #decide(request: CreatePayment, key: string): PaymentView {
    const from = this.#balanceOf(request.source);
    const to = this.#balanceOf(request.destination);
    if (request.currency !== 'EUR') throw new LedgerError('currency_mismatch', 'the accounts are in EUR');
    const enough = from >= request.amount;
    if (enough) {
      this.balances.set(request.source, from - request.amount);
      this.balances.set(request.destination, to + request.amount);
    }
    return viewOf(request, key, enough ? 'posted' : 'rejected');
  }

  #balanceOf(account: string): bigint {
    const balance = this.balances.get(account);
    if (balance === undefined)
      throw new LedgerError('account_not_found', `there is no account ${account}`, { account });
    return balance;
  }
}

function viewOf(request: CreatePayment, key: string, status: PaymentView['status']): PaymentView {
  return {
    id: `pay_${key}`,
    transactionId: `txn_${key}`,
    status,
    rejectionReason: status === 'posted' ? null : 'insufficient_funds',
    source: request.source,
    destination: request.destination,
    amount: request.amount,
    currency: request.currency,
    reference: request.reference ?? null,
    description: request.description ?? null,
    metadata: request.metadata ?? {},
    createdAt: new Date(),
    book: 0,
    height: 1,
  };
}
