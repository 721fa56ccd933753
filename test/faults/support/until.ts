import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** Resolves when it is so; rejects after `ms`. What it looks at may fail meanwhile. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean, ms: number): Promise<void> {
  let last: unknown;
  for (const end = Date.now() + ms; Date.now() < end; await sleep(POLL_MS)) {
    try {
      last = await isSo();
      if (last === true) return;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`not within ${ms} ms: ${what} (last: ${last})`);
}
