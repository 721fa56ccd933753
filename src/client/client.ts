import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { eventPage, eventResource } from '../events/schemas.ts';
import type {
  deadLetterList,
  deadLetterResource,
  deadLettersQuery,
  deadLetterWithBody,
  dropBody,
  dropResult,
  redriveBody,
  redriveResult,
} from '../http/schemas/dead-letters.ts';
import type {
  accountsQuery,
  balanceQuery,
  deliveriesQuery,
  entriesQuery,
  eventsQuery,
  pageQuery,
  paymentsQuery,
  sumsQuery,
  transactionsQuery,
} from '../http/schemas/queries.ts';
import type {
  ageingQuery,
  ageingResource,
  breaksQuery,
  matchResource,
  reconciliationsQuery,
  resolveBody,
  startQuery,
} from '../http/schemas/reconciliations.ts';
import type {
  balancesBody,
  captureBody,
  changeLimitsBody,
  createAccountBody,
  createEndpointBody,
  createPaymentBody,
  createTransactionBody,
  followBody,
  patchAccountBody,
  refundBody,
  rotateSecretBody,
} from '../http/schemas/requests.ts';
import type {
  accountResource,
  balanceResource,
  balanceSumsResource,
  balancesResource,
  bookResource,
  breakResource,
  bulkResult,
  bulkResults,
  entryResource,
  paymentResource,
  reconciliationResource,
  transactionResource,
  trialBalanceRow,
} from '../resources/schemas.ts';
import type { deliveryResource, endpointResource, endpointWithSecret } from '../webhooks/schemas.ts';
import { backOff, type Call, Calls, type ClientOptions } from './calls.ts';
import { Listing, type Page } from './listing.ts';
import { type Parameters, pathOf } from './parameters.ts';

export type Account = z.output<typeof accountResource>;
export type Balance = z.output<typeof balanceResource>;
export type Balances = z.output<typeof balancesResource>;
export type BalanceSums = z.output<typeof balanceSumsResource>;
export type Book = z.output<typeof bookResource>;
export type Break = z.output<typeof breakResource>;
export type BreakAgeing = z.output<typeof ageingResource>;
export type BulkResult = z.output<typeof bulkResult>;
export type DeadLetter = z.output<typeof deadLetterResource>;
export type DeadLetterDrop = z.output<typeof dropResult>;
export type DeadLetterList = z.output<typeof deadLetterList>;
export type DeadLetterRedrive = z.output<typeof redriveResult>;
export type DeadLetterWithBody = z.output<typeof deadLetterWithBody>;
export type Entry = z.output<typeof entryResource>;
export type Event = z.output<typeof eventResource>;
export type EventPage = z.output<typeof eventPage>;
export type WebhookDelivery = z.output<typeof deliveryResource>;
export type WebhookEndpoint = z.output<typeof endpointResource>;
export type WebhookEndpointWithSecret = z.output<typeof endpointWithSecret>;
export type Reconciliation = z.output<typeof reconciliationResource>;
export type ReconciliationMatch = z.output<typeof matchResource>;
export type Payment = z.output<typeof paymentResource>;
export type Transaction = z.output<typeof transactionResource>;
export type TrialBalanceRow = z.output<typeof trialBalanceRow>;

export type NewPayment = z.input<typeof createPaymentBody>;
export type PaymentFilter = Parameters<typeof paymentsQuery> & { readonly [pair: `metadata[${string}]`]: string };

/** Payments of one request to `/v1/payments/bulk`. */
const BULK_MAX = 1_000;

export interface Once {
  /** The same key, the same effect, once. By default one is made for each call, and kept over its tries. */
  readonly idempotencyKey?: string;
}

export interface Decided extends Once {
  /** Only to be told what would become of it now: nothing is written. */
  readonly dryRun?: boolean;
}

/** The API, on any of several instances. Each method throws a {@link KvittError} when it is refused. */
export class KvittClient {
  readonly #calls: Calls;
  /** Of what was read, the tags by which it can be told whether it has changed since. */
  readonly #etags = new WeakMap<object, string>();

  constructor(options: ClientOptions) {
    this.#calls = new Calls(options);
  }

  createAccount(account: z.input<typeof createAccountBody>, once?: Once): Promise<Account> {
    return this.post('/v1/accounts', account, once);
  }

  getAccount(id: string): Promise<Account> {
    return this.get(pathOf(['accounts', id]));
  }

  listAccounts(filter: Parameters<typeof accountsQuery> = {}): Listing<Account> {
    return this.#list(['accounts'], filter);
  }

  freezeAccount(id: string, how?: Decided): Promise<Account> {
    return this.#decide(['accounts', id, 'freeze'], {}, how);
  }

  unfreezeAccount(id: string, how?: Decided): Promise<Account> {
    return this.#decide(['accounts', id, 'unfreeze'], {}, how);
  }

  closeAccount(id: string, how?: Decided): Promise<Account> {
    return this.#decide(['accounts', id, 'close'], {}, how);
  }

  setAccountLimits(id: string, limits: z.input<typeof changeLimitsBody>, how?: Decided): Promise<Account> {
    return this.#decide(['accounts', id, 'limits'], limits, how, 'PUT');
  }

  /**
   * Changes the metadata: of an account as this client has read it, only if nobody has changed it since
   * (`precondition_failed`); of one named by its id, however it is.
   */
  updateAccount(account: Account | string, patch: z.input<typeof patchAccountBody>): Promise<Account> {
    const [id, etag] = typeof account === 'string' ? [account, '*'] : [account.id, this.#etags.get(account)];
    if (etag === undefined) throw new TypeError('give the account as this client has answered it, or its id');
    const headers = { 'if-match': etag };
    return this.#send({ method: 'PATCH', path: pathOf(['accounts', id]), body: patch, headers });
  }

  getBalance(account: string, query: Parameters<typeof balanceQuery> = {}): Promise<Balance> {
    return this.get(pathOf(['accounts', account, 'balance'], query));
  }

  queryBalances(query: z.input<typeof balancesBody>): Promise<Balances> {
    return this.#send({ method: 'POST', path: '/v1/balances/query', body: query, isRead: true });
  }

  sumBalances(query: Parameters<typeof sumsQuery>): Promise<BalanceSums> {
    return this.get(pathOf(['balances', 'sum'], query));
  }

  /** The statement of an account. */
  listEntries(account: string, filter: Parameters<typeof entriesQuery> = {}): Listing<Entry> {
    return this.#list(['accounts', account, 'entries'], filter);
  }

  async trialBalance(): Promise<TrialBalanceRow[]> {
    return (await this.get<Page<TrialBalanceRow>>('/v1/trial_balance')).data;
  }

  /** How far each book goes, and who leads it. */
  async books(): Promise<Book[]> {
    return (await this.get<Page<Book>>('/v1/books')).data;
  }

  createPayment(payment: NewPayment, how?: Decided): Promise<Payment> {
    return this.#decide(['payments'], payment, how);
  }

  /**
   * Many payments, a thousand in a request, and what became of each, in their order. Those without a key are given one;
   * those that may end differently when sent again are, with the same key. Give keys of your own to be able to go on
   * after an exception.
   */
  async *createPayments(
    payments: Iterable<BulkPayment> | AsyncIterable<BulkPayment>,
    { dryRun }: Pick<Decided, 'dryRun'> = {},
  ): AsyncGenerator<BulkResult> {
    let from = 0;
    let items: BulkPayment[] = [];
    for await (const payment of payments) {
      items.push({ ...payment, idempotency_key: payment.idempotency_key ?? randomUUID() });
      if (items.length < BULK_MAX) continue;
      yield* await this.#payAll(items, from, dryRun);
      from += items.length;
      items = [];
    }
    if (items.length > 0) yield* await this.#payAll(items, from, dryRun);
  }

  /** `from`: place of the first of them among all. */
  async #payAll(items: readonly BulkPayment[], from: number, dryRun: boolean | undefined): Promise<BulkResult[]> {
    const path = pathOf(['payments', 'bulk'], { dry_run: dryRun });
    const results: BulkResult[] = [];
    let left = items.map((_, index) => index);
    for (let tries = 0; left.length > 0 && tries < this.#calls.triesMax; tries++) {
      if (tries > 0) await backOff(tries);
      const body = { payments: left.map((index) => items[index]) };
      const { data } = await this.#send<z.output<typeof bulkResults>>({ method: 'POST', path, body });
      const sent = left;
      data.forEach((result, i) => {
        results[sent[i]!] = { ...result, index: from + sent[i]! };
      });
      left = sent.filter((index) => results[index]?.error?.retryable);
    }
    return results;
  }

  capturePayment(id: string, capture: z.input<typeof captureBody> = {}, how?: Decided): Promise<Payment> {
    return this.#decide(['payments', id, 'capture'], capture, how);
  }

  cancelPayment(id: string, cancel: z.input<typeof followBody> = {}, how?: Decided): Promise<Payment> {
    return this.#decide(['payments', id, 'cancel'], cancel, how);
  }

  refundPayment(id: string, refund: z.input<typeof refundBody> = {}, how?: Decided): Promise<Payment> {
    return this.#decide(['payments', id, 'refund'], refund, how);
  }

  getPayment(id: string): Promise<Payment> {
    return this.get(pathOf(['payments', id]));
  }

  listPayments(filter: PaymentFilter = {}): Listing<Payment> {
    return this.#list(['payments'], filter);
  }

  /** What made the payment, and what captured, released or refunded it, oldest first. */
  listPaymentTransactions(id: string, page: Parameters<typeof pageQuery> = {}): Listing<Transaction> {
    return this.#list(['payments', id, 'transactions'], page);
  }

  createTransaction(transaction: z.input<typeof createTransactionBody>, how?: Decided): Promise<Transaction> {
    return this.#decide(['transactions'], transaction, how);
  }

  reverseTransaction(id: string, reversal: z.input<typeof followBody> = {}, how?: Decided): Promise<Transaction> {
    return this.#decide(['transactions', id, 'reverse'], reversal, how);
  }

  getTransaction(id: string): Promise<Transaction> {
    return this.get(pathOf(['transactions', id]));
  }

  listTransactions(filter: Parameters<typeof transactionsQuery> = {}): Listing<Transaction> {
    return this.#list(['transactions'], filter);
  }

  getEvent(id: string): Promise<Event> {
    return this.get(pathOf(['events', id]));
  }

  /** A page of what happened, oldest first. Its `next_cursor` is where to go on, at once or later. */
  listEvents(filter: Parameters<typeof eventsQuery> = {}): Promise<EventPage> {
    return this.get(pathOf(['events'], filter));
  }

  /** What happened, up to now. Give it the `next_cursor` of the last page for what comes later: see {@link listEvents}. */
  async *events(filter: Parameters<typeof eventsQuery> = {}): AsyncGenerator<Event> {
    let page = await this.listEvents(filter);
    yield* page.data;
    const { 'created[gte]': _, ...rest } = filter;
    while (page.has_more) {
      page = await this.listEvents({ ...rest, cursor: page.next_cursor });
      yield* page.data;
    }
  }

  /** The answer alone has the secret. */
  createWebhookEndpoint(endpoint: z.input<typeof createEndpointBody>): Promise<WebhookEndpointWithSecret> {
    return this.#send({ method: 'POST', path: '/v1/webhook_endpoints', body: endpoint });
  }

  async listWebhookEndpoints(): Promise<WebhookEndpoint[]> {
    return (await this.get<Page<WebhookEndpoint>>('/v1/webhook_endpoints')).data;
  }

  getWebhookEndpoint(id: string): Promise<WebhookEndpoint> {
    return this.get(pathOf(['webhook_endpoints', id]));
  }

  async removeWebhookEndpoint(id: string): Promise<void> {
    await this.#send({ method: 'DELETE', path: pathOf(['webhook_endpoints', id]) });
  }

  rotateWebhookSecret(id: string, how: z.input<typeof rotateSecretBody> = {}): Promise<WebhookEndpointWithSecret> {
    return this.#send({ method: 'POST', path: pathOf(['webhook_endpoints', id, 'rotate_secret']), body: how });
  }

  enableWebhookEndpoint(id: string): Promise<WebhookEndpoint> {
    return this.#send({ method: 'POST', path: pathOf(['webhook_endpoints', id, 'enable']) });
  }

  disableWebhookEndpoint(id: string): Promise<WebhookEndpoint> {
    return this.#send({ method: 'POST', path: pathOf(['webhook_endpoints', id, 'disable']) });
  }

  listWebhookDeliveries(id: string, filter: Parameters<typeof deliveriesQuery> = {}): Listing<WebhookDelivery> {
    return this.#list(['webhook_endpoints', id, 'deliveries'], filter);
  }

  /** Delivers an event to an endpoint again, or for the first time. */
  redeliver(id: string, event: string): Promise<WebhookDelivery> {
    const path = pathOf(['webhook_endpoints', id, 'deliveries', event, 'redeliver']);
    return this.#send({ method: 'POST', path });
  }

  /** What is in the dead-letter queue, oldest first. */
  listDeadLetters(filter: Parameters<typeof deadLettersQuery> = {}): Promise<DeadLetterList> {
    return this.get(pathOf(['dead_letters'], filter));
  }

  getDeadLetter(id: string): Promise<DeadLetterWithBody> {
    return this.get(pathOf(['dead_letters', id]));
  }

  /** Sends dead letters back to their queue. While the answer says `more`, there may be more of them. */
  redriveDeadLetters(order: z.input<typeof redriveBody>): Promise<DeadLetterRedrive> {
    return this.#send({ method: 'POST', path: '/v1/dead_letters/redrive', body: order });
  }

  /** Deletes dead letters for good. While the answer says `more`, there may be more of them. */
  dropDeadLetters(order: z.input<typeof dropBody>): Promise<DeadLetterDrop> {
    return this.#send({ method: 'POST', path: '/v1/dead_letters/drop', body: order });
  }

  /**
   * Has a statement, as its file is, compared with the ledger; `null`: the ledger with itself. It goes on after the answer:
   * see {@link getReconciliation}. The same file again is answered with what it was.
   */
  reconcile(statement: string | Uint8Array | null, query: Parameters<typeof startQuery> = {}): Promise<Reconciliation> {
    const raw = statement === null ? {} : { raw: { type: 'application/octet-stream', bytes: statement } };
    return this.#send({ method: 'POST', path: pathOf(['reconciliations'], query), ...raw });
  }

  getReconciliation(id: string): Promise<Reconciliation> {
    return this.get(pathOf(['reconciliations', id]));
  }

  listReconciliations(filter: Parameters<typeof reconciliationsQuery> = {}): Listing<Reconciliation> {
    return this.#list(['reconciliations'], filter);
  }

  /** The breaks that it has opened, in the order of the statement. */
  listReconciliationItems(id: string, page: Parameters<typeof pageQuery> = {}): Listing<Break> {
    return this.#list(['reconciliations', id, 'items'], page);
  }

  listReconciliationMatches(id: string, page: Parameters<typeof pageQuery> = {}): Listing<ReconciliationMatch> {
    return this.#list(['reconciliations', id, 'matches'], page);
  }

  /** The oldest first. */
  listBreaks(filter: Parameters<typeof breaksQuery> = {}): Listing<Break> {
    return this.#list(['breaks'], filter);
  }

  /** Open breaks, counted by their age. */
  async breakAgeing(query: Parameters<typeof ageingQuery> = {}): Promise<BreakAgeing['data']> {
    return (await this.get<BreakAgeing>(pathOf(['breaks', 'ageing'], query))).data;
  }

  getBreak(id: string): Promise<Break> {
    return this.get(pathOf(['breaks', id]));
  }

  /** `null`: nobody looks into it. */
  assignBreak(id: string, assignee: string | null): Promise<Break> {
    return this.#send({ method: 'POST', path: pathOf(['breaks', id, 'assign']), body: { assignee } });
  }

  commentOnBreak(id: string, text: string): Promise<Break> {
    return this.#send({ method: 'POST', path: pathOf(['breaks', id, 'comments']), body: { text } });
  }

  /** With a reason, and perhaps a transaction that adjusts the ledger: once, however often it is sent. */
  resolveBreak(id: string, how: z.input<typeof resolveBody>): Promise<Break> {
    return this.#send({ method: 'POST', path: pathOf(['breaks', id, 'resolve']), body: how });
  }

  /** Any path of the API. @throws KvittError */
  get<T>(path: string): Promise<T> {
    return this.#send({ method: 'GET', path });
  }

  /** @throws KvittError */
  post<T>(path: string, body: unknown, { idempotencyKey = randomUUID() }: Once = {}): Promise<T> {
    return this.#send({ method: 'POST', path, body, idempotencyKey });
  }

  #list<T extends { id: string }>(parts: readonly string[], filter: object): Listing<T> {
    return new Listing(filter, (query) => this.get<Page<T>>(pathOf(parts, query)));
  }

  #decide<T>(
    parts: readonly string[],
    body: object,
    { idempotencyKey = randomUUID(), dryRun }: Decided = {},
    method: 'POST' | 'PUT' = 'POST',
  ): Promise<T> {
    return this.#send({ method, path: pathOf(parts, { dry_run: dryRun }), body, idempotencyKey });
  }

  async #send<T>(call: Call): Promise<T> {
    const { body, etag } = await this.#calls.send<T>(call);
    if (etag !== null) this.#etags.set(body as object, etag);
    return body;
  }
}

/** A payment of many. */
export type BulkPayment = NewPayment & { readonly idempotency_key?: string };
