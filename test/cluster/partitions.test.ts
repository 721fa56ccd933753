import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { type EmbeddedReplicaSet, startEmbeddedReplicaSet } from '../../src/mongo/embedded.ts';
import type { LiveLoad } from '../faults/support/live-load.ts';
import { Network } from '../faults/support/network.ts';
import { canInjectAll } from '../faults/support/requirements.ts';
import { quietLog } from '../support/log.ts';
import { startZooKeeper, type ZooKeeper } from '../support/zookeeper.ts';
import { evenlyLed } from './support/led.ts';
import { BOOKS, INSTANCES, instancesUnderLoad } from './support/scene.ts';

const TEST_MS_MAX = 240_000;
const SERVICES = ['service-0', 'service-1', 'service-2'];
const DATABASE = 'database';
const ZOOKEEPER = 'zookeeper';

describe.runIf(canInjectAll)(
  'instances that share their books, in a network that is cut',
  { timeout: TEST_MS_MAX },
  () => {
    let network: Network;
    let set: EmbeddedReplicaSet;
    let zookeeper: ZooKeeper;

    beforeAll(async () => {
      network = await Network.create([...SERVICES, DATABASE, ZOOKEEPER]);
      const place = network.place(DATABASE);
      set = await startEmbeddedReplicaSet({ dataDir: null, log: quietLog, places: [place, place, place] });
      const { host, within } = network.place(ZOOKEEPER);
      zookeeper = await startZooKeeper({ host, networkNamespace: within.at(-1)! });
    });

    afterAll(async () => {
      await zookeeper?.stop();
      await set?.stop();
      await network?.remove();
    });

    /** Three instances on hosts of their own, under load; something is cut, they live on; it is healed, and they do again. */
    async function surviveCut(
      database: string,
      cut: () => Promise<void>,
      whileCut: (load: LiveLoad, cloudname: Cloudname) => Promise<void>,
    ): Promise<void> {
      const places = SERVICES.map((name) => network.place(name));
      const stage = { mongodbUri: set.uri, zookeeper: zookeeper.connect, database, places };
      const { load, cloudname } = await instancesUnderLoad(stage);
      onTestFinished(() => network.heal());
      await cut();
      await whileCut(load, cloudname);
      await network.heal();
      await evenlyLed(cloudname, { instances: INSTANCES, books: BOOKS });
      await load.progress(20);
      expect(await load.end(1)).toEqual([]);
    }

    it('lose and double nothing when one is cut off from ZooKeeper only, and all go on', async () => {
      await surviveCut(
        'cut_from_zookeeper',
        () => network.cut('service-0', [ZOOKEEPER]),
        async (load, cloudname) => {
          await load.progress(20);
          // The others lead what it led, while it knows nothing of that.
          await evenlyLed(cloudname, { instances: 2, books: BOOKS });
          await load.progress(20);
        },
      );
    });

    it('lose and double nothing when one is cut off from MongoDB only, and the others lead what it led', async () => {
      await surviveCut(
        'cut_from_mongodb',
        () => network.cut('service-0', [DATABASE]),
        async (load, cloudname) => {
          await evenlyLed(cloudname, { instances: 2, books: BOOKS });
          await load.progress(20, [1, 2]);
        },
      );
    });

    it('lose and double nothing when they are cut off from each other only, and all go on', async () => {
      await surviveCut(
        'cut_from_each_other',
        async () => {
          await network.cut('service-0', ['service-1', 'service-2']);
          await network.cut('service-1', ['service-2']);
        },
        async (load) => {
          await load.progress(30);
        },
      );
    });
  },
);
