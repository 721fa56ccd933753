/** How a coordinate stands, for people and for whoever leads the fleet. */
import type { ProcessState } from './types.ts';

const MESSAGE_CHARACTERS_MAX = 1_000;

export class Standing {
  readonly #onChange: () => void;
  #state: ProcessState = 'waiting';
  #message = 'is new here';
  #since = new Date();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get state(): ProcessState {
    return this.#state;
  }

  get message(): string {
    return this.#message;
  }

  /** When the present state began. */
  get since(): Date {
    return this.#since;
  }

  set(state: ProcessState, message: string): void {
    const text = message.slice(0, MESSAGE_CHARACTERS_MAX);
    if (state === this.#state && text === this.#message) return;
    if (state !== this.#state) this.#since = new Date();
    this.#state = state;
    this.#message = text;
    this.#onChange();
  }
}
