/** API keys: made, hashed, and recognised from a bounded cache in front of their store. */
import { createHash, randomInt } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiKeyRecord, ApiKeysPort, AuthPort, Principal, Scope } from './ports.ts';
import { ProblemError } from './problem.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const KEY_PREFIX = 'kvitt_';
/** 43 characters of base 62 hold 256 bits. */
const KEY_LENGTH = 43;
const KEY_FORMAT = /^kvitt_[0-9A-Za-z]{32,86}$/;

declare module 'fastify' {
  interface FastifyContextConfig {
    scope?: Scope;
  }
  interface FastifyRequest {
    /** Set on every route that needs a key, before anything else looks at the request. */
    principal: Principal;
  }
}

/** A new key: `kvitt_` and 43 characters of base 62 from the system's random source. Show it once, store its hash. */
export function generateApiKey(): string {
  return KEY_PREFIX + Array.from({ length: KEY_LENGTH }, () => BASE62[randomInt(BASE62.length)]).join('');
}

/** Has it the form of a key: `kvitt_` and 32 to 86 letters and digits? */
export function isApiKey(text: string): boolean {
  return KEY_FORMAT.test(text);
}

/**
 * SHA-256 in lower-case hex. Keys are random and long, so a plain digest cannot be searched.
 *
 * Keys are looked up by it, in a map and in an index, and never compared themselves. How long that takes may tell how much
 * two digests have in common, but nobody can choose a key so that its digest begins as another one's does: the time says
 * nothing about a key that is stored.
 */
export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export interface AuthenticatorOptions {
  /** How long an answer of the store is believed: a revoked key dies within this. */
  readonly ttlMs?: number;
  /** Keys remembered, the oldest forgotten first. */
  readonly entriesMax?: number;
  /** Lookups at once in the store; more are refused as overload. */
  readonly lookupsMax?: number;
  readonly now?: () => number;
}

interface Remembered {
  readonly record: ApiKeyRecord | null;
  readonly until: number;
}

/** Recognises keys by their hash. Concurrent requests with one key share a lookup; unknown keys are remembered too. */
export class CachingAuthenticator implements AuthPort {
  private readonly remembered = new Map<string, Remembered>();
  private readonly lookups = new Map<string, Promise<ApiKeyRecord | null>>();
  private readonly ttlMs: number;
  private readonly entriesMax: number;
  private readonly lookupsMax: number;
  private readonly now: () => number;

  constructor(
    private readonly keys: ApiKeysPort,
    options: AuthenticatorOptions = {},
  ) {
    this.ttlMs = options.ttlMs ?? 5_000;
    this.entriesMax = options.entriesMax ?? 10_000;
    this.lookupsMax = options.lookupsMax ?? 64;
    this.now = options.now ?? Date.now;
  }

  /** `null` for a key that is unknown, expired or revoked. Throws a {@link ProblemError} when the store cannot tell. */
  async authenticate(key: string): Promise<Principal | null> {
    if (!isApiKey(key)) return null;
    const hash = hashApiKey(key);
    const known = this.remembered.get(hash);
    const record = known !== undefined && known.until > this.now() ? known.record : await this.lookUp(hash);
    return record !== null && this.isValid(record) ? principal(record) : null;
  }

  private isValid({ expiresAt, revokedAt }: ApiKeyRecord): boolean {
    return revokedAt === null && (expiresAt === null || expiresAt.getTime() > this.now());
  }

  private lookUp(hash: string): Promise<ApiKeyRecord | null> {
    const running = this.lookups.get(hash);
    if (running !== undefined) return running;
    if (this.lookups.size >= this.lookupsMax) {
      throw new ProblemError('overloaded', 'Too many API keys are being looked up. Send the same request again later.');
    }
    const lookup = this.ask(hash).finally(() => this.lookups.delete(hash));
    this.lookups.set(hash, lookup);
    return lookup;
  }

  private async ask(hash: string): Promise<ApiKeyRecord | null> {
    let record: ApiKeyRecord | null;
    // Counted from before the question: what was revoked meanwhile must not be believed for longer.
    const until = this.now() + this.ttlMs;
    try {
      record = await this.keys.find(hash);
    } catch {
      throw new ProblemError('unavailable', 'API keys cannot be looked up. Nothing was done: send it again later.');
    }
    this.remembered.delete(hash);
    this.remembered.set(hash, { record, until });
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size <= this.entriesMax) break;
      this.remembered.delete(oldest);
    }
    return record;
  }
}

function principal(record: ApiKeyRecord): Principal {
  return {
    keyId: record.hash.slice(0, 16),
    client: record.client,
    scopes: new Set(record.scopes),
  };
}

/**
 * Makes every route of this context need a key with the scope in its `config.scope`. A route without one does not
 * start: nothing is open by default.
 */
export function requireKeys(app: FastifyInstance, auth: AuthPort): void {
  app.decorateRequest('principal', null as unknown as Principal);
  app.addHook('onRoute', (route) => {
    if (route.config?.scope === undefined) throw new Error(`${String(route.method)} ${route.url} names no scope`);
  });
  app.addHook('onRequest', async (request) => {
    const scope = request.routeOptions.config.scope as Scope;
    request.principal = await authenticated(request, auth);
    if (!request.principal.scopes.has(scope)) throw forbidden(scope);
  });
}

async function authenticated(request: FastifyRequest, auth: AuthPort): Promise<Principal> {
  const header = request.headers.authorization;
  const key = header === undefined ? undefined : /^Bearer +([^ ]+)$/i.exec(header)?.[1];
  if (key === undefined) throw unauthenticated('Send your API key as Authorization: Bearer <key>.', '');
  const found = await auth.authenticate(key);
  if (found === null) throw unauthenticated('The API key is unknown, expired or revoked.', ', error="invalid_token"');
  return found;
}

function unauthenticated(detail: string, challenge: string): ProblemError {
  return new ProblemError('unauthenticated', detail, {
    errors: [{ header: 'Authorization', detail }],
    headers: { 'www-authenticate': `Bearer realm="kvitt"${challenge}` },
  });
}

function forbidden(scope: Scope): ProblemError {
  const detail = `This needs an API key with the scope ${scope}.`;
  return new ProblemError('insufficient_scope', detail, {
    errors: [{ header: 'Authorization', detail }],
    headers: {
      'www-authenticate': `Bearer realm="kvitt", error="insufficient_scope", scope="${scope}"`,
    },
  });
}
