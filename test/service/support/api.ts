/** A user of the API, over a real connection. */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { Account, Balance, Payment, Transaction } from '../../../src/client/client.ts';
import type { entryResource, problemResource, trialBalanceRow } from '../../../src/resources/schemas.ts';

export type { Account, Balance, Payment, Transaction };
export type Entry = z.output<typeof entryResource>;
export type Problem = z.output<typeof problemResource>;
export type TrialBalanceRow = z.output<typeof trialBalanceRow>;

export interface List<T> {
  readonly object: 'list';
  readonly data: T[];
  readonly has_more: boolean;
  readonly url: string;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: T;
}

/** What a list is, read to its end page by page. */
export interface Walk<T> {
  readonly items: T[];
  readonly pages: number;
}

const PAGES_MAX = 100;
const TRIES_MAX = 100;

export class Api {
  constructor(
    readonly address: string,
    readonly key: string,
  ) {}

  get<T>(path: string): Promise<Answer<T>> {
    return this.send<T>('GET', path, {});
  }

  /** `key` undefined: a new one. */
  post<T>(path: string, body: unknown, key: string = randomUUID()): Promise<Answer<T>> {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    return this.send<T>('POST', path, { headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
  }

  async send<T>(method: string, path: string, init: RequestInit): Promise<Answer<T>> {
    const headers = { authorization: `Bearer ${this.key}`, ...init.headers };
    const answer = await fetch(this.address + path, { ...init, method, headers });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) as T };
  }

  /** For what must succeed. */
  async read<T>(path: string): Promise<T> {
    const { status, body, text } = await this.get<T>(path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${text}`);
    return body;
  }

  /** The posted balance of an account that must be there. */
  async posted(account: string): Promise<string> {
    return (await this.read<Balance>(`/v1/accounts/${account}/balance`)).posted;
  }

  /** Accounts that must be new, in EUR unless they say otherwise. */
  async createAccounts(...accounts: (string | { id: string; currency: string; min_balance?: string | null })[]) {
    const created: Account[] = [];
    for (const account of accounts) {
      const body = typeof account === 'string' ? { id: account, currency: 'EUR' } : account;
      const answer = await this.post<Account>('/v1/accounts', body);
      if (answer.status !== 201) throw new Error(`account ${body.id} was answered ${answer.status}: ${answer.text}`);
      created.push(answer.body);
    }
    return created;
  }

  /** Pays in EUR, which must succeed. */
  async pay(source: string, destination: string, amount: number, more: object = {}): Promise<Payment> {
    const body = { source, destination, amount, currency: 'EUR', ...more };
    const answer = await this.post<Payment>('/v1/payments', body);
    if (answer.status !== 201) throw new Error(`a payment was answered ${answer.status}: ${answer.text}`);
    return answer.body;
  }

  /** Follows `starting_after` from the newest to the oldest. */
  async walkOlder<T extends { id: string }>(path: string, limit: number): Promise<Walk<T>> {
    const items: T[] = [];
    for (let pages = 1; pages <= PAGES_MAX; pages++) {
      const last = items.at(-1);
      const page = await this.read<List<T>>(
        withQuery(path, { limit, ...(last === undefined ? {} : { starting_after: last.id }) }),
      );
      items.push(...page.data);
      if (!page.has_more) return { items, pages };
    }
    throw new Error(`${path} did not end after ${PAGES_MAX} pages`);
  }

  /** Follows `ending_before` from an item up to the newest. Answers newest first as well. */
  async walkNewer<T extends { id: string }>(path: string, limit: number, before: string): Promise<Walk<T>> {
    const items: T[] = [];
    for (let pages = 1; pages <= PAGES_MAX; pages++) {
      const page = await this.read<List<T>>(withQuery(path, { limit, ending_before: items[0]?.id ?? before }));
      items.unshift(...page.data);
      if (!page.has_more) return { items, pages };
    }
    throw new Error(`${path} did not end after ${PAGES_MAX} pages`);
  }
}

function withQuery(path: string, query: Record<string, string | number>): string {
  const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${path}${path.includes('?') ? '&' : '?'}${text.join('&')}`;
}

/** New accounts of one book: ids are tried until the service has placed enough of them there. */
export async function createAccountsInBook(
  api: Api,
  book: number,
  prefix: string,
  count: number,
  more: { min_balance?: string | null } = {},
): Promise<string[]> {
  const placed: string[] = [];
  for (let tried = 0; placed.length < count && tried < TRIES_MAX; tried++) {
    const [account] = await api.createAccounts({ id: `${prefix}-${tried}`, currency: 'EUR', ...more });
    if (account!.book === book) placed.push(account!.id);
  }
  if (placed.length < count) throw new Error(`no ${count} of ${TRIES_MAX} accounts were placed in book ${book}`);
  return placed;
}
