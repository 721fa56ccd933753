interface Waiting {
  readonly count: number;
  readonly resolve: () => void;
}

/** A counting semaphore: bounds how many messages are in hand. First come, first served. */
export class Slots {
  #free: number;
  readonly #waiting: Waiting[] = [];

  constructor(total: number) {
    this.#free = total;
  }

  take(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#serve();
    });
  }

  release(count: number): void {
    this.#free += count;
    this.#serve();
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.count <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.count;
      next.resolve();
    }
  }
}
