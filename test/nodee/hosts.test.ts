import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Cloudname } from '../../src/cloudname/cloudname.ts';
import { Coordinate } from '../../src/cloudname/coordinate.ts';
import { seeHosts } from '../../src/nodee/hosts.ts';
import type { HostReport } from '../../src/nodee/types.ts';
import { Namespace } from '../cloudname/support/namespace.ts';

const PLACE = { user: 'ops', cell: 'oslo' };
const REPORT: HostReport = {
  ...{ host: 'alpha', version: '1', generation: null, at: '2026-01-01T00:00:00Z', uptime_seconds: 1, cores: 2 },
  ...{ load: 0.5, memory_total_bytes: 2, memory_available_bytes: 1, disk_free_bytes: 1, processes: [], problems: [] },
};
let namespace: Namespace;
let cloudname: Cloudname;
beforeAll(async () => {
  namespace = await Namespace.create(inject('zookeeperConnect'));
  cloudname = await namespace.open();
});
afterAll(() => namespace?.close());

async function publish(text: string, endpointData: string | null): Promise<void> {
  const coordinate = await namespace.created(text);
  await cloudname
    .claim(coordinate)
    .putEndpoints([{ name: 'nodee', host: '::1', port: 7070, protocol: 'http', endpointData }]);
}

describe('hosts as they are seen in Cloudname', () => {
  it('are those of the user and the cell, with what is wanted of them and what they are', async () => {
    expect(await seeHosts(cloudname, PLACE)).toEqual([]);
    await publish('0.nodee.ops.oslo', JSON.stringify({ ...REPORT, later: 'a newer agent says more' }));
    await publish('0.nodee.other.oslo', JSON.stringify(REPORT));
    await publish('0.web.ops.oslo', JSON.stringify(REPORT));
    const desired = { generation: 3, processes: [] };
    const at = Coordinate.parse('0.nodee.ops.oslo');
    const configVersion = await cloudname.setConfig(at, JSON.stringify(desired), null);
    const seen = { coordinate: String(at), address: 'http://[::1]:7070', report: REPORT, desired, configVersion };
    expect(await seeHosts(cloudname, PLACE)).toEqual([seen]);
  });

  it('are unknown where somebody wrote what cannot be read, without hiding the others', async () => {
    const place = { user: 'broken', cell: 'oslo' };
    await publish('0.nodee.broken.oslo', '{"host":');
    await publish('1.nodee.broken.oslo', null);
    await publish('2.nodee.broken.oslo', JSON.stringify({ ...REPORT, processes: 'many' }));
    const unreadable = await namespace.created('3.nodee.broken.oslo');
    await cloudname.session.create(unreadable.statusPath, Buffer.from('\xff{'));
    await cloudname.setConfig(unreadable, '{"generation":-1}', null);
    await namespace.created('4.nodee.broken.oslo');
    // As one whose creation was broken off: without a configuration.
    await cloudname.session.create('/cn/oslo/broken/nodee/5', null);
    await cloudname.session.create('/cn/oslo/broken/nodee/x', null);
    await publish('6.nodee.broken.oslo', JSON.stringify(REPORT));
    const seen = await seeHosts(cloudname, place);
    expect(seen.map(({ address, report, desired }) => [address !== null, report?.host, desired])).toEqual([
      [true, undefined, null],
      [true, undefined, null],
      [true, undefined, null],
      [false, undefined, null],
      [false, undefined, null],
      [true, 'alpha', null],
    ]);
  });
});
