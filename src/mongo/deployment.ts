import type { MongoClient } from 'mongodb';

const MAJOR_VERSION_MIN = 6;
const PROBE_TIMEOUT_MS = 10_000;

export interface DeploymentCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was found; when it is not ok, also what to do. */
  readonly detail: string;
}

interface Hello {
  setName?: string;
  msg?: string;
  hosts?: string[];
  arbiters?: string[];
}

/** What safety needs of a MongoDB deployment, checked against the one that is there. Rejects when it cannot be reached. */
export async function checkDeployment(client: MongoClient, database: string): Promise<DeploymentCheck[]> {
  const admin = client.db('admin');
  const hello = (await admin.command({ hello: 1 })) as Hello;
  const { version } = (await admin.command({ buildInfo: 1 })) as unknown as { version: string };
  return [versionCheck(version), replicationCheck(hello), arbiterCheck(hello), await majorityCheck(client, database)];
}

/** Refuses a deployment that cannot keep money safe. @throws Error that names everything that is wrong */
export async function requireSafeDeployment(client: MongoClient, database: string): Promise<void> {
  const broken = (await checkDeployment(client, database)).filter(({ ok }) => !ok);
  if (broken.length === 0) return;
  const list = broken.map(({ name, detail }) => `  - ${name}: ${detail}`).join('\n');
  throw new Error(`This MongoDB cannot keep money safe:\n${list}`);
}

function versionCheck(version: string): DeploymentCheck {
  const ok = Number.parseInt(version, 10) >= MAJOR_VERSION_MIN;
  const detail = ok ? version : `it is ${version}; use MongoDB ${MAJOR_VERSION_MIN}.0 or newer`;
  return { name: 'version', ok, detail };
}

function replicationCheck({ setName, msg, hosts }: Hello): DeploymentCheck {
  if (msg === 'isdbgrid') return { name: 'replication', ok: true, detail: 'a sharded cluster' };
  const members = hosts?.length ?? 0;
  const ok = setName !== undefined && members >= 1;
  const detail = ok
    ? `replica set ${setName} of ${members} members${members < 3 ? '; use three or more in production' : ''}`
    : 'it is not a replica set; start mongod with --replSet and run rs.initiate()';
  return { name: 'replication', ok, detail };
}

function arbiterCheck({ arbiters = [] }: Hello): DeploymentCheck {
  const ok = arbiters.length === 0;
  const detail = ok ? 'none' : `${arbiters.join(', ')}; an arbiter holds no data, replace it by a full member`;
  return { name: 'arbiters', ok, detail };
}

async function majorityCheck(client: MongoClient, database: string): Promise<DeploymentCheck> {
  const probes = client.db(database).collection<{ _id: string; at: Date; count: number }>('probes');
  const writeConcern = { w: 'majority', journal: true, wtimeoutMS: PROBE_TIMEOUT_MS } as const;
  try {
    // Others may check at the same moment, by clocks of their own: a count only grows.
    const change = { $set: { at: new Date() }, $inc: { count: 1 } };
    const options = { upsert: true, returnDocument: 'after', writeConcern } as const;
    const written = await probes.findOneAndUpdate({ _id: 'majority' }, change, options);
    const read = await probes.findOne({ _id: 'majority' }, { readConcern: { level: 'majority' } });
    if (written && read && read.count >= written.count) {
      return { name: 'majority writes', ok: true, detail: 'written, journaled and read back' };
    }
    return { name: 'majority writes', ok: false, detail: 'a majority write was not read back; check the members' };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { name: 'majority writes', ok: false, detail: `${why}; bring up a majority of the members` };
  }
}
