import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { generateApiKey } from '../../src/http/auth.ts';
import { LiveLoad } from './support/live-load.ts';
import { isSettled } from './support/load.ts';
import { ServiceTaker } from './support/service-taker.ts';

const TEST_MS_MAX = 240_000;

/** Services over one database, each under load over HTTP. */
async function servicesUnderLoad(database: string, count: number) {
  const uri = inject('mongodbUri');
  const folder = await mkdtemp(join(tmpdir(), 'kvitt-services-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const load = await LiveLoad.over(uri, database);
  onTestFinished(() => load.close());
  const plan = { uri, database, folder, apiKey: generateApiKey() };
  const services: ServiceTaker[] = [];
  for (let i = 0; i < count; i++) services.push(await ServiceTaker.start(plan));
  load.add(...services);
  await load.progress(20);
  return { load, services };
}

describe('the service, under load over HTTP', { timeout: TEST_MS_MAX }, () => {
  it('is deployed anew, twice, without a request that fails', async () => {
    const { load, services } = await servicesUnderLoad('service_deployed', 1);
    for (let deployment = 0; deployment < 2; deployment++) {
      expect(await services[0]!.deploy()).toBe(0);
      await load.progress(50);
    }
    expect(await load.end(2)).toEqual([]);
    expect(load.calls.filter(({ told }) => !isSettled(told))).toEqual([]);
    expect(load.readsFailed).toBe(0);
  });

  it('loses and doubles nothing when it is killed with SIGKILL while another one goes on', async () => {
    const { load, services } = await servicesUnderLoad('service_killed_over_http', 2);
    for (const service of services) {
      await service.killAndReplace();
      await load.progress(50);
    }
    expect(await load.end(services.length)).toEqual([]);
  });
});
