import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions';
import type { MessageTracer } from '../queue/ports.ts';
import { contextOf, within } from './contexts.ts';

/** A span for each time that a message is worked on, in the trace of whoever sent it. */
export class MessageSpans implements MessageTracer {
  constructor(readonly tracer: Tracer) {}

  async trace<V extends { readonly kind: string; readonly code?: string }>(
    { queue, messageId, receiveCount, traceParent }: Parameters<MessageTracer['trace']>[0],
    work: () => Promise<V>,
  ): Promise<V> {
    const attributes = {
      'messaging.system': 'aws_sqs',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': messageId,
      'kvitt.receive_count': receiveCount,
    };
    const span = this.tracer.startSpan(
      `process ${queue}`,
      { kind: SpanKind.CONSUMER, attributes },
      contextOf(traceParent),
    );
    try {
      const verdict = await within(span, work);
      span.setAttribute('kvitt.outcome', verdict.kind);
      if (verdict.code !== undefined) {
        span.setAttribute(ATTR_ERROR_TYPE, verdict.code);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      return verdict;
    } finally {
      span.end();
    }
  }
}
