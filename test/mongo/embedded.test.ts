import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/mongo/client.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { describeProcess } from '../../src/mongo/process-table.ts';
import { connectClient } from '../support/database.ts';
import { quietLog } from '../support/log.ts';

const OWNER = fileURLToPath(new URL('../support/replica-set-owner.ts', import.meta.url));

let dataDir: string;
const running: EmbeddedReplicaSet[] = [];
const owners: { owner: ChildProcess; pids: number[] }[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'kvitt-test-embedded-'));
});

afterEach(async () => {
  await Promise.all(owners.splice(0).map(endOwner));
  await Promise.all(running.splice(0).map((set) => set.stop()));
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedReplicaSet> {
  const set = await startEmbeddedReplicaSet({ dataDir, log: quietLog });
  running.push(set);
  return set;
}

/** Another process that starts a replica set in the folder and answers where it is. */
async function startOwner(): Promise<{ owner: ChildProcess; uri: string; pids: number[] }> {
  const owner = spawn(process.execPath, ['--import', 'tsx', OWNER, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(owner.stdout ?? owner, 'data');
  const started = { owner, ...JSON.parse(String(line)) };
  owners.push(started);
  return started;
}

async function endOwner({ owner, pids }: { owner: ChildProcess; pids: number[] }): Promise<void> {
  if (owner.exitCode === null && owner.signalCode === null) {
    // In order, so that its mongod processes end as well.
    owner.kill('SIGTERM');
    await once(owner, 'exit');
  }
  await expectGone(pids);
}

async function expectGone(pids: number[]): Promise<void> {
  await expect.poll(() => Promise.all(pids.map(describeProcess)), { timeout: 20_000 }).toEqual([null, null, null]);
}

/** Waits longer than the service would: how soon the others catch up after a fault is not what these tests are about. */
async function write(uri: string, _id: string): Promise<void> {
  const writeConcern = { w: 'majority', journal: true, wtimeoutMS: 30_000 } as const;
  const client = await createClient(uri, { writeConcern, socketTimeoutMS: 40_000 }).connect();
  await client.db('kept').collection<{ _id: string }>('things').insertOne({ _id });
  await client.close();
}

async function read(uri: string): Promise<string[]> {
  const client = await connectClient(uri);
  const things = await client.db('kept').collection<{ _id: string }>('things').find().sort({ _id: 1 }).toArray();
  await client.close();
  return things.map(({ _id }) => _id);
}

describe('the embedded replica set', () => {
  it('keeps its data, ports and members when it is stopped and started again, and says why when one does not start', async () => {
    const first = await start();
    await write(first.uri, 'before');
    const pids = first.members.map(({ pid }) => pid);
    await first.stop();
    expect(await Promise.all(pids.map(describeProcess))).toEqual([null, null, null]);

    const second = await start();
    expect(second.uri).toBe(first.uri);
    expect(await read(second.uri)).toEqual(['before']);
    await second.stop();
    await writeFile(join(dataDir, 'member-1', 'data', 'storage.bson'), 'not what it was');
    await expect(start()).rejects.toThrow(
      /did not start: it ended with .*\nThe end of .*member-1\/mongod\.log:\n.*storage engine metadata/s,
    );
  });

  it('starts again over the processes that a killed owner left behind, and loses nothing', async () => {
    const { owner, uri, pids } = await startOwner();
    await write(uri, 'acknowledged');
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(await Promise.all(pids.map(describeProcess))).not.toContain(null);

    const set = await start();
    expect(await Promise.all(pids.map(describeProcess))).toEqual([null, null, null]);
    expect(set.uri).toBe(uri);
    expect(await read(set.uri)).toEqual(['acknowledged']);
  });

  it('refuses a folder that another living process uses, whose members end when it ends without stopping them', async () => {
    const { owner, uri, pids } = await startOwner();
    await expect(start()).rejects.toThrow(/is in use by process \d+/);
    expect(await Promise.all(pids.map(describeProcess))).not.toContain(null);
    await write(uri, 'still served');
    owner.kill('SIGTERM');
    await once(owner, 'exit');
    await expectGone(pids);
  });
});

describe('its members', () => {
  let set: EmbeddedReplicaSet;
  beforeAll(async () => {
    set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog });
  });
  afterAll(() => set.stop());

  it('elect another primary when the primary is stopped, and have one primary again when it goes on', async () => {
    const stopped = (await set.primaryIndex()) ?? -1;
    await set.members[stopped]?.kill('SIGSTOP');
    await expect.poll(() => set.primaryIndex(), { timeout: 60_000 }).not.toBe(stopped);
    await expect.poll(() => set.primaryIndex(), { timeout: 60_000 }).not.toBeNull();
    await write(set.uri, 'without it');
    await set.members[stopped]?.kill('SIGCONT');
    expect(await set.primaryIndex()).not.toBe(stopped);
    expect(await read(set.uri)).toEqual(['without it']);
  });

  it('elect another primary when the primary is killed, and take the killed one back with all data', async () => {
    await write(set.uri, 'one');
    await expect.poll(() => set.primaryIndex(), { timeout: 60_000 }).not.toBeNull();
    const killed = (await set.primaryIndex()) ?? -1;
    const pid = set.members[killed]?.pid;
    await set.members[killed]?.kill('SIGKILL');
    await expect.poll(() => set.primaryIndex(), { timeout: 60_000 }).not.toBeNull();
    expect(await set.primaryIndex()).not.toBe(killed);
    await write(set.uri, 'two');

    await set.restart(killed);
    expect(set.members[killed]?.pid).not.toBe(pid);
    const others = set.members.filter((_, index) => index !== killed);
    await others[0]?.kill('SIGKILL');
    await expect.poll(() => set.primaryIndex(), { timeout: 60_000 }).not.toBeNull();
    expect(await read(set.uri)).toEqual(expect.arrayContaining(['one', 'two']));
  });
});
