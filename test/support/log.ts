import type { Log } from '../../src/ledger/ports.ts';

/** Shows errors only: what a test expects to go wrong must not fill the screen. */
export const quietLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields, message) => console.error(message, fields),
};
