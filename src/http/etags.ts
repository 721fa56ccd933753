/** Entity tags (RFC 9110) of whatever is read, and the conditions that requests make with them. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ProblemError } from './problem.ts';

const TAG_CHARACTERS = 22;
const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

/** Balances say when they were read: the same balance is another text each time. Objects name their kind first. */
const READ_AT = /^(\{"object":"balance(?:_sums)?",.*)"as_of":"[^"]*"/s;

/** For the OpenAPI document only: {@link ifMatchOf} reads the header. */
export const ifMatchHeaders = z.object({
  'If-Match': z
    .string()
    .meta({ description: 'The ETag of what is to be changed, as it was read; `*`: whatever it is.', examples: ['*'] }),
});

/** Tags what is read, and answers 304 to whoever has it already. */
export function tagReads(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || reply.statusCode !== 200 || typeof payload !== 'string') return done(null, payload);
    const tag = tagOf(payload);
    reply.header('etag', tag);
    if (!isNamed(request.headers['if-none-match'], tag)) return done(null, payload);
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    done(null, null);
  });
}

/** Of an answer as it is sent. Strong, unless it says when it was read. */
export function tagOf(body: string): string {
  const lasting = body.replace(READ_AT, '$1');
  const hash = createHash('sha256').update(lasting).digest('base64url').slice(0, TAG_CHARACTERS);
  return lasting === body ? `"${hash}"` : `W/"${hash}"`;
}

/** Does `If-None-Match` name the tag? Weakly compared: both may be weak. */
function isNamed(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  const bare = (one: string) => one.replace(/^W\//, '');
  return (header.match(TAG) ?? []).some((one) => bare(one) === bare(tag));
}

/**
 * A check of what is about to be changed, given as it would be answered, against the `If-Match` of the request. Throws a
 * {@link ProblemError} when the request has none, and the check does when it does not match.
 */
export function ifMatchOf(request: FastifyRequest): (resource: unknown) => void {
  const header = request.headers['if-match'];
  if (header === undefined) {
    throw refusal(
      'precondition_required',
      'Send If-Match with the ETag of what you mean to change, or with * for any.',
    );
  }
  return (resource) => {
    if (header.trim() === '*') return;
    const tag = tagOf(JSON.stringify(resource));
    const named: readonly string[] = header.match(TAG) ?? [];
    if (named.includes(tag)) return;
    throw refusal('precondition_failed', 'It is not what If-Match names any more. Get it again, and decide again.');
  };
}

function refusal(code: 'precondition_required' | 'precondition_failed', detail: string): ProblemError {
  return new ProblemError(code, detail, { errors: [{ header: 'If-Match', detail }] });
}
