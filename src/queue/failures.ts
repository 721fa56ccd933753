const MESSAGES_MAX = 10_000;

/**
 * How often messages failed here. Of a FIFO queue the receive count does not say that: those behind one that fails are
 * received with it, and given back untried.
 */
export class Failures {
  /** By message id, the latest last; what is forgotten is tried for longer. */
  readonly #counts = new Map<string, number>();

  /** @returns How often it did, this time included. */
  add(messageId: string): number {
    const count = (this.#counts.get(messageId) ?? 0) + 1;
    this.#counts.delete(messageId);
    this.#counts.set(messageId, count);
    if (this.#counts.size > MESSAGES_MAX) this.#counts.delete(this.#counts.keys().next().value!);
    return count;
  }

  of(messageId: string): number {
    return this.#counts.get(messageId) ?? 0;
  }

  forget(messageId: string): void {
    this.#counts.delete(messageId);
  }
}
