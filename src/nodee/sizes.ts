/** What ZooKeeper and agents take of a fleet at most, found out before any of it is written down. */
import type { FleetName, FleetState } from './fleet.ts';
import { wantedOf } from './fleet.ts';
import { type HostView, place } from './placement.ts';
import { PROCESSES_MAX } from './types.ts';

/** ZooKeeper takes a little less than 1 MiB in one node; a part of it is left for what is noted of changes. */
const BYTES_MAX = 900_000;
const ADVICE = 'let it have fewer instances, or put what is long in `env` and `command` into files';

/** Null: it is not too large. */
export function problemOfSize(state: FleetState, fleet: FleetName, hosts: readonly HostView[]): string | null {
  const bytes = Buffer.byteLength(JSON.stringify(state));
  if (bytes > BYTES_MAX) {
    return `the fleet would have ${bytes} bytes, with what is kept of it before its changes; ${BYTES_MAX} at most can be kept.`;
  }
  const wanted = wantedOf(state, fleet);
  const loads = new Map<string, { count: number; bytes: number }>();
  for (const [coordinate, host] of place(state, wanted, hosts)) {
    const load = loads.get(host) ?? { count: 0, bytes: 0 };
    load.count += 1;
    load.bytes += Buffer.byteLength(JSON.stringify(wanted.get(coordinate)!.spec));
    loads.set(host, load);
  }
  for (const { coordinate, report } of hosts) {
    const { count, bytes } = loads.get(coordinate) ?? { count: 0, bytes: 0 };
    const name = report?.host ?? coordinate;
    if (count > PROCESSES_MAX) return `${name} would get ${count} processes; ${PROCESSES_MAX} at most: ${ADVICE}.`;
    if (bytes > BYTES_MAX) {
      return `what ${name} would be told has ${bytes} bytes; ${BYTES_MAX} at most can be kept: ${ADVICE}.`;
    }
  }
  return null;
}
