/** Items that a {@link Gathering} handles at once. */
const AT_ONCE_MAX = 1_000;
/** Those that come do not wait longer for those before: a call may hang on a connection that is dead. */
const WAIT_MS_MAX = 500;

interface Waiting<T, R> {
  readonly item: T;
  resolve(answer: R): void;
  reject(error: unknown): void;
}

/**
 * Handles items together that come while others are being handled: a call to the database costs much the same for one and
 * for many. Whoever comes alone waits for nobody, and what an item is answered was found out after it came.
 */
export class Gathering<T, R> {
  readonly #handle: (items: readonly T[]) => Promise<readonly PromiseSettledResult<R>[]>;
  #waiting: Waiting<T, R>[] = [];
  #isBusy = false;

  /** `handle` answers for each item, in their order; when it rejects, that is the answer for all of them. */
  constructor(handle: (items: readonly T[]) => Promise<readonly PromiseSettledResult<R>[]>) {
    this.#handle = handle;
  }

  submit(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#isBusy) void this.#handleAll();
    });
  }

  async #handleAll(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, AT_ONCE_MAX);
      this.#waiting = this.#waiting.slice(AT_ONCE_MAX);
      await settledOrLate(this.#handleThese(batch));
    }
    this.#isBusy = false;
  }

  async #handleThese(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const answers = await this.#handle(batch.map(({ item }) => item));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const answer = answers[index]!;
        if (answer.status === 'fulfilled') resolve(answer.value);
        else reject(answer.reason);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

async function settledOrLate(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, WAIT_MS_MAX);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** What was found for each of several items, as a {@link Gathering} wants it. */
export function fulfilled<R>(values: readonly R[]): PromiseSettledResult<R>[] {
  return values.map((value) => ({ status: 'fulfilled', value }));
}
