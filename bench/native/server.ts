/**
 * The peer of load tests and of the HTTP comparison, in a process of its own: MongoDB's multi-document transactions
 * behind the routes of the service. Settings by environment: MONGODB_URI, HTTP_PORT, BOOTSTRAP_API_KEY, and if need be
 * MONGODB_DATABASE (kvitt_native), HTTP_HOST (127.0.0.1), METRICS_OPEN (false), LOG_LEVEL (warn).
 */
import { z } from 'zod';
import { isApiKey } from '../../src/http/auth.ts';
import { createLog } from '../../src/log.ts';
import { Metrics } from '../../src/metrics.ts';
import { createClient } from '../../src/mongo/client.ts';
import { watchPool } from '../../src/mongo/pool-watch.ts';
import { buildNativeApp } from './app.ts';

const CONNECTIONS_MAX = 100;

const settings = z
  .object({
    MONGODB_URI: z.string().min(1),
    MONGODB_DATABASE: z.string().min(1).default('kvitt_native'),
    HTTP_HOST: z.string().min(1).default('127.0.0.1'),
    HTTP_PORT: z.coerce.number().int().min(1).max(65_535),
    BOOTSTRAP_API_KEY: z.string().refine(isApiKey, 'must be kvitt_ and 32 to 86 letters and digits'),
    METRICS_OPEN: z.enum(['true', 'false']).default('false'),
    LOG_LEVEL: z.string().default('warn'),
  })
  .parse(process.env);

const client = createClient(settings.MONGODB_URI, { maxPoolSize: CONNECTIONS_MAX });
const metrics = new Metrics();
metrics.watchPool(watchPool(client));
await client.connect();
const app = await buildNativeApp(client.db(settings.MONGODB_DATABASE), {
  apiKey: settings.BOOTSTRAP_API_KEY,
  metrics,
  metricsOpen: settings.METRICS_OPEN === 'true',
  log: createLog(settings.LOG_LEVEL),
});
await app.listen({ host: settings.HTTP_HOST, port: settings.HTTP_PORT });
process.once('SIGTERM', () => {
  void app.close().then(() => client.close());
});
