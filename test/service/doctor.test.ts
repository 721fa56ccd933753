import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Check } from '../../src/doctor/check.ts';
import { INDEXES, UNIQUE_INDEXES } from '../../src/doctor/indexes.ts';
import { freePort } from '../../src/mongo/free-ports.ts';
import { startEmbeddedSqs } from '../../src/queue/embedded.ts';
import { kvitt, useBuild } from './support/kvitt.ts';
import { useService } from './support/service.ts';

useBuild();
const service = useService();

async function doctor(more: Record<string, string> = {}) {
  const { code, stdout, stderr } = await kvitt(['doctor', '--json'], { ...service.environment, ...more });
  expect(stderr).toBe('');
  const checks = JSON.parse(stdout) as Check[];
  // Whether this machine has room enough is not what is tested.
  const failed = checks.filter(({ status, name }) => status === 'fail' && !name.startsWith('disk'));
  return { code, checks, failed, of: (name: string) => checks.find((check) => check.name === name) };
}

describe('kvitt doctor', () => {
  it('finds a replica set sound, each member of it, and says so of each thing', async () => {
    const { checks, failed, of } = await doctor();
    expect(failed).toEqual([]);
    const hosts = service.environment.MONGODB_URI!.match(/127\.0\.0\.1:\d+/g)!;
    expect(hosts).toHaveLength(3);
    const named = [
      'version',
      'replication',
      'arbiters',
      'majority writes',
      'members',
      'versions',
      'feature compatibility',
    ];
    const ofMembers = hosts.flatMap((host) => [`journaling of ${host}`, `clock of ${host}`]);
    for (const name of [...named, ...ofMembers, 'migrations', 'indexes', 'node']) {
      expect(of(name), name).toMatchObject({ status: 'ok', next: null });
    }
    for (const name of [...hosts.map((host) => `disk of ${host}`), 'disk of DATA_DIR', 'open files']) {
      expect(checks.map((check) => check.name)).toContain(name);
    }
    for (const { name, status, next } of checks) expect(next === null, name).toBe(status === 'ok');
  });

  it('ends with 1 when an index is missing, and with what to do', async () => {
    const journal = service.db.collection('journal');
    await journal.dropIndex('entry');
    try {
      const { code, failed } = await doctor();
      expect(code).toBe(1);
      expect(failed).toEqual([
        {
          name: 'indexes',
          status: 'fail',
          found: expect.stringContaining('journal.entry'),
          next: expect.stringMatching(/migrate up/),
        },
      ]);
      const { stdout } = await kvitt(['doctor'], service.environment);
      expect(stdout).toMatch(/^fail +indexes +missing or wrong: journal\.entry; stop the service/m);
    } finally {
      await journal.createIndex({ 'entries.id': 1 }, { name: 'entry' });
    }
  });

  it('ends with 1 when what must be unique is not', async () => {
    const claims = service.db.collection('idempotency');
    await claims.dropIndex('key');
    await claims.createIndex({ bucket: 1, keys: 1 }, { name: 'key' });
    try {
      const { code, of } = await doctor();
      expect([code, of('indexes')!.found]).toEqual([1, expect.stringContaining('idempotency.key is not unique')]);
    } finally {
      await claims.dropIndex('key');
      await claims.createIndex({ bucket: 1, keys: 1 }, { name: 'key', unique: true });
    }
  });

  it('only warns of a database that is not migrated yet, and leaves it so', async () => {
    const name = `${service.environment.MONGODB_DATABASE!.slice(0, 30)}_new`;
    try {
      const { failed, of } = await doctor({ MONGODB_DATABASE: name });
      expect([failed, of('migrations')!.status]).toEqual([[], 'warn']);
      const collections = await service.db.client.db(name).listCollections().toArray();
      expect(collections.map((collection) => collection.name)).toEqual(['probes']);
    } finally {
      await service.db.client.db(name).dropDatabase();
    }
  });

  it('ends with 1 when MongoDB, SQS or ZooKeeper is not there, and tells each', async () => {
    const [mongodb, sqs, zookeeper] = [await freePort(), await freePort(), await freePort()];
    const { code, failed, of } = await doctor({
      MONGODB_URI: `mongodb://user:secret@127.0.0.1:${mongodb}/?replicaSet=gone`,
      ...queues(`http://127.0.0.1:${sqs}`, (name) => `http://127.0.0.1:${sqs}/0/${name}`),
      ZOOKEEPER_CONNECT: `127.0.0.1:${zookeeper}`,
      CLOUDNAME_COORDINATE: '0.kvitt.test.local',
    });
    expect(code).toBe(1);
    expect(failed.map(({ name }) => name).sort()).toEqual([
      'mongodb',
      'sqs dead-letter queue',
      'sqs queue',
      'zookeeper',
    ]);
    for (const { found, next } of failed) {
      expect(found).toMatch(/ECONNREFUSED|does not answer|cannot be reached/);
      expect(next).not.toBeNull();
      expect(found).not.toContain('secret');
    }
    expect(of('node')!.status).toBe('ok');
  });

  describe('with an SQS server', () => {
    let sqs: Awaited<ReturnType<typeof startEmbeddedSqs>>;
    beforeAll(async () => {
      sqs = await startEmbeddedSqs({ queues: [{ name: 'events' }, { name: 'letters' }] });
    });
    afterAll(() => sqs.stop());

    it('finds its queues, and tells one that is not there', async () => {
      const there = await doctor(queues(sqs.endpoint, (name) => sqs.queueUrls.get(name)!));
      expect(there.of('sqs queue')).toMatchObject({ status: 'ok' });
      expect(there.of('sqs dead-letter queue')).toMatchObject({ status: 'ok' });
      const missing = await doctor(
        queues(sqs.endpoint, (name) => sqs.queueUrls.get(name)!.replace('letters', 'nothing')),
      );
      expect([missing.code, missing.failed.map(({ name }) => name)]).toEqual([1, ['sqs dead-letter queue']]);
      const out = sqs.queueUrls.get('events')!.replace('events', 'out.fifo');
      const untold = await doctor({
        ...queues(sqs.endpoint, (name) => sqs.queueUrls.get(name)!),
        SQS_OUT_QUEUE_URL: out,
      });
      expect(untold.failed.map(({ name }) => name)).toEqual(['sqs out queue']);
    });
  });

  it('knows the indexes that the migrations make, and which must be unique', async () => {
    const made: Record<string, string[]> = {};
    const unique: string[] = [];
    for (const { name: collection } of await service.db.listCollections().toArray()) {
      const indexes = (await service.db.collection(collection).indexes()).filter(({ name }) => name !== '_id_');
      if (indexes.length > 0) made[collection] = indexes.map(({ name }) => name!);
      unique.push(...indexes.filter((index) => index.unique).map(({ name }) => `${collection}.${name}`));
    }
    const sorted = (of: Readonly<Record<string, readonly string[]>>) =>
      Object.entries(of)
        .map(([name, indexes]) => [name, [...indexes].sort()])
        .sort();
    expect(sorted(INDEXES)).toEqual(sorted(made));
    expect(unique).toEqual(expect.arrayContaining([...UNIQUE_INDEXES]));
  });
});

function queues(endpoint: string, urlOf: (name: string) => string): Record<string, string> {
  return {
    SQS_ENDPOINT: endpoint,
    SQS_QUEUE_URL: urlOf('events'),
    SQS_DEAD_LETTER_QUEUE_URL: urlOf('letters'),
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
}
