/** Refusals in front of the framework, whose part in a refusal would cost more than all the rest of it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { uuidv7 } from 'uuidv7';
import type { HttpMetrics } from './ports.ts';
import { PROBLEMS, problemBody } from './problem.ts';
import { REFUSAL, type RequestLimit } from './request-limit.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** What is sent in masses when there is too much of it. */
const PATHS: ReadonlySet<string | undefined> = new Set(['/v1/payments', '/v1/transactions']);
const { status: STATUS, retryAfterSeconds } = PROBLEMS.overloaded;
const HEADERS = [
  ...['content-type', 'application/problem+json; charset=utf-8', 'retry-after', String(retryAfterSeconds)],
  ...Object.entries(SECURITY_HEADERS).flat(),
];

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Answers payments and transactions for which there is no room as {@link RequestLimit} does; call once. Only saves time:
 * whatever does not come by here meets the limit later on.
 */
export function refuseEarly(app: FastifyInstance, limit: RequestLimit, metrics: HttpMetrics): void {
  const [handle] = app.server.listeners('request') as [Handle];
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.server.removeAllListeners('request');
  app.server.on('request', (request, response) => {
    if (closing || request.method !== 'POST' || !PATHS.has(request.url) || limit.hasRoomFor('writes')) {
      handle(request, response);
      return;
    }
    limit.countRefusal();
    const requestId = `req_${uuidv7()}`;
    const body = problemBody(REFUSAL, request.url, requestId);
    response.writeHead(STATUS, [...HEADERS, 'x-request-id', requestId, 'content-length', String(body.length)]);
    response.end(body);
    metrics.requestEnded('POST', request.url!, STATUS, 0, REFUSAL.code);
  });
}
