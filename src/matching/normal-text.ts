const DIGIT = 1;
const LETTER = 2;
const LENGTH_MAX = 4_096;

/**
 * A text as references are looked for in it: letters and digits alone, upper case. Banks add and drop spaces and
 * punctuation, and most write capitals.
 */
export class NormalText {
  readonly codes = new Uint16Array(LENGTH_MAX);
  /** Bit 0: something was left out before this character. Of one beyond the end, too. */
  readonly #breaks = new Uint8Array(LENGTH_MAX + 1);
  length = 0;

  /** Takes in another text instead; of longer ones the beginning. */
  set(text: string): this {
    this.length = 0;
    this.#breaks[0] = 1;
    const upper = isPlain(text) ? text : text.normalize('NFKC').toUpperCase();
    for (let i = 0; i < upper.length && this.length < LENGTH_MAX; i++) {
      let code = upper.charCodeAt(i);
      if (code >= 97 && code <= 122) code -= 32;
      if (kindOf(code) === 0) {
        this.#breaks[this.length] = 1;
        continue;
      }
      this.codes[this.length++] = code;
      this.#breaks[this.length] = 0;
    }
    this.#breaks[this.length] = 1;
    return this;
  }

  toString(): string {
    return String.fromCharCode(...this.codes.subarray(0, this.length));
  }

  /** Could something begin or end between these two characters? Not within a number, or within a word. */
  isBoundary(at: number): boolean {
    if (at === 0 || at >= this.length || this.#breaks[at] === 1) return true;
    return kindOf(this.codes[at - 1]!) !== kindOf(this.codes[at]!);
  }
}

function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

function kindOf(code: number): number {
  if (code >= 48 && code <= 57) return DIGIT;
  if (code >= 65 && code <= 90) return LETTER;
  return code > 127 && /[\p{L}\p{N}]/u.test(String.fromCharCode(code)) ? LETTER : 0;
}

const scratch = new NormalText();

export function normalized(text: string): string {
  return String(scratch.set(text));
}
