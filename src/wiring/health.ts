import type { Db } from 'mongodb';
import type { HealthPort, Readiness } from '../http/ports.ts';

const READINESS_MS_MAX = 2_000;

/** @param ending Aborted when this process begins to end: it still serves, and wants to be sent nothing more. */
export function healthOf(db: Db, ending: AbortSignal): HealthPort {
  return {
    readiness: async (): Promise<Readiness> => {
      if (ending.aborted) return { ready: false, checks: { service: 'it is ending' } };
      try {
        // Not `timeoutMS`, which does not bound a command that waits for a primary or for a member that stalls.
        await db.command({ ping: 1 }, { signal: AbortSignal.timeout(READINESS_MS_MAX) });
        return { ready: true, checks: { mongodb: 'ok' } };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { ready: false, checks: { mongodb: why } };
      }
    },
  };
}
