import type { Received } from './message.ts';

export interface GroupDeps {
  /** @returns Has it found its end, so that the next of its group may be begun? Never rejects. */
  work(message: Received): Promise<boolean>;
  /** Of a group that does not go on: neither begun nor to be begun. Never rejects. */
  giveBack(message: Received): Promise<unknown>;
}

/**
 * Messages of FIFO queues: those of one group one after the other, in the order in which they came; groups beside each
 * other. When one has not found its end, those behind it are given back, for the queue to hand them out after it.
 */
export class Groups {
  readonly #deps: GroupDeps;
  /** By group: what waits for the one that is worked on. */
  readonly #lines = new Map<string, Received[]>();

  constructor(deps: GroupDeps) {
    this.#deps = deps;
  }

  add(group: string, message: Received): void {
    const line = this.#lines.get(group);
    if (line !== undefined) {
      line.push(message);
      return;
    }
    const lineOf = [message];
    this.#lines.set(group, lineOf);
    void this.#run(group, lineOf);
  }

  async #run(group: string, line: Received[]): Promise<void> {
    for (let next = line.shift(); next !== undefined; next = line.shift()) {
      if (await this.#deps.work(next)) continue;
      // What comes to the line meanwhile is behind it, too.
      while (line.length > 0) await Promise.all(line.splice(0).map((behind) => this.#deps.giveBack(behind)));
    }
    this.#lines.delete(group);
  }
}
