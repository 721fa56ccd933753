import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as sleepFor } from 'node:timers/promises';
import type { Runtime } from './ports.ts';

/** The real one. */
export const systemRuntime: Runtime = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  // Loops that can be ended keep no process alive.
  sleep: (ms, signal) => sleepFor(ms, undefined, signal ? { signal, ref: false } : {}).catch(() => undefined),
  turn: () => nextTurn(),
  random: () => Math.random(),
  newId: () => randomUUID(),
};
