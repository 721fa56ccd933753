import { type Span, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_URL_SCHEME,
} from '@opentelemetry/semantic-conventions';
import type { RequestSpan, RequestTracer, TracedRequest } from '../http/ports.ts';
import { contextOf, within } from './contexts.ts';

/** A span for each request, in the trace of whoever sent it. No path and no query: these name accounts. */
export class RequestSpans implements RequestTracer {
  constructor(readonly tracer: Tracer) {}

  begin({ method, route, id, httpVersion, headers }: TracedRequest): RequestSpan {
    const attributes = {
      [ATTR_HTTP_REQUEST_METHOD]: method,
      ...(route === null ? {} : { [ATTR_HTTP_ROUTE]: route }),
      [ATTR_URL_SCHEME]: 'http',
      [ATTR_NETWORK_PROTOCOL_VERSION]: httpVersion,
      'kvitt.request_id': id,
    };
    const name = route === null ? method : `${method} ${route}`;
    const span = this.tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, contextOf(headers));
    return {
      traceId: span.spanContext().traceId,
      run: (work) => within(span, work),
      end: (status, problem) => end(span, status, problem),
    };
  }
}

function end(span: Span, status: number | null, problem: string | null): void {
  if (status !== null) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
  const error = status === null ? 'hung_up' : problem;
  if (error !== null) span.setAttribute(ATTR_ERROR_TYPE, error);
  if (status === null || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
