import type { Command } from './types.ts';

const REQUESTS_MAX = 20;

/** Which commands a line of the log is about: how many, and by which requests; the first of these. */
export function concerned(commands: readonly Command[]): { commands: number; request_ids: string[] } {
  const ids = new Set<string>();
  for (const { requestId } of commands) {
    if (ids.size === REQUESTS_MAX) break;
    if (requestId !== undefined) ids.add(requestId);
  }
  return { commands: commands.length, request_ids: [...ids] };
}

/** The same for tasks. */
export function concernedTasks(tasks: readonly { readonly command: Command }[]): ReturnType<typeof concerned> {
  return concerned(tasks.map(({ command }) => command));
}
