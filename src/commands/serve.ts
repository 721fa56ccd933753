import closeWithGrace from 'close-with-grace';
import type { Command } from 'commander';
import { ConfigError, readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { type Parts, startService } from '../main.ts';
import { growHeapSlowly } from './heap.ts';

export function addServing(program: Command): void {
  program
    .command('serve')
    .description('serve the API and consume payment events')
    .action(() => serve({ http: true, consumer: true }));
  program
    .command('consume')
    .description('consume payment events only')
    .action(() => serve({ http: false, consumer: true }));
}

async function serve(parts: Parts): Promise<void> {
  growHeapSlowly();
  const config = readConfig();
  const log = createLog(config.LOG_LEVEL);
  const service = await startService(config, log, parts);
  if (service.address !== null) log.info({ address: service.address, docs: `${service.address}/docs` }, 'serving');
  if (service.keyFile !== null)
    log.info({ file: service.keyFile }, 'no BOOTSTRAP_API_KEY is set; a key is in this file');
  if (parts.consumer && !parts.http && service.sqs === null) {
    await service.stop();
    throw new ConfigError('Set SQS_QUEUE_URL and SQS_DEAD_LETTER_QUEUE_URL: there is no queue to consume.');
  }
  // The consumer, HTTP and the engine end one after the other, each within the grace.
  const delay = config.SHUTDOWN_DELAY_MS + 3 * config.SHUTDOWN_GRACE_MS + config.SQS_WAIT_SECONDS * 1000;
  closeWithGrace({ delay, logger: log }, async ({ signal, err }) => {
    if (err) log.error({ err }, 'ending after an unexpected error');
    else log.info({ signal }, 'ending');
    await service.stop();
    // Node 20 spins for ever when it exits after its terminal was closed (it asserts that it can reset it).
    if (signal === 'SIGHUP') process.kill(process.pid, 'SIGKILL');
  });
}
