import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import type { Log } from '../ledger/ports.ts';

/** Spans that wait to be sent; more are dropped. */
const QUEUED_SPANS_MAX = 8_192;
const BATCH_SPANS_MAX = 512;
const BATCH_EVERY_MS = 1_000;
/** Of one batch, with all attempts. */
const EXPORT_MS_MAX = 3_000;

export interface ExportSettings {
  /** Of a collector that takes OTLP over HTTP: traces go to `/v1/traces` below it. */
  readonly endpoint: string;
  /** Of the service. */
  readonly version: string;
  readonly log: Log;
}

/**
 * Sends spans in batches, from a queue that is bounded. Who called the service decides whether its trace is recorded;
 * what begins here is.
 */
export function createProvider({ endpoint, version, log }: ExportSettings): TracerProvider {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = reported(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS_MAX }), log);
  return new TracerProvider({
    resource: resourceFromAttributes({ [ATTR_SERVICE_NAME]: 'kvitt', [ATTR_SERVICE_VERSION]: version }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: QUEUED_SPANS_MAX,
        maxExportBatchSize: BATCH_SPANS_MAX,
        scheduledDelayMillis: BATCH_EVERY_MS,
        exportTimeoutMillis: EXPORT_MS_MAX,
      }),
    ],
  });
}

/** Logs when the collector takes no spans any more and when it does again, not each time. */
function reported(exporter: SpanExporter, log: Log): SpanExporter {
  let isDown = false;
  return {
    export: (spans, resultCallback) =>
      exporter.export(spans, (result) => {
        const isDownNow = result.code !== ExportResultCode.SUCCESS;
        if (isDownNow && !isDown) log.warn({ err: result.error }, 'the collector takes no traces; they are dropped');
        if (!isDownNow && isDown) log.info({}, 'the collector takes traces again');
        isDown = isDownNow;
        resultCallback(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}
