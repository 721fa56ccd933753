interface Row {
  readonly what: string;
  readonly found: string;
  readonly expected: string;
  readonly ok: boolean | null;
}

/** What was found against what must be, as a table. */
export class Checks {
  readonly #rows: Row[] = [];

  get hold(): boolean {
    return this.#rows.length > 0 && this.#rows.every(({ ok }) => ok !== false);
  }

  /** `shown`: a figure to show when the values themselves are too long to read. */
  equal<T extends number | string>(what: string, found: T, expected: T, shown?: number): void {
    const ok = found === expected;
    const text = (value: T) => (shown === undefined || !ok ? String(value).slice(0, 300) : String(shown));
    this.#rows.push({ what, found: text(found), expected: text(expected), ok });
  }

  /** A figure that nothing is expected of. */
  note(what: string, found: number): void {
    this.#rows.push({ what, found: String(found), expected: '', ok: null });
  }

  render(): string {
    const width = Math.max(...this.#rows.map(({ what }) => what.length));
    const lines = this.#rows.map(({ what, found, expected, ok }) => {
      const mark = ok === null ? '' : ok ? 'ok' : `WRONG, expected ${expected}`;
      return `  ${what.padEnd(width)}  ${found.padStart(6)}  ${mark}`.trimEnd();
    });
    return `\n${lines.join('\n')}\n\n`;
  }
}
