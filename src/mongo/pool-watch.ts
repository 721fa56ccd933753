import type { MongoClient } from 'mongodb';

/** How the connections of a client stand, to all members of the replica set together. */
export interface PoolFigures {
  readonly open: number;
  readonly inUse: number;
  /** Operations that wait for a connection. */
  readonly waiting: number;
  /** Operations that got none, so far. */
  readonly failed: number;
  /** How long all operations together have waited for one, so far. */
  readonly waitedMs: number;
}

/** Counts the connections of a client from now on: call it before it connects. */
export function watchPool(client: MongoClient): PoolFigures {
  const figures = { open: 0, inUse: 0, waiting: 0, failed: 0, waitedMs: 0 };
  client.on('connectionCreated', () => figures.open++);
  client.on('connectionClosed', () => figures.open--);
  client.on('connectionCheckOutStarted', () => figures.waiting++);
  client.on('connectionCheckedOut', ({ durationMS }) => {
    figures.waiting--;
    figures.waitedMs += durationMS;
    figures.inUse++;
  });
  client.on('connectionCheckOutFailed', ({ durationMS }) => {
    figures.waiting--;
    figures.waitedMs += durationMS;
    figures.failed++;
  });
  client.on('connectionCheckedIn', () => figures.inUse--);
  return figures;
}
