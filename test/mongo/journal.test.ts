import { type CommandStartedEvent, type MongoClient, Timestamp } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createClient } from '../../src/mongo/client.ts';
import { MongoJournal } from '../../src/mongo/journal.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
let client: MongoClient;

beforeAll(async () => {
  client = await createClient(inject('mongodbUri'), { monitorCommands: true }).connect();
});
afterAll(() => client.close());

const EMPTY = { postingsBelow: 0, entries: [] };

function aTerm(height: number) {
  const block = { book: 0, height, prev: new Uint8Array(32), term: height, at: 1, kind: 'term' as const, ...EMPTY };
  return new MongoJournal(database.db).encode(block);
}

describe('the journal', () => {
  it.each<[string, (journal: MongoJournal) => Promise<unknown>]>([
    ['the tip of a book', (journal) => journal.tip(0)],
    ['blocks', (journal) => journal.read(0, 1, 10)],
    ['entries', (journal) => journal.findEntries(['txn_x'])],
    ['balances', (journal) => journal.balances(['a'])],
    ['one balance', (journal) => journal.balanceAt('a', 1)],
  ])('never reads %s as they were before its last append, whoever is primary by then', async (_, read) => {
    const db = client.db(database.name);
    const [writer, reader] = [new MongoJournal(db), new MongoJournal(db)];
    const appended: Timestamp[] = [];
    client.once('commandSucceeded', ({ reply }) =>
      appended.push((reply as { operationTime: Timestamp }).operationTime),
    );
    const height = ((await new MongoJournal(database.db).tip(0))?.height ?? 0) + 1;
    expect(await writer.append([aTerm(height)])).toMatchObject({ landed: 1 });
    const started: CommandStartedEvent[] = [];
    client.once('commandStarted', (event) => started.push(event));
    await read(reader);
    const { level, afterClusterTime } = started[0]!.command.readConcern;
    expect(level).toBe('majority');
    expect(afterClusterTime).toBeInstanceOf(Timestamp);
    expect(afterClusterTime.greaterThanOrEqual(appended[0]!)).toBe(true);
  });

  it('reads after its client was closed and connected again', async () => {
    const again = await createClient(inject('mongodbUri')).connect();
    const journal = new MongoJournal(again.db(database.name));
    await journal.tip(0);
    await again.close();
    await again.connect();
    await journal.tip(0);
    await again.close();
  });
});
