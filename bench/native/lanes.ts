/** Work on the same things is done one after the other, in the order in which it came; other work is not held up. */
export class Lanes {
  readonly #last = new Map<string, Promise<void>>();

  /** Takes its place in all lanes at once, so that no two wait for each other. */
  async run<T>(lanes: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = lanes.map((lane) => this.#last.get(lane));
    let end = () => {};
    const own = new Promise<void>((resolve) => {
      end = resolve;
    });
    for (const lane of lanes) this.#last.set(lane, own);
    await Promise.all(before);
    try {
      return await work();
    } finally {
      end();
      for (const lane of lanes) if (this.#last.get(lane) === own) this.#last.delete(lane);
    }
  }
}
