/** What applying a fleet would change, for people to read before it is done. */
import { isReplacedBy, specHash } from '../processes/spec.ts';
import { clean } from '../resources/text.ts';
import { type FleetName, type FleetState, type Wanted, wantedOf } from './fleet.ts';
import { type HostView, hostsByProcess, place, toldTo } from './placement.ts';

export interface Change {
  readonly coordinate: string;
  readonly action: 'start' | 'roll' | 'replace' | 'move' | 'stop' | 'remove';
  /** Names of hosts; null: none. */
  readonly from: string | null;
  readonly to: string | null;
  readonly details: readonly string[];
}

/** Only what changes, services and instances in their order, what is removed last. */
export function planOf(next: FleetState, fleet: FleetName, hosts: readonly HostView[]): Change[] {
  const wanted = wantedOf(next, fleet);
  const placement = place(next, wanted, hosts);
  const names = new Map(hosts.map((host) => [host.coordinate, host.report?.host ?? host.coordinate]));
  const told = hostsByProcess(hosts, toldTo);
  const changes: Change[] = [];
  for (const [coordinate, instance] of wanted) {
    const target = placement.get(coordinate);
    const to = target === undefined ? null : names.get(target)!;
    const change = changeOf(instance, coordinate, told.get(coordinate) ?? [], to, names);
    if (change !== null) changes.push(change);
  }
  for (const host of hosts) {
    for (const { coordinate } of host.desired?.processes ?? []) {
      if (wanted.has(coordinate)) continue;
      const from = names.get(host.coordinate)!;
      changes.push({ coordinate, action: 'remove', from, to: null, details: [] });
    }
  }
  return changes;
}

function changeOf(
  { spec }: Wanted,
  coordinate: string,
  holders: readonly HostView[],
  to: string | null,
  names: ReadonlyMap<string, string>,
): Change | null {
  const from = holders.length === 0 ? null : names.get(holders[0]!.coordinate)!;
  const told = holders[0]?.desired?.processes.find((process) => process.coordinate === coordinate);
  if (told === undefined) {
    const details = [spec.run ? spec.artifact.id : `${spec.artifact.id}, which stays stopped`];
    return {
      coordinate,
      action: 'start',
      from,
      to,
      details: to === null ? [...details, 'no host may run it'] : details,
    };
  }
  const details = specHash(told) === specHash(spec) ? [] : differences(told, spec);
  if (from !== to || holders.length > 1) {
    return {
      coordinate,
      action: 'move',
      from,
      to,
      details: to === null ? [...details, 'no host may run it'] : details,
    };
  }
  if (told.run !== spec.run) return { coordinate, action: spec.run ? 'start' : 'stop', from, to, details };
  if (details.length === 0) return null;
  return { coordinate, action: isReplacedBy(told, spec) ? 'replace' : 'roll', from, to, details };
}

/** `a.b: 1 -> 2`. Values of the environment, which may be secrets, are not shown. */
export function differences(before: unknown, after: unknown, path: readonly string[] = []): string[] {
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return names
      .filter((name) => path.length > 0 || (name !== 'run' && name !== 'coordinate'))
      .flatMap((name) => differences(before[name], after[name], [...path, name]));
  }
  const [old, now] = [JSON.stringify(before), JSON.stringify(after)];
  if (old === now) return [];
  if (path.join() === 'revision') return ['anew'];
  const label = path.join('.');
  return [path[0] === 'env' ? `${label} changes` : `${label}: ${old ?? 'none'} -> ${now ?? 'none'}`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const SIGNS = { start: '+', roll: '~', replace: '~', move: '>', stop: '-', remove: '-' } as const;

/** A line for each change, with what is different below it. */
export function renderPlan(changes: readonly Change[]): string {
  if (changes.length === 0) return 'Nothing changes: the fleet is described as it is.\n';
  const lines = changes.flatMap(({ coordinate, action, from, to, details }) => {
    const where = from === to || from === null || to === null ? (to ?? from ?? 'nowhere') : `${from} -> ${to}`;
    return [
      `${SIGNS[action]} ${action.padEnd(7)} ${coordinate} on ${where}`,
      ...details.map((detail) => `    ${detail}`),
    ];
  });
  const counts = new Map<string, number>();
  for (const { action } of changes) counts.set(action, (counts.get(action) ?? 0) + 1);
  const sum = [...counts].map(([action, count]) => `${count} to ${action}`).join(', ');
  return `${lines.map(clean).join('\n')}\n${sum}\n`;
}
