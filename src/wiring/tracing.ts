import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { VERSION } from '../version.ts';

/** Null: nothing is traced, and nothing of it is loaded. */
export async function startTraces(config: Config, log: Logger): Promise<Tracing | null> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return null;
  const { startTracing } = await import('../tracing/tracing.ts');
  return startTracing({ endpoint, version: VERSION, log });
}
