import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, defaultTextMapGetter, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { TraceParent } from '../payments/types.ts';

const propagator = new W3CTraceContextPropagator();
const current = new AsyncLocalStorage<Context>();

/** What a caller says of the trace that it belongs to; of one that says nothing, or nothing that can be read: none. */
export function contextOf(carrier: TraceParent): Context {
  return propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
}

/** What is being done for: a request, a message; none when it is done for nobody. */
export function currentContext(): Context {
  return current.getStore() ?? ROOT_CONTEXT;
}

/** Does some work within a span: so is whatever follows from it. */
export function within<T>(span: Span, work: () => T): T {
  return current.run(trace.setSpan(ROOT_CONTEXT, span), work);
}
