/** Hosts and processes as people and scripts are shown them: what is wanted beside what is. */
import type { ProcessSpec } from '../processes/spec.ts';
import { specHash } from '../processes/spec.ts';
import type { ProcessReport } from '../processes/types.ts';
import { clean, table } from '../resources/text.ts';
import type { FleetSeen } from './fleet-seen.ts';
import { nameOf } from './tool-parts.ts';
import type { HostSeen } from './types.ts';

/** Reports come every 10 s: an agent whose last one is so old hangs, or its clock is wrong. */
const SILENT_MS = 60_000;
/** Of a line, for a terminal that is not wide. */
const WIDTH = 120;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export interface HostView {
  readonly host: string;
  readonly coordinate: string;
  readonly address: string | null;
  /** `unknown`: it publishes nothing that can be read. */
  readonly state: 'up' | 'down' | 'silent' | 'unknown';
  readonly report: HostSeen['report'];
  readonly wanted_generation: number | null;
}

export interface ProcessView {
  readonly coordinate: string;
  readonly host: string;
  /** Null: it is not wanted on this host. */
  readonly wanted: { readonly artifact: string; readonly run: boolean; readonly spec: string } | null;
  /** Null: the host knows nothing of it, or is not known itself. */
  readonly actual: ProcessReport | null;
  readonly as_wanted: boolean;
}

export interface FleetSummary {
  readonly generation: number;
  readonly applied_by: string;
  readonly applied_at: string;
  /** What the agent that leads says; null: none leads. */
  readonly leader: string | null;
  readonly drained: readonly string[];
  /** Changes that did not succeed, by service. */
  readonly outcomes: FleetSeen['state']['outcomes'];
  /** Instances, by coordinate, with what they wait for. */
  readonly pending: Readonly<Record<string, string>>;
}

export interface FleetView {
  /** Null: nothing was applied yet. */
  readonly fleet: FleetSummary | null;
  readonly hosts: readonly HostView[];
  readonly processes: readonly ProcessView[];
  readonly as_wanted: boolean;
}

export function fleetView(hosts: readonly HostSeen[], fleet: FleetSeen | null, now: number): FleetView {
  const views = hosts.map((host) => hostView(host, now));
  const processes = hosts.flatMap((host, index) => processViews(host, views[index]!.state === 'up'));
  // Of one that is down, what is wanted of it tells: it may be gone for good.
  const isHostWell = ({ state, report }: HostView) =>
    state === 'up' ? report!.problems.length === 0 : state === 'down';
  const isFleetDone = fleet === null || fleet.pending.size === 0;
  return {
    fleet: fleet === null ? null : summaryOf(fleet),
    hosts: views,
    processes,
    as_wanted: isFleetDone && views.every(isHostWell) && processes.every(({ as_wanted }) => as_wanted),
  };
}

function summaryOf({ state, leader, pending }: FleetSeen): FleetSummary {
  const { generation, applied_by, applied_at, drained, outcomes } = state;
  return { generation, applied_by, applied_at, leader, drained, outcomes, pending: Object.fromEntries(pending) };
}

function hostView(host: HostSeen, now: number): HostView {
  const { coordinate, address, report, desired } = host;
  return {
    ...{ host: nameOf(host), coordinate, address, state: stateOf(host, now), report },
    wanted_generation: desired?.generation ?? null,
  };
}

function stateOf({ address, report }: HostSeen, now: number): HostView['state'] {
  if (address === null) return 'down';
  if (report === null) return 'unknown';
  return now - Date.parse(report.at) > SILENT_MS ? 'silent' : 'up';
}

function processViews(host: HostSeen, isUp: boolean): ProcessView[] {
  const wanted = new Map(host.desired?.processes.map((spec) => [spec.coordinate, spec]));
  const actual = new Map(host.report?.processes.map((report) => [report.coordinate, report]));
  const coordinates = [...new Set([...wanted.keys(), ...actual.keys()])].sort();
  return coordinates.map((coordinate) => {
    const spec = wanted.get(coordinate) ?? null;
    const report = actual.get(coordinate) ?? null;
    return {
      ...{ coordinate, host: nameOf(host), actual: report },
      wanted: spec === null ? null : { artifact: spec.artifact.id, run: spec.run, spec: specHash(spec) },
      as_wanted: isUp && isAsWanted(spec, report),
    };
  });
}

function isAsWanted(spec: ProcessSpec | null, report: ProcessReport | null): boolean {
  if (spec === null) return false;
  if (!spec.run) return report === null || report.state === 'stopped';
  return report?.state === 'running' && report.spec === specHash(spec);
}

export function fleetText(view: FleetView, now: number): string {
  const { fleet, hosts, processes, as_wanted } = view;
  if (hosts.length === 0) return 'No host has an agent here yet: start one with `kvitt nodee agent`.\n';
  const texts = [fleetLine(fleet, now), hostTable(hosts, fleet?.drained ?? [])];
  if (processes.length > 0) texts.push('\n', processTable(processes, now));
  const notes = notesOf(view);
  if (notes.length > 0) texts.push('\n', ...notes.map(wrapped));
  if (!as_wanted) texts.push('\nNot all is as wanted: see the lines with *, and hosts that are not up.\n');
  return texts.join('');
}

function fleetLine(fleet: FleetSummary | null, now: number): string {
  if (fleet === null) return 'Nothing was applied yet: `kvitt nodee apply <file>` does that.\n\n';
  const { generation, applied_by, applied_at, leader } = fleet;
  const age = duration(Math.max(0, (now - Date.parse(applied_at)) / 1000));
  const says = leader === null ? 'no agent leads it' : leader.split(';', 1)[0]!;
  return `${clean(`Fleet ${generation}, applied by ${applied_by} ${age} ago; ${says}`)}\n\n`;
}

/** What does not fit into tables: problems, and why what is not as wanted is so. */
function notesOf({ fleet, hosts, processes }: FleetView): string[] {
  const messages = processes
    .filter(({ as_wanted, actual }) => !as_wanted && actual !== null && actual.message !== '')
    .map(({ coordinate, host, actual }) => `* ${coordinate} on ${host}: ${actual!.message}`);
  const shown = new Set(processes.map(({ coordinate }) => coordinate));
  const unplaced = Object.entries(fleet?.pending ?? {}).filter(([coordinate]) => !shown.has(coordinate));
  return [
    ...hosts.flatMap(({ host, report }) => (report?.problems ?? []).map((problem) => `${host}: ${problem}`)),
    ...messages,
    ...unplaced.map(([coordinate, why]) => `* ${coordinate}: ${why}`),
    ...Object.entries(fleet?.outcomes ?? {}).map(([service, { result, why, at }]) => {
      const what = result === 'failed' ? 'is not as wanted' : 'was rolled back';
      return `${service} ${what} at ${at}: ${why}`;
    }),
  ];
}

/** In lines that fit, each but the first one indented. */
function wrapped(text: string): string {
  const lines: string[] = [''];
  for (const word of clean(text).split(' ')) {
    const line = lines.at(-1)!;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`    ${word}`);
  }
  return `${lines.join('\n')}\n`;
}

function hostTable(hosts: readonly HostView[], drained: readonly string[]): string {
  const rows = hosts.map(({ host, coordinate, state, report, wanted_generation }) => [
    ...[host, coordinate, drained.includes(host) ? `${state}, drained` : state, report?.version ?? '-'],
    report === null ? '-' : duration(report.uptime_seconds),
    report === null ? '-' : `${report.load.toFixed(2)}/${report.cores}`,
    report === null ? '-' : memoryOf(report),
    `${report?.generation ?? '-'}/${wanted_generation ?? '-'}`,
  ]);
  const head = ['host', 'agent', 'state', 'version', 'up', 'load/cores', 'memory used/total', 'generation'];
  return table(head, rows, 'llllrrrr');
}

function memoryOf({ memory_total_bytes: total, memory_available_bytes: available }: NonNullable<HostView['report']>) {
  return `${size(total - available)}/${size(total)}`;
}

function processTable(processes: readonly ProcessView[], now: number): string {
  const rows = processes.map(({ coordinate, host, wanted, actual, as_wanted }) => [
    as_wanted ? '' : '*',
    ...[coordinate, host, artifactText(wanted, actual), actual?.state ?? 'unknown'],
    actual === null ? '-' : duration(Math.max(0, (now - Date.parse(actual.since)) / 1000)),
    String(actual?.restarts ?? '-'),
    actual === null || actual.memory_bytes === null ? '-' : size(actual.memory_bytes),
    Object.entries(actual?.ports ?? {})
      .map(([name, port]) => `${name}:${port}`)
      .join(' '),
  ]);
  const head = ['', 'process', 'host', 'artifact', 'state', 'since', 'restarts', 'memory', 'ports'];
  return table(head, rows, 'lllllrrrl');
}

/** What is wanted, and what is instead. */
function artifactText(wanted: ProcessView['wanted'], actual: ProcessReport | null): string {
  const is = actual?.artifact ?? 'none';
  if (wanted === null) return `${is} (not wanted)`;
  const wants = wanted.run ? wanted.artifact : 'none';
  return wants === is ? is : `${is} -> ${wants}`;
}

function size(bytes: number): string {
  const gib = bytes / 2 ** 30;
  return gib >= 1 ? `${gib.toFixed(1)}GiB` : `${Math.round(bytes / 2 ** 20)}MiB`;
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < MINUTE) return `${Math.floor(seconds)}s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)}h`;
  return `${Math.floor(seconds / DAY)}d`;
}
