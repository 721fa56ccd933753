import { rmSync } from 'node:fs';
import type { LocalTarget } from '../loadtest/tool-flags.ts';
import { type Local, prepareLocal } from './local.ts';

const SETTINGS = { METRICS_OPEN: 'true', LOG_LEVEL: 'warn' };
/** An interrupt is for the load test, which ends in order then. */
const SIGNALS = ['SIGTERM', 'SIGHUP'] as const;
const EXIT_ENDED = 2;

/** A service for a load test, on this machine, as it is started by `npm start`. */
export async function startLocalTarget(): Promise<LocalTarget> {
  const local = await prepareLocal(SETTINGS);
  const { sqs, service, apiKey, queueUrl: url, environment } = local;
  const forget = endWithProcess(local);
  const close = async () => {
    await local.close();
    forget();
  };
  try {
    await service.start();
  } catch (error) {
    await close();
    throw error;
  }
  // The AWS SDK looks for them here.
  process.env.AWS_ACCESS_KEY_ID ??= environment.AWS_ACCESS_KEY_ID;
  process.env.AWS_SECRET_ACCESS_KEY ??= environment.AWS_SECRET_ACCESS_KEY;
  const queue = { url, endpoint: sqs.endpoint, region: sqs.region };
  return { addresses: [service.address], apiKey, queue, samplers: [], close };
}

/** Whoever is ended early leaves no processes behind; the members of MongoDB see to that themselves. */
function endWithProcess({ service, folder }: Local): () => void {
  const atExit = () => {
    void service.end('SIGKILL');
    // They take a moment to die, and may write meanwhile.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  const exit = () => process.exit(EXIT_ENDED);
  process.once('exit', atExit);
  for (const signal of SIGNALS) process.once(signal, exit);
  return () => {
    process.off('exit', atExit);
    for (const signal of SIGNALS) process.off(signal, exit);
  };
}
