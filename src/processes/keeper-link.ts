/** What agent and keeper say to each other: JSON, a line each, over a socket in the folder of the run. */
import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { FILES, type RunFacts } from './keeper-files.ts';
import type { RunEnd } from './run.ts';

const LINE_CHARACTERS_MAX = 65_536;
const WAITING_BYTES_MAX = 65_536;

export type FromKeeper =
  | { readonly type: 'hello'; readonly protocol: number }
  | ({ readonly type: 'running' } & RunFacts)
  | ({ readonly type: 'ended'; readonly end: RunEnd } & RunFacts);

export type ToKeeper =
  | { readonly type: 'stop'; readonly graceMs: number }
  | { readonly type: 'kill'; readonly why: string }
  /**
   * A time on the clock of `bootMs` rather than a duration: read late, by a keeper that had no turn, a duration would last
   * longer than the agent meant.
   */
  | { readonly type: 'renew'; readonly until: number };

/** Hangs up on one that does not listen: an agent connects again, and says again what matters. */
export function say(socket: Socket, message: FromKeeper | ToKeeper): void {
  if (socket.writableLength > WAITING_BYTES_MAX) socket.destroy();
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Hands over each message; what is no message closes the socket. */
export function hear<T extends FromKeeper | ToKeeper>(socket: Socket, listener: (message: T) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    if (rest.length > LINE_CHARACTERS_MAX) socket.destroy();
    for (const line of lines) {
      const message = parse<T>(line);
      if (message === null) return socket.destroy();
      listener(message);
    }
  });
}

function parse<T>(line: string): T | null {
  try {
    return JSON.parse(line) as T | null;
  } catch {
    return null;
  }
}

/**
 * The path of a socket has at most 107 bytes, and folders may be deeper than that: so the folder is opened, and the socket
 * is named from there. The keeper, which is in its folder, needs its name only.
 */
export function connectTo(folder: string): Socket {
  const file = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return connect(`/proc/self/fd/${file}/${FILES.socket}`);
  } finally {
    // The name has been looked up by then.
    closeSync(file);
  }
}
