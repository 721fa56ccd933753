import type { Logger } from 'pino';
import { type Config, readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { openStorage, type Storage } from '../wiring/storage.ts';

/** Runs something over the database of the settings, and closes it again. */
export async function withStorage<T>(run: (storage: Storage, config: Config, log: Logger) => Promise<T>): Promise<T> {
  const config = readConfig();
  // A command's own answer is what counts; the log only says what is wrong.
  const log = createLog(config.LOG_LEVEL === 'info' ? 'warn' : config.LOG_LEVEL);
  const storage = await openStorage(config, log, { share: true });
  try {
    return await run(storage, config, log);
  } finally {
    await storage.close();
  }
}
