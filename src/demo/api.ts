import { setTimeout as sleep } from 'node:timers/promises';
import type { PlannedPayment } from './plan.ts';

const TRIES_MAX = 200;
const RETRY_MS = 150;

export interface Sent {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: { id?: string; code?: string };
  /** How often it had to be sent again, because the service was gone or could not tell. */
  readonly retries: number;
}

/** A user of the API who does what is asked of users: sends the same key again until there is an answer. */
export class ApiUser {
  constructor(
    readonly address: string,
    readonly key: string,
  ) {}

  async get<T>(path: string): Promise<T> {
    const answer = await fetch(this.address + path, { headers: this.#headers() });
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async createAccount(account: object): Promise<void> {
    const { status, body } = await this.#post('/v1/accounts', account, {});
    if (status !== 201 && status !== 200) throw new Error(`an account was answered ${status}: ${JSON.stringify(body)}`);
  }

  pay({ key, body }: PlannedPayment): Promise<Sent> {
    return this.#post('/v1/payments', body, { 'idempotency-key': key });
  }

  async #post(path: string, body: object, headers: Record<string, string>): Promise<Sent> {
    const request = { method: 'POST', body: JSON.stringify(body), headers: { ...this.#headers(), ...headers } };
    for (let retries = 0; retries < TRIES_MAX; retries++) {
      try {
        const answer = await fetch(this.address + path, request);
        const content = (await answer.json()) as Sent['body'];
        if (answer.status !== 503 && answer.status !== 409) {
          const replayed = answer.headers.get('idempotent-replayed') === 'true';
          return { status: answer.status, replayed, body: content, retries };
        }
      } catch {
        // The service is gone: nobody knows whether this one went through. The same key will tell.
      }
      await sleep(RETRY_MS);
    }
    throw new Error(`POST ${path} got no answer after ${TRIES_MAX} tries`);
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' };
  }
}

/** Runs the jobs with so many at a time. */
export async function inParallel<T>(
  jobs: readonly T[],
  workers: number,
  run: (job: T, index: number) => Promise<void>,
) {
  let next = 0;
  const work = async () => {
    for (let i = next++; i < jobs.length; i = next++) await run(jobs[i]!, i);
  };
  await Promise.all(Array.from({ length: workers }, work));
}
