/** What the ledger needs of its MongoDB, member by member. Changes nothing but the probe of a majority write. */
import type { Db, MongoClient } from 'mongodb';
import { createClient } from '../mongo/client.ts';
import { checkDeployment, type DeploymentCheck } from '../mongo/deployment.ts';
import { migrationStatus } from '../mongo/migrate.ts';
import { type Check, fail, ok, warn, why } from './check.ts';
import { diskCheck } from './host.ts';
import { INDEXES, UNIQUE_INDEXES } from './indexes.ts';

const MEMBERS_MIN = 3;
const MEMBER_ANSWER_MS_MAX = 5_000;
const CLOCK_MS_WARN = 1_000;
/** Beyond it AWS refuses signed requests, and times in the journal mislead whoever reads them. */
const CLOCK_MS_FAIL = 300_000;
const MONITOR = 'grant the role clusterMonitor to whoever runs doctor';

interface Member {
  readonly host: string;
  readonly version: string;
  /** How far its clock is ahead of this machine's. */
  readonly aheadMs: number;
  /** Null: it does not say. */
  readonly journaled: boolean | null;
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | null;
}

export async function checkMongoDb(client: MongoClient, database: string): Promise<Check[]> {
  let deployment: readonly DeploymentCheck[];
  try {
    deployment = await checkDeployment(client, database);
  } catch (error) {
    return [fail('mongodb', `it cannot be reached: ${why(error)}`, 'check MONGODB_URI, and that a primary is up')];
  }
  const checks = deployment.map(({ name, ok: isOk, detail }) => {
    // The detail of a broken one ends with what to do.
    return isOk ? ok(name, detail) : fail(name, detail, 'the service does not start on it; do as it says');
  });
  const db = client.db(database);
  const members = await askMembers(client);
  return [
    ...checks,
    ...(await stateChecks(client)),
    ...members.flatMap((member) => ('check' in member ? [member.check] : memberChecks(member))),
    versionsCheck(members.filter((member): member is Member => !('check' in member))),
    await featureCheck(client),
    ...(await schemaChecks(db)),
  ];
}

async function stateChecks(client: MongoClient): Promise<Check[]> {
  const name = 'members';
  try {
    const status = (await client.db('admin').command({ replSetGetStatus: 1 })) as unknown as {
      members: { name: string; stateStr: string; health: number }[];
    };
    const { members } = status;
    const down = members.filter(({ stateStr }) => !['PRIMARY', 'SECONDARY'].includes(stateStr));
    const found = members.map((member) => `${member.name} ${member.stateStr}`).join(', ');
    if (members.length - down.length <= members.length / 2) return [fail(name, found, 'bring up a majority of them')];
    if (down.length > 0) return [warn(name, found, 'bring up those that are down: one more, and nothing is written')];
    if (members.length < MEMBERS_MIN) {
      return [warn(name, found, `use ${MEMBERS_MIN} or more: without a spare one, the first failure stops the ledger`)];
    }
    return [ok(name, found)];
  } catch (error) {
    // No replica set at all is told by the check of replication.
    return [warn(name, `not told: ${why(error)}`, MONITOR)];
  }
}

function memberChecks({ host, aheadMs, journaled, disk }: Member): Check[] {
  return [
    journalCheck(host, journaled),
    clockCheck(host, aheadMs),
    disk === null
      ? warn(`disk of ${host}`, 'not told', MONITOR)
      : diskCheck(`disk of ${host}`, disk.freeBytes, disk.totalBytes),
  ];
}

function journalCheck(host: string, journaled: boolean | null): Check {
  const name = `journaling of ${host}`;
  if (journaled === null) return warn(name, 'not told', MONITOR);
  if (journaled) return ok(name, 'on');
  return fail(name, 'off', 'start it with journaling and on disk: what it acknowledges must outlive it');
}

export function clockCheck(host: string, aheadMs: number): Check {
  const name = `clock of ${host}`;
  const off = Math.abs(aheadMs);
  const found =
    off < CLOCK_MS_WARN ? 'within a second of this one' : `${Math.round(aheadMs / 1000)} s ahead of this one`;
  const next = 'let NTP set the clocks of all machines';
  if (off >= CLOCK_MS_FAIL) return fail(name, found, next);
  return off >= CLOCK_MS_WARN ? warn(name, found, next) : ok(name, found);
}

function versionsCheck(members: readonly Member[]): Check {
  const versions = [...new Set(members.map(({ version }) => version))];
  if (versions.length === 0) return warn('versions', 'no member told', MONITOR);
  if (versions.length === 1) return ok('versions', `${versions[0]} on all`);
  const found = members.map(({ host, version }) => `${host} ${version}`).join(', ');
  return warn('versions', found, 'bring all members to one version, one after the other');
}

async function featureCheck(client: MongoClient): Promise<Check> {
  const name = 'feature compatibility';
  try {
    const admin = client.db('admin');
    const parameter = { getParameter: 1, featureCompatibilityVersion: 1 };
    const { featureCompatibilityVersion: feature } = (await admin.command(parameter)) as unknown as {
      featureCompatibilityVersion: { version: string; targetVersion?: string };
    };
    const { version } = (await admin.command({ buildInfo: 1 })) as unknown as { version: string };
    const release = version.split('.').slice(0, 2).join('.');
    if (feature.version === release && feature.targetVersion === undefined) return ok(name, feature.version);
    const next = `when all is well with ${release}, run db.adminCommand({setFeatureCompatibilityVersion: "${release}"})`;
    return warn(name, `${feature.version}, and MongoDB is ${version}`, next);
  } catch (error) {
    return warn(name, `not told: ${why(error)}`, MONITOR);
  }
}

async function schemaChecks(db: Db): Promise<Check[]> {
  const name = 'migrations';
  try {
    const missing = (await migrationStatus(db)).filter(({ appliedAt }) => appliedAt === null);
    if (missing.length > 0) {
      const found = `not applied: ${missing.map((one) => one.name).join(', ')}`;
      // Without them its indexes cannot be there.
      return [warn(name, found, 'run kvitt migrate up, or start the service, which does')];
    }
    return [ok(name, 'all applied'), await indexCheck(db)];
  } catch (error) {
    return [fail(name, why(error), 'see that the database is readable, and use the newest version of kvitt')];
  }
}

async function indexCheck(db: Db): Promise<Check> {
  const present = new Map<string, boolean>();
  for (const collection of Object.keys(INDEXES)) {
    const indexes = await db
      .collection(collection)
      .indexes()
      .catch(() => []);
    for (const { name, unique } of indexes) present.set(`${collection}.${name}`, unique === true);
  }
  const wanted = Object.entries(INDEXES).flatMap(([collection, names]) => names.map((name) => `${collection}.${name}`));
  const missing = wanted.filter((name) => !present.has(name));
  const plain = UNIQUE_INDEXES.filter((name) => present.get(name) === false).map((name) => `${name} is not unique`);
  const broken = [...missing, ...plain];
  if (broken.length === 0) return ok('indexes', `all ${wanted.length} there`);
  const next =
    'stop the service, remove what `db.migrations` says of the migration that makes them, run kvitt migrate up, and kvitt verify';
  return fail('indexes', `missing or wrong: ${broken.join(', ')}`, next);
}

/** Each at its own address, as the replica set names it. */
async function askMembers(client: MongoClient): Promise<(Member | { readonly check: Check })[]> {
  const { hosts = [] } = (await client.db('admin').command({ hello: 1 })) as unknown as { hosts?: string[] };
  return Promise.all(hosts.map((host) => askMember(client, host).catch((error: unknown) => unasked(host, error))));
}

function unasked(host: string, error: unknown): { check: Check } {
  const next = 'bring it up, or see that this machine reaches it by this name';
  return { check: warn(`member ${host}`, `it cannot be asked: ${why(error)}`, next) };
}

async function askMember({ options }: MongoClient, host: string): Promise<Member> {
  const { credentials, tls } = options;
  const member = createClient(`mongodb://${host}/`, {
    directConnection: true,
    readPreference: 'primaryPreferred',
    serverSelectionTimeoutMS: MEMBER_ANSWER_MS_MAX,
    tls: tls === true,
    ...tlsFiles(options),
    ...(credentials?.username
      ? {
          auth: { username: credentials.username, password: credentials.password },
          authSource: credentials.source,
          authMechanism: credentials.mechanism,
        }
      : {}),
  });
  try {
    const admin = member.db('admin');
    await admin.command({ ping: 1 });
    const asked = Date.now();
    const { localTime } = (await admin.command({ hello: 1 })) as unknown as { localTime: Date };
    const middle = (asked + Date.now()) / 2;
    const { version } = (await admin.command({ buildInfo: 1 })) as unknown as { version: string };
    return {
      host,
      version,
      aheadMs: localTime.getTime() - middle,
      journaled: await journaling(member).catch(() => null),
      disk: await diskOf(member).catch(() => null),
    };
  } finally {
    await member.close();
  }
}

function tlsFiles({ ca, cert, key, tlsCAFile, tlsCertificateKeyFile }: MongoClient['options']) {
  return Object.fromEntries(
    Object.entries({ ca, cert, key, tlsCAFile, tlsCertificateKeyFile }).filter(([, value]) => value !== undefined),
  );
}

async function journaling(member: MongoClient): Promise<boolean> {
  const admin = member.db('admin');
  const { storageEngine } = (await admin.command({ serverStatus: 1 })) as unknown as {
    storageEngine: { persistent?: boolean };
  };
  const { parsed } = (await admin.command({ getCmdLineOpts: 1 })) as unknown as {
    parsed: { storage?: { journal?: { enabled?: boolean } } };
  };
  // Newer servers cannot do without a journal and know no such option.
  return storageEngine.persistent !== false && parsed.storage?.journal?.enabled !== false;
}

async function diskOf(member: MongoClient): Promise<Member['disk']> {
  const stats = (await member.db('admin').command({ dbStats: 1 })) as { fsTotalSize?: unknown; fsUsedSize?: unknown };
  const [totalBytes, usedBytes] = [Number(stats.fsTotalSize), Number(stats.fsUsedSize)];
  return Number.isFinite(totalBytes - usedBytes) ? { freeBytes: totalBytes - usedBytes, totalBytes } : null;
}
