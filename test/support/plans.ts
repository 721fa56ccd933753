/** How the database carries out what the adapters really send: each read is recorded and then explained. */
import type { CommandStartedEvent, Db, Document } from 'mongodb';
import { inject } from 'vitest';
import { createClient } from '../../src/mongo/client.ts';

/** Of one read, as it was carried out. */
export interface Plan {
  readonly command: Document;
  /** Collections that were read from end to end. */
  readonly scans: number;
  /** The most documents that were sorted in memory at once. */
  readonly sorted: number;
  readonly returned: number;
  readonly docsExamined: number;
  readonly keysExamined: number;
  readonly indexes: readonly string[];
}

const READS = ['find', 'aggregate', 'count', 'distinct'];
const NOT_EXPLAINED = ['lsid', '$db', '$clusterTime', '$readPreference', 'readConcern', 'cursor', 'txnNumber'];

/** Runs `read` over a client of its own and answers what it read, with the plans of all its commands. */
export async function withPlans<T>(name: string, read: (db: Db) => Promise<T>): Promise<{ value: T; plans: Plan[] }> {
  const client = await createClient(inject('mongodbUri'), { monitorCommands: true }).connect();
  try {
    const commands: Document[] = [];
    const record = ({ commandName, command, databaseName }: CommandStartedEvent) => {
      if (READS.includes(commandName) && databaseName === name) commands.push(command);
    };
    client.on('commandStarted', record);
    const value = await read(client.db(name));
    client.off('commandStarted', record);
    const plans: Plan[] = [];
    for (const command of commands) plans.push(await explain(client.db(name), command));
    return { value, plans };
  } finally {
    await client.close();
  }
}

async function explain(db: Db, command: Document): Promise<Plan> {
  const plain = Object.fromEntries(Object.entries(command).filter(([name]) => !NOT_EXPLAINED.includes(name)));
  const explained = await db.command({
    explain: 'aggregate' in plain ? { ...plain, cursor: {} } : plain,
    verbosity: 'executionStats',
  });
  const found = { command: plain, scans: 0, sorted: 0, returned: 0, docsExamined: 0, keysExamined: 0 };
  const indexes: string[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    const { stage, indexName, executionStats } = node as Document;
    if (executionStats) {
      found.docsExamined += Number(executionStats.totalDocsExamined);
      found.keysExamined += Number(executionStats.totalKeysExamined);
      found.returned += Number(executionStats.nReturned);
      walk(executionStats.executionStages);
    }
    if (stage === undefined && indexName === undefined) Object.values(node).forEach(visit);
    const { totalDocsExamined, collectionScans } = node as Document;
    // Of a `$lookup`.
    if (collectionScans !== undefined) {
      found.scans += Number(collectionScans);
      found.docsExamined += Number(totalDocsExamined);
    }
  };
  const walk = (node: Document): void => {
    if (node.stage === 'COLLSCAN') found.scans++;
    if (node.stage === 'SORT') found.sorted = Math.max(found.sorted, Number(node.inputStage?.nReturned ?? 0));
    if (node.indexName) indexes.push(node.indexName);
    for (const child of [node.inputStage, ...(node.inputStages ?? [])]) if (child) walk(child);
  };
  const $sort = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { $sort: sort, nReturned } = node as Document;
    if (sort !== undefined && nReturned !== undefined) found.sorted = Math.max(found.sorted, Number(nReturned));
  };
  visit(explained);
  for (const node of explained.stages ?? []) $sort(node);
  return { ...found, indexes };
}
