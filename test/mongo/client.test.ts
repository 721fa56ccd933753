import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { expect, inject, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/mongo/client.ts';
import { watchPool } from '../../src/mongo/pool-watch.ts';

const { Connection } = createRequire(import.meta.url)('mongodb/lib/cmap/connection.js') as {
  Connection: { prototype: { socket: Socket; prepareCommand(db: string, command: object, options: object): object } };
};

it('a command whose socket is gone at the moment of writing fails instead of waiting for ever', async () => {
  const client = await createClient(inject('mongodbUri')).connect();
  const { prototype } = Connection;
  const { prepareCommand } = prototype;
  onTestFinished(async () => {
    prototype.prepareCommand = prepareCommand;
    await client.close();
  });
  prototype.prepareCommand = function (db, command, options) {
    const message = prepareCommand.call(this, db, command, options);
    // As after the end of a killed server's stream: without an error.
    if ('dbStats' in command) this.socket.destroy();
    return message;
  };
  await expect(client.db('gone').command({ dbStats: 1 })).rejects.toThrow('closed');
  expect(await client.db('gone').command({ ping: 1 })).toMatchObject({ ok: 1 });
});

it('has as many connections as its URI says, or else as many as are usual', () => {
  const maxPoolSize = (uri: string) => createClient(uri).options.maxPoolSize;
  expect(maxPoolSize('mongodb://127.0.0.1/?maxPoolSize=7')).toBe(7);
  expect(maxPoolSize('mongodb://127.0.0.1/')).toBe(32);
});

it('tells how long operations have waited for a connection', async () => {
  const client = createClient(`${inject('mongodbUri')}&maxPoolSize=1`);
  const pool = watchPool(client);
  onTestFinished(() => client.close());
  const ping = () => client.db('waits').command({ ping: 1 });
  await client.connect();
  await ping();
  const before = pool.waitedMs;
  await Promise.all(Array.from({ length: 20 }, ping));
  expect(pool.waitedMs).toBeGreaterThan(before);
  expect(pool).toMatchObject({ open: expect.any(Number), inUse: 0, waiting: 0 });
});
