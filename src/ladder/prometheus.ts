/** The text format of Prometheus, as far as our own service writes it. */

export class Scrape {
  readonly #values = new Map<string, number>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const found = /^(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line);
      if (found) this.#values.set(found[1]!, Number(found[2]));
    }
  }

  /** The value, or the sum of those with any labels; `label` narrows it, such as `state="in_use"`. */
  value(name: string, label = ''): number {
    let total = 0;
    for (const [key, value] of this.#values) {
      if ((key === name || key.startsWith(`${name}{`)) && key.includes(label)) total += value;
    }
    return total;
  }
}
