import type { LocalTarget } from '../loadtest/tool-flags.ts';
import { prepareLocal } from './local.ts';

/** As the service runs under load: see the tuning in `docs/loadtest.md`. */
const SETTINGS = { METRICS_OPEN: 'true', LOG_LEVEL: 'warn' };

/** A service for a load test, on this machine, as it is started by `npm start`. */
export async function startLocalTarget(): Promise<LocalTarget> {
  const local = await prepareLocal(SETTINGS);
  const { sqs, service, apiKey, queueUrl: url, environment } = local;
  try {
    await service.start();
  } catch (error) {
    await local.close();
    throw error;
  }
  // The AWS SDK looks for them here.
  process.env.AWS_ACCESS_KEY_ID ??= environment.AWS_ACCESS_KEY_ID;
  process.env.AWS_SECRET_ACCESS_KEY ??= environment.AWS_SECRET_ACCESS_KEY;
  const queue = { url, endpoint: sqs.endpoint, region: sqs.region };
  return { addresses: [service.address], apiKey, queue, samplers: [], close: local.close };
}
