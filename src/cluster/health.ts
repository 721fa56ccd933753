import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 1_000;
/** One failure may be an election, which takes leaders no longer than others. */
const FAILURES_MAX = 3;

/** Looks again and again whether this process can do its work, and tells when that changes. */
export class HealthWatch {
  readonly #stopped = new AbortController();
  #isWell = true;

  constructor(isWell: () => Promise<boolean>, onChange: (isWell: boolean) => void) {
    void this.#run(isWell, onChange);
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #run(isWell: () => Promise<boolean>, onChange: (isWell: boolean) => void): Promise<void> {
    const { signal } = this.#stopped;
    for (let failures = 0; !signal.aborted; ) {
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      failures = (await isWell()) ? 0 : failures + 1;
      const isWellNow = failures === 0 || (this.#isWell && failures < FAILURES_MAX);
      if (isWellNow !== this.#isWell) onChange(isWellNow);
      this.#isWell = isWellNow;
    }
  }
}
