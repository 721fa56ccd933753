import type { Log } from '../ledger/ports.ts';
import { EXPIRY_CLIENT } from './callers.ts';
import type { LifeCycle } from './life-cycle.ts';
import { Loop } from './loop.ts';
import type { PaymentsView } from './ports.ts';

const POLL_MS = 250;
const AT_ONCE = 200;
/** An expiry that was decided too early, by a clock that lagged, is tried again under another key. */
const KEY_PERIOD_MS = 10_000;

interface ExpiryDeps {
  readonly lifeCycle: Pick<LifeCycle, 'expire'>;
  readonly view: Pick<PaymentsView, 'heldUntil'>;
  readonly log: Log;
}

/**
 * Releases what payments hold once their time is over. That they cannot be captured any more does not depend on it: the
 * book decides that by the time of its blocks. It looks for what is overdue instead of remembering when it will be, so
 * it goes on after any restart, and any number of processes may do it at once: of each payment one release has an effect.
 */
export class Expiry {
  readonly #loop: Loop;
  /** Payments whose hold was released, or had been. */
  released = 0;
  /** Attempts to release one that failed, and are made again. */
  failed = 0;

  constructor(readonly deps: ExpiryDeps) {
    const turn = async () => {
      await this.releaseOverdue(Date.now());
      return POLL_MS;
    };
    this.#loop = new Loop(turn, (error) => {
      deps.log.warn({ err: error }, 'holds that are over cannot be released; trying again');
    });
  }

  start(): void {
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** Releases what is overdue at a time (ms since the epoch), in batches. */
  async releaseOverdue(now: number): Promise<void> {
    const { view, lifeCycle, log } = this.deps;
    const ids = await view.heldUntil(new Date(now), AT_ONCE);
    const period = Math.floor(now / KEY_PERIOD_MS);
    const ended = await Promise.allSettled(
      ids.map((id) => lifeCycle.expire(id, { client: EXPIRY_CLIENT, key: `${id}/${period}` })),
    );
    for (const one of ended) {
      if (one.status === 'fulfilled') {
        this.released++;
        continue;
      }
      this.failed++;
      log.warn({ err: one.reason }, 'a hold that is over cannot be released now');
    }
  }
}
