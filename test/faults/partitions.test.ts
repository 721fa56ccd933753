import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import { connectClient } from '../support/database.ts';
import { quietLog } from '../support/log.ts';
import { LiveLoad } from './support/live-load.ts';
import { Network } from './support/network.ts';
import { IMPATIENT, isSecondary, loadOn, primaryOf, secondariesOf } from './support/replica-set.ts';
import { canInjectAll } from './support/requirements.ts';
import { EngineTaker, WorkerTaker } from './support/takers.ts';

const MEMBERS = ['member-0', 'member-1', 'member-2'];
const SERVICE = 'service';
const TEST_MS_MAX = 240_000;
const ELECTED_MS_MAX = 60_000;

describe.runIf(canInjectAll)('a network that is cut or slow', { timeout: TEST_MS_MAX }, () => {
  let network: Network;
  let set: EmbeddedReplicaSet;

  beforeAll(async () => {
    network = await Network.create([...MEMBERS, SERVICE]);
    const places = MEMBERS.map((member) => network.place(member));
    set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog, places });
  });

  afterAll(async () => {
    await set?.stop();
    await network?.remove();
  });

  const member = (index: number) => MEMBERS[index]!;
  const withoutPrimary = (index: number) => MEMBERS.filter((one) => one !== member(index));

  /** Cuts the primary off in some way, lives on with another, heals and lives on. */
  async function survivePrimaryCutOff(
    name: string,
    cut: (primary: string, others: string[]) => Promise<void>,
  ): Promise<void> {
    const load = await loadOn(set, name, { engines: 2, limits: IMPATIENT });
    onTestFinished(() => network.heal());
    const old = await primaryOf(set);
    await cut(member(old), withoutPrimary(old));
    await writeCarelessly(name, old);
    // Its clients reach it still, and it believes for a while that it leads.
    await expect.poll(() => set.primaryIndex(), { timeout: ELECTED_MS_MAX }).not.toBe(old);
    await load.progress(5);
    await network.heal();
    await expect.poll(() => isSecondary(set, old).catch(() => false), { timeout: ELECTED_MS_MAX }).toBe(true);
    await load.progress(50);
    expect(await load.end(1)).toEqual([]);
  }

  /** A write that this member alone has to take. */
  async function writeCarelessly(database: string, index: number): Promise<void> {
    const client = new MongoClient(`mongodb://${set.members[index]!.address}/?directConnection=true`);
    onTestFinished(() => client.close());
    const writeConcern = { w: 1, journal: true };
    expect(await client.db(database).collection('careless').insertOne({}, { writeConcern })).toMatchObject({
      acknowledged: true,
    });
  }

  async function carelessWrites(database: string): Promise<number> {
    const client = await connectClient(set.uri);
    onTestFinished(() => client.close());
    return client.db(database).collection('careless').countDocuments();
  }

  it('acknowledges nothing that only a primary cut off from the others took, both ways', async () => {
    await survivePrimaryCutOff('primary_cut_off', (primary, others) => network.cut(primary, others));
    // The fault was real: what waited for no majority is gone.
    expect(await carelessWrites('primary_cut_off')).toBe(0);
  });

  it('acknowledges nothing that only a primary took that the others do not hear', async () => {
    await survivePrimaryCutOff('primary_not_heard', (primary, others) => network.mute(primary, others));
    expect(await carelessWrites('primary_not_heard')).toBe(0);
  });

  // What it took may get to the others all the same: it streams to them until they hang up.
  it('is right when a primary does not hear the others', () =>
    survivePrimaryCutOff('primary_deaf', async (primary, others) => {
      for (const other of others) await network.mute(other, [primary]);
    }));

  it('lets another service end what one has begun that is cut off from the database, and comes back', async () => {
    const database = 'service_cut_off';
    const load = await LiveLoad.over(set.uri, database);
    onTestFinished(() => load.close());
    onTestFinished(() => network.heal());
    const { within } = network.place(SERVICE);
    const lost = new WorkerTaker({ uri: set.uri, database }, { within });
    load.add(lost, await EngineTaker.start(set.uri, database));
    await load.progress(20);
    await network.cut(SERVICE, MEMBERS);
    await expect
      .poll(() => load.calls.filter(({ process, told }) => process === 0 && told.answer === 'unknown').length, {
        timeout: ELECTED_MS_MAX,
      })
      .toBeGreaterThan(0);
    await load.progress(50, [1]);
    await network.heal();
    await load.progress(50);
    expect(await load.end(1)).toEqual([]);
  });

  it.each(['primary', 'secondary'] as const)('is slower and right over a slow link to the %s', async (which) => {
    const load = await loadOn(set, `slow_${which}`, { engines: 2 });
    onTestFinished(() => network.heal());
    const index = which === 'primary' ? await primaryOf(set) : (await secondariesOf(set))[0]!;
    await network.slow(member(index));
    await load.progress(30);
    await network.heal();
    await load.progress(30);
    expect(await load.end(1)).toEqual([]);
  });
});
