/** A span for each request, when traces are wanted. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RequestSpan, RequestTracer } from './ports.ts';

/** Asked for all the time, by machines, and of no interest. */
const UNTRACED: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

declare module 'fastify' {
  interface FastifyRequest {
    /** null: it is not traced. */
    span: RequestSpan | null;
  }
}

/** Before all other hooks, so that the span holds them all. */
export function traceRequests(app: FastifyInstance, tracer: RequestTracer | null): void {
  app.decorateRequest('span', null);
  if (tracer === null) return;
  app.addHook('onRequest', (request, { raw: response }, done) => {
    const { id, method, headers, raw } = request;
    const route = request.routeOptions.url ?? null;
    if (route === null || !UNTRACED.has(route)) {
      const { traceparent, tracestate } = headers as Record<string, string | undefined>;
      const { httpVersion } = raw;
      const span = tracer.begin({ id, method, route, httpVersion, headers: { traceparent, tracestate } });
      request.span = span;
      // Also of a request whose sender hangs up before the answer.
      response.once('close', () => span.end(response.writableFinished ? response.statusCode : null, request.problem));
    }
    done();
  });
  // Not earlier: a body arrives in events of the connection, which belong to no request.
  app.addHook('preHandler', ({ span }, _reply, done) => {
    if (span === null) done();
    else span.run(done);
  });
}

/** For a line of the log. */
export function traceOf({ span }: Pick<FastifyRequest, 'span'>): { trace_id?: string } {
  return span ? { trace_id: span.traceId } : {};
}
