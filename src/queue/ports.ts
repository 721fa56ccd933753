/** What the queue needs of the process around it, beside payments. `src/main.ts` wires the real ones. */
import type { TraceParent } from '../payments/types.ts';
import type { Verdict } from './judge.ts';

/** Of a message, what its span says. */
export interface TracedMessage {
  readonly queue: string;
  readonly messageId: string;
  readonly receiveCount: number;
  readonly traceParent: TraceParent;
}

export interface MessageTracer {
  /** Does the work within a span. */
  trace(message: TracedMessage, work: () => Promise<Verdict>): Promise<Verdict>;
}
