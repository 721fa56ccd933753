import type { WatchEvent } from './protocol.ts';

/** Fired once: for a change of what was watched, or because the connection was lost that it was watched over. */
export type Watcher = (event: WatchEvent | { readonly type: 'connection_lost' }) => void;

export interface Watch {
  readonly kind: 'data' | 'children';
  readonly path: string;
  readonly watcher: Watcher;
}

/** The watches that stand over a connection, and who is told when they fire. */
export class Watches {
  readonly #watchers = new Map<string, Set<Watcher>>();

  add({ kind, path, watcher }: Watch): void {
    const key = `${kind}:${path}`;
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(watcher));
  }

  /** The watcher is not told any more. */
  forget(path: string, watcher: Watcher): void {
    for (const key of [`data:${path}`, `children:${path}`]) {
      const watchers = this.#watchers.get(key);
      watchers?.delete(watcher);
      if (watchers?.size === 0) this.#watchers.delete(key);
    }
  }

  notify(event: WatchEvent): void {
    if (event.type !== 'children') this.#fire(`data:${event.path}`, event);
    if (event.type === 'children' || event.type === 'deleted') this.#fire(`children:${event.path}`, event);
  }

  connectionLost(): void {
    for (const key of [...this.#watchers.keys()]) this.#fire(key, { type: 'connection_lost' });
  }

  #fire(key: string, event: Parameters<Watcher>[0]): void {
    const watchers = this.#watchers.get(key);
    this.#watchers.delete(key);
    for (const watcher of watchers ?? []) watcher(event);
  }
}
