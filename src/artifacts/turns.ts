/** Work that must not happen side by side. */
import { setMaxListeners } from 'node:events';

/** One after the other for each key, in the order of the calls. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const own = before.then(work);
    const settled = own.then(ignore, ignore).then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    this.#last.set(key, settled);
    return own;
  }
}

/** At most so many at a time, whatever they are about. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The slot is handed over, so that nobody who comes now takes it first.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Work for which several wait. It is given up when none of them waits any more, or it is of no use. */
export class Shared<T> {
  readonly #abort = new AbortController();
  readonly #result: Promise<T>;
  #waiters = 0;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    setMaxListeners(0, this.#abort.signal);
    this.#result = work(this.#abort.signal);
    this.#result.catch(ignore);
  }

  /** Was it given up? Then nobody else can wait for it. */
  get isGivenUp(): boolean {
    return this.#abort.signal.aborted;
  }

  giveUp(why: Error): void {
    this.#abort.abort(why);
  }

  /** @throws what the work throws, or the reason of the signal when that comes first */
  async wait(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    // One signal may be for many, which Node takes for a leak.
    setMaxListeners(0, signal);
    this.#waiters += 1;
    let stop: () => void = ignore;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([this.#result, aborted]);
    } finally {
      signal.removeEventListener('abort', stop);
      this.#waiters -= 1;
      if (this.#waiters === 0) this.#abort.abort(signal.reason);
    }
  }
}

function ignore(): void {}
