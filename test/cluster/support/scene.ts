import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Cloudname } from '../../../src/cloudname/cloudname.ts';
import { generateApiKey } from '../../../src/http/auth.ts';
import type { Place } from '../../../src/mongo/mongod-process.ts';
import { Namespace } from '../../cloudname/support/namespace.ts';
import { LiveLoad } from '../../faults/support/live-load.ts';
import { ServiceTaker } from '../../faults/support/service-taker.ts';
import { evenlyLed } from './led.ts';

export const SESSION_MS = 4_000;
export const INSTANCES = 3;
/** Of which the load uses the first two. */
export const BOOKS = 6;

export interface Scene {
  readonly load: LiveLoad;
  readonly services: readonly ServiceTaker[];
  readonly cloudname: Cloudname;
}

export interface Stage {
  readonly mongodbUri: string;
  readonly zookeeper: string;
  readonly database: string;
  /** Where each instance runs; by default here. */
  readonly places?: readonly Place[];
}

/** Three instances that share six books, each under load over HTTP. Ends with the test; logs of failed ones are kept. */
export async function instancesUnderLoad({ mongodbUri, zookeeper, database, places = [] }: Stage): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-instances-'));
  onTestFinished(({ task }) => (task.result?.state === 'fail' ? undefined : rm(folder, { recursive: true })));
  const namespace = await Namespace.create(zookeeper);
  onTestFinished(() => namespace.close());
  const load = await LiveLoad.over(mongodbUri, database);
  onTestFinished(() => load.close());
  const settings = {
    BOOKS: String(BOOKS),
    ZOOKEEPER_CONNECT: namespace.connect,
    ZOOKEEPER_SESSION_MS: String(SESSION_MS),
    CLOUDNAME_COORDINATE: 'kvitt.pay.test',
  };
  const plan = { uri: mongodbUri, database, folder, apiKey: generateApiKey(), settings };
  const services = await Promise.all(
    Array.from({ length: INSTANCES }, (_, n) =>
      ServiceTaker.start({ ...plan, ...(places[n] ? { place: places[n] } : {}) }),
    ),
  );
  const cloudname = await namespace.open({ sessionMs: SESSION_MS });
  await evenlyLed(cloudname, { instances: INSTANCES, books: BOOKS });
  load.add(...services);
  await load.progress(20);
  return { load, services, cloudname };
}
