/** One request for an archive, or for the rest of it. */
import { type Agent, type Dispatcher, request } from 'undici';
import type { Source } from './types.ts';

const REDIRECTS_MAX = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Of an answer that nobody reads. */
const IGNORED_BYTES_MAX = 64 * 1024;
/** Answers after which the same request may succeed, besides 5xx. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

/** Why one request to one source did not help. */
export class SourceFailure extends Error {
  override readonly name = 'SourceFailure';

  constructor(
    message: string,
    /** Could the same request help if it were made again? */
    readonly isPassing: boolean,
    /** Is what was fetched so far of no use? */
    readonly isUseless = false,
  ) {
    super(message);
  }
}

export interface Answer {
  /** Where in the archive its body begins. */
  readonly start: number;
  /** Throws SourceFailure when the connection breaks or nothing comes. */
  readonly body: AsyncIterable<Uint8Array>;
  /** With which a later request can ask for the rest of the very same; null: none. */
  readonly etag: string | null;
}

/**
 * Asks for an archive from byte `start` on; who answers decides whether it is from there or from the beginning.
 *
 * @param etag Of the answer that the bytes before are of, if that is known.
 * @throws SourceFailure
 */
export async function ask(
  agent: Agent,
  source: Source,
  { start, etag, signal }: { start: number; etag: string | null; signal: AbortSignal },
): Promise<Answer> {
  const range = start === 0 ? {} : { range: `bytes=${start}-`, ...(etag === null ? {} : { 'if-range': etag }) };
  const answer = await follow(agent, source, { ...range, 'accept-encoding': 'identity' }, signal);
  const { statusCode, headers } = answer;
  if (statusCode === 200 || (statusCode === 206 && firstByte(headers['content-range']) === start)) {
    const body = orFailure(answer.body, signal);
    return { start: statusCode === 200 ? 0 : start, body, etag: strong(headers.etag) };
  }
  await ignore(answer);
  if (statusCode === 416) throw new SourceFailure('has not so many bytes as were fetched before', true, true);
  if (statusCode === 206) throw new SourceFailure('answered with another range than the one asked for', true, true);
  throw new SourceFailure(`answered HTTP ${statusCode}`, statusCode >= 500 || PASSING.has(statusCode));
}

async function follow(
  agent: Agent,
  source: Source,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  let url = checkedUrl(source.url);
  const { origin } = url;
  // What is for one server, such as its credentials, is for no other, nor for where another one sends us.
  let own = source.headers;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    const answer = await orFailed(request(url, { dispatcher: agent, headers: { ...own, ...headers }, signal }), signal);
    const { location } = answer.headers;
    if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') return answer;
    await ignore(answer);
    url = checkedUrl(location, url);
    if (url.origin !== origin) own = {};
  }
  throw new SourceFailure(`redirects more than ${REDIRECTS_MAX} times`, false);
}

function checkedUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : null;
  if (url === null) throw new SourceFailure('names or redirects to what is no URL', false);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new SourceFailure(`names or redirects to ${url.protocol}, which is neither http nor https`, false);
}

/** So that the connection can be used again. Whatever comes of it: the answer is known. */
async function ignore({ body }: Dispatcher.ResponseData): Promise<void> {
  await body.dump({ limit: IGNORED_BYTES_MAX }).catch(() => undefined);
}

async function* orFailure(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw failureOf(error, signal);
  }
}

async function orFailed<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw failureOf(error, signal);
  }
}

function failureOf(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { message, code } = error as NodeJS.ErrnoException;
  return new SourceFailure(message || (code ?? 'cannot be reached'), true);
}

function firstByte(contentRange: string | string[] | undefined): number | null {
  const match = /^bytes (\d{1,15})-/.exec(String(contentRange));
  return match === null ? null : Number(match[1]);
}

/** A weak one does not promise the same bytes. */
function strong(etag: string | string[] | undefined): string | null {
  return typeof etag === 'string' && etag.startsWith('"') ? etag : null;
}
