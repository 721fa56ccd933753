/**
 * Repairs a fault of the MongoDB driver, 7.9.0: a command is never answered, and no timeout ends it, when its socket is
 * gone at the moment of writing. `Connection.writeCommand` then waits for `drain` or `error` of the socket; but a socket
 * that has ended in order, as that of a killed server does, emits neither, only `close`. Whoever waits for such a command
 * waits for ever. Here whatever closes a connection also ends that wait.
 *
 * Not public: pinned with the driver's version, and tested.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

interface DriverConnection {
  readonly closed: boolean;
  readonly socket: Socket;
  cleanup(error: Error): void;
}

const { Connection } = createRequire(import.meta.url)('mongodb/lib/cmap/connection.js') as {
  Connection: { prototype: DriverConnection & { repaired?: true } };
};

export function repairDriver(): void {
  const { prototype } = Connection;
  if (prototype.repaired) return;
  prototype.repaired = true;
  const cleanup = prototype.cleanup;
  prototype.cleanup = function (this: DriverConnection, error: Error): void {
    if (this.closed) return;
    cleanup.call(this, error);
    // Only the driver listens: the connection itself, which is closed by now, and a write that waits.
    this.socket.emit('error', error);
  };
}
