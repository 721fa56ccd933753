import { setTimeout as sleep } from 'node:timers/promises';
import type { Targets } from './targets.ts';

const TIMEOUT_MS = 30_000;
const TRIES_MAX = 6;
const BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 2_000;

export interface ClientOptions {
  /** Where the instances are: see `fixedTargets` and `cloudnameTargets`. */
  readonly targets: Targets;
  readonly apiKey: string;
  /** Of one try, ms. */
  readonly timeoutMs?: number;
  /** A request is sent this often at most, to one instance after the other. */
  readonly triesMax?: number;
}

/**
 * A request that was refused, or whose outcome is not known: `code` is one of those of the API, or `unreachable` when no
 * instance answered. With `outcome_unknown` it may have happened; the same call with the same key tells.
 */
export class KvittError extends Error {
  override readonly name = 'KvittError';
  constructor(
    readonly code: string,
    message: string,
    /** Of HTTP; 0: there was no answer. */
    readonly status: number,
    readonly requestId: string | null,
    /** The problem as it was answered. */
    readonly problem: Readonly<Record<string, unknown>> = {},
    /** The one that was sent, also when it was made for the call; null: none was. */
    readonly idempotencyKey: string | null = null,
  ) {
    super(message);
  }
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Undefined: none. */
  readonly body?: unknown;
  /** A body that is sent as it is. */
  readonly raw?: { readonly type: string; readonly bytes: string | Uint8Array };
  readonly headers?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string;
  /** It changes nothing, though it may be a POST: what was not answered has not happened. */
  readonly isRead?: boolean;
}

export interface Answered<T> {
  readonly body: T;
  readonly etag: string | null;
}

interface Try extends Answered<Record<string, unknown>> {
  readonly status: number;
  readonly retryAfterMs: number | null;
}

/**
 * Calls to any of several instances. One that got no answer, or one that says to try again, goes to the next instance
 * with the same idempotency key: it has its effect once.
 */
export class Calls {
  readonly #options: Required<ClientOptions>;

  constructor({ timeoutMs = TIMEOUT_MS, triesMax = TRIES_MAX, ...options }: ClientOptions) {
    this.#options = { timeoutMs, triesMax, ...options };
  }

  get triesMax(): number {
    return this.#options.triesMax;
  }

  /** @throws KvittError */
  async send<T>(call: Call): Promise<Answered<T>> {
    const { targets, triesMax } = this.#options;
    const { idempotencyKey = null } = call;
    let last = new KvittError('unreachable', 'no instance is known', 0, null, {}, idempotencyKey);
    let unknown: KvittError | null = null;
    for (let tries = 0; tries < triesMax; tries++) {
      const target = await targets.next();
      if (target !== null) {
        const answer = await this.#try(target, call);
        if (!(answer instanceof KvittError) && answer.status < 400) return answer as Answered<T>;
        last = answer instanceof KvittError ? answer : errorOf(answer, idempotencyKey);
        // An instance that could not be asked later on says nothing of what an earlier one did.
        if (last.code === 'outcome_unknown') unknown = last;
        if (answer instanceof KvittError) targets.failed(target);
        else if (answer.body.retryable !== true) throw orUnknown(last, unknown);
        else if (answer.retryAfterMs !== null && tries > 0) await sleep(Math.min(answer.retryAfterMs, BACKOFF_MS_MAX));
      }
      // The next instance may do better at once; after that they all need time.
      if (tries > 0) await backOff(tries);
    }
    throw unknown ?? last;
  }

  async #try(target: string, call: Call): Promise<Try | KvittError> {
    const { method, path, raw, headers, idempotencyKey, isRead } = call;
    const body = raw?.bytes ?? (call.body === undefined ? null : JSON.stringify(call.body));
    const { apiKey, timeoutMs } = this.#options;
    const url = target + path;
    try {
      const answer = await fetch(url, {
        method,
        body: body as string | Uint8Array<ArrayBuffer> | null,
        headers: {
          ...(body === null ? {} : { 'content-type': raw?.type ?? 'application/json' }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
          ...headers,
          authorization: `Bearer ${apiKey}`,
        },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
      const retryAfterMs = Number.isNaN(seconds) ? null : seconds * 1000;
      const content = (await answer.json()) as Record<string, unknown>;
      return { status: answer.status, body: content, etag: answer.headers.get('etag'), retryAfterMs };
    } catch (error) {
      const why = error instanceof Error ? String(error.cause ?? error.message) : String(error);
      // What was sent may have arrived: only a read, or a connection that was refused, surely did nothing.
      const mayHaveArrived = method !== 'GET' && !isRead;
      const isUnknown = mayHaveArrived && (error as { cause?: { code?: string } }).cause?.code !== 'ECONNREFUSED';
      const code = isUnknown ? 'outcome_unknown' : 'unreachable';
      return new KvittError(code, `${method} ${url}: no answer (${why})`, 0, null, {}, idempotencyKey ?? null);
    }
  }
}

/** Waits before another try, the longer the more there were. */
export function backOff(tries: number): Promise<void> {
  return sleep(Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** tries) * (0.5 + Math.random() / 2));
}

/** A condition that fails after a try without an answer may fail for what that very try did. */
function orUnknown(last: KvittError, unknown: KvittError | null): KvittError {
  return last.code === 'precondition_failed' && unknown !== null ? unknown : last;
}

function errorOf({ status, body }: Try, idempotencyKey: string | null): KvittError {
  const { code, detail, title, request_id: requestId } = body as Record<string, string | undefined>;
  const message = detail ?? title ?? `HTTP ${status}`;
  return new KvittError(code ?? 'unknown', message, status, requestId ?? null, body, idempotencyKey);
}
