/** The hosts of a cell as their agents show them in Cloudname. */
import type { Cloudname } from '../cloudname/cloudname.ts';
import type { Coordinate } from '../cloudname/coordinate.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import { addressOf, type Endpoint } from '../cloudname/status.ts';
import { inBatches } from '../cloudname/tree.ts';
import { parseJson } from './files.ts';
import { ENDPOINT, type HostDesired, type HostReport, type HostSeen, hostDesired, hostReport } from './types.ts';

/** The service whose instances are the agents. */
export const SERVICE = 'nodee';

/** Where hosts are looked for. */
export interface Place {
  readonly user: string;
  readonly cell: string;
}

/**
 * All hosts that have, or had, an agent there, by number. What one of them published wrong makes that unknown, and nothing
 * else.
 *
 * @throws ZooKeeperError
 */
export async function seeHosts(cloudname: Cloudname, { user, cell }: Place): Promise<HostSeen[]> {
  const coordinates = await cloudname.list({ service: SERVICE, user, cell });
  const seen = await inBatches(coordinates, (coordinate) => seeHost(cloudname, coordinate));
  return seen.filter((host) => host !== null);
}

/** Null: it was destroyed meanwhile, or never created to its end. */
async function seeHost(cloudname: Cloudname, coordinate: Coordinate): Promise<HostSeen | null> {
  try {
    const [endpoint, config] = await Promise.all([endpointOf(cloudname, coordinate), cloudname.getConfig(coordinate)]);
    return {
      coordinate: String(coordinate),
      address: endpoint?.host ? addressOf({ ...endpoint, protocol: 'http' }) : null,
      report: parseReport(endpoint?.endpointData ?? ''),
      desired: parseDesired(config.text),
      configVersion: config.version,
    };
  } catch (error) {
    if (isCloudnameError(error, 'coordinate_missing')) return null;
    throw error;
  }
}

/** Null: nobody claims the coordinate, publishes there yet, or what stands there cannot be read. */
async function endpointOf(cloudname: Cloudname, coordinate: Coordinate): Promise<Endpoint | null> {
  try {
    const node = await cloudname.status(coordinate);
    return node?.endpoints.get(ENDPOINT) ?? null;
  } catch (error) {
    if (isCloudnameError(error, 'malformed')) return null;
    throw error;
  }
}

function parseReport(text: string): HostReport | null {
  return hostReport.safeParse(parseJson(text)).data ?? null;
}

function parseDesired(text: string): HostDesired | null {
  return hostDesired.safeParse(parseJson(text)).data ?? null;
}
