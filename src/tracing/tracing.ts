import { setTimeout as sleep } from 'node:timers/promises';
import { createProvider, type ExportSettings } from './exporter.ts';
import { LedgerSpans } from './ledger-spans.ts';
import { MessageSpans } from './message-spans.ts';
import { RequestSpans } from './request-spans.ts';

/** Traces of requests and messages down to the journal. Imported only when they are wanted: see docs/tracing.md. */
export interface Tracing {
  readonly requests: RequestSpans;
  readonly messages: MessageSpans;
  readonly ledger: LedgerSpans;
  /** Sends what is left, for so long at most. */
  close(graceMs: number): Promise<void>;
}

export function startTracing(settings: ExportSettings): Tracing {
  const provider = createProvider(settings);
  const tracer = provider.getTracer('kvitt', settings.version);
  return {
    requests: new RequestSpans(tracer),
    messages: new MessageSpans(tracer),
    ledger: new LedgerSpans(tracer),
    close: async (graceMs) => {
      // What cannot be sent was logged when that began.
      const flushed = provider.shutdown().catch(() => undefined);
      const waited = new AbortController();
      await Promise.race([flushed, sleep(graceMs, undefined, { signal: waited.signal }).catch(() => undefined)]);
      waited.abort();
    },
  };
}
