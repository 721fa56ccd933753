import { valuesOf } from '../loadtest/resources.ts';

/** The metrics of the service at one moment. */
export class Scrape {
  readonly #values: ReadonlyMap<string, number>;

  constructor(text: string) {
    this.#values = valuesOf(text);
  }

  /** The value, or the sum of those with any labels; `label` narrows it, such as `state="in_use"`. */
  value(name: string, label = ''): number {
    if (label === '') return this.#values.get(name) ?? 0;
    let total = 0;
    for (const [key, value] of this.#values) {
      if (key.startsWith(`${name}{`) && key.includes(label)) total += value;
    }
    return total;
  }
}
