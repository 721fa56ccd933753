import { type Logger, pino } from 'pino';

/** JSON lines on standard error, so that what a command answers on standard output stays clean. */
export function createLog(level: string): Logger {
  const destination = pino.destination(2);
  // A terminal that is gone must not keep the process from ending: there is nobody left to tell.
  destination.on('error', () => undefined);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return pino({ level, base: { service: 'kvitt' }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
