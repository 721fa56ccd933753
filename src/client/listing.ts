import type { z } from 'zod';
import type { listOf } from '../resources/schemas.ts';

/** A page of a list. */
export type Page<T> = Omit<z.output<ReturnType<typeof listOf>>, 'data'> & { readonly data: T[] };

/** Where in a list a page is. */
interface Cursors {
  readonly limit?: unknown;
  readonly starting_after?: unknown;
  readonly ending_before?: unknown;
}

const LIMIT_MAX = 100;

/**
 * A list of the API. Iterated, all its items, whatever number of pages they are on: from the newest to the oldest, or,
 * with `ending_before`, from there to the newest.
 */
export class Listing<T extends { readonly id: string }> implements AsyncIterable<T> {
  readonly #query: Cursors;
  readonly #read: (query: object) => Promise<Page<T>>;

  constructor(query: Cursors, read: (query: object) => Promise<Page<T>>) {
    this.#query = query;
    this.#read = read;
  }

  /** The page that was asked for. @throws KvittError */
  page(): Promise<Page<T>> {
    return this.#read(this.#query);
  }

  /** @throws KvittError */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    const goesUp = this.#query.ending_before !== undefined;
    let query: Cursors = { limit: LIMIT_MAX, ...this.#query };
    for (;;) {
      const { data, has_more: hasMore } = await this.#read(query);
      yield* goesUp ? data.toReversed() : data;
      const last = goesUp ? data[0] : data.at(-1);
      if (!hasMore || last === undefined) return;
      query = { ...query, [goesUp ? 'ending_before' : 'starting_after']: last.id };
    }
  }
}
