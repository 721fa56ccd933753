import type { Db } from 'mongodb';
import type { HealthPort } from '../http/ports.ts';

const READINESS_MS_MAX = 2_000;

export function healthOf(db: Db): HealthPort {
  return {
    readiness: async () => {
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
