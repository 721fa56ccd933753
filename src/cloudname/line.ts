import type { Session } from '../zookeeper/session.ts';

/**
 * The last of the claims of a coordinate in a session, by path: resolves when all of them have left. To the servers they
 * are the same owner, and so the first one alone may touch the node.
 */
const lines = new WeakMap<Session, Map<string, Promise<unknown>>>();

/** @returns What is waited for, if anything, and what lets the next one in. */
export function standInLine(session: Session, path: string): { before: Promise<unknown> | null; leave: () => void } {
  const line = lines.get(session) ?? new Map<string, Promise<unknown>>();
  lines.set(session, line);
  const before = line.get(path) ?? null;
  let leave = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const all: Promise<unknown> = Promise.all([before, left]).then(() => {
    if (line.get(path) === all) line.delete(path);
  });
  line.set(path, all);
  return { before, leave };
}
