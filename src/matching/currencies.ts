const CURRENCIES_MAX = 255;

/** Currency codes by small numbers, in the order in which they were met. */
export class Currencies {
  readonly #codes: string[] = [];
  readonly #numbers = new Map<string, number>();

  add(code: string): number {
    const known = this.#numbers.get(code);
    if (known !== undefined) return known;
    const number = this.#codes.push(code) - 1;
    if (number > CURRENCIES_MAX) throw new RangeError(`more than ${CURRENCIES_MAX + 1} currencies`);
    this.#numbers.set(code, number);
    return number;
  }

  code(number: number): string {
    return this.#codes[number]!;
  }
}
