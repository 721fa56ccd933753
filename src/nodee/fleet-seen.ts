/** The fleet as it is kept in Cloudname, beside its hosts. */
import type { Cloudname } from '../cloudname/cloudname.ts';
import { isCloudnameError } from '../cloudname/errors.ts';
import { type FleetName, type FleetState, fleetCoordinate, parseFleetState } from './fleet.ts';
import type { HostView } from './placement.ts';
import { nextStep } from './rollout.ts';
import type { HostSeen } from './types.ts';

export interface FleetSeen {
  readonly state: FleetState;
  /** What the agent that leads says; null: none leads. */
  readonly leader: string | null;
  /** Instances, by coordinate, with what they wait for. */
  readonly pending: ReadonlyMap<string, string>;
}

/** Null: nothing was ever applied. @throws Error when what is kept cannot be read */
export async function seeFleet(
  cloudname: Cloudname,
  name: FleetName,
  hosts: readonly HostSeen[],
): Promise<FleetSeen | null> {
  const coordinate = fleetCoordinate(name);
  try {
    const [{ text }, leading] = await Promise.all([
      cloudname.getConfig(coordinate),
      cloudname.status(coordinate).catch((error: unknown) => {
        if (isCloudnameError(error, 'malformed')) return null;
        throw error;
      }),
    ]);
    if (text.trim() === '') return null;
    const state = parseFleetState(text);
    const { pending } = nextStep(state, name, viewsOf(hosts));
    return { state, leader: leading === null ? null : (leading.status.message ?? ''), pending };
  } catch (error) {
    if (isCloudnameError(error, 'coordinate_missing')) return null;
    throw error;
  }
}

/** As the leader sees hosts, but for how long they are lost. */
export function viewsOf(hosts: readonly HostSeen[]): HostView[] {
  return hosts.map(({ coordinate, address, desired, report }) => {
    return { coordinate, desired, report, lostMs: address === null ? 0 : null };
  });
}
