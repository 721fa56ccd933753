/** A fleet: which services run in how many instances on which hosts, as it is written down and as it is kept. */
import { z } from 'zod';
import { Coordinate, isName } from '../cloudname/coordinate.ts';
import { type ProcessSpec, processTemplate, seconds } from '../processes/spec.ts';

const INSTANCES_MAX = 1_000;
const SERVICES_MAX = 200;

/** User and cell of the agents, and of all that they run. */
export interface FleetName {
  readonly user: string;
  readonly cell: string;
}

const name = z.string().refine(isName, 'must be a-z, 0-9, - and _, beginning with a letter');
const hostName = z.string().min(1).max(253);

const service = processTemplate.extend({
  instances: z.number().int().min(0).max(INSTANCES_MAX).default(1),
  /** Where it may run; null: anywhere. */
  hosts: z.array(hostName).min(1).max(1_000).nullable().default(null),
});

/** With another number it is another specification: what was refused once is tried again. */
const keptService = service.extend({ revision: z.number().int().min(0) });

export type KeptService = Readonly<z.infer<typeof keptService>>;

const byName = <T extends z.ZodType>(schema: T) =>
  z
    .record(name, schema)
    .refine((all) => Object.keys(all).length <= SERVICES_MAX, `must be ${SERVICES_MAX} services at most`);
/** How long a host may be away before its processes are started elsewhere. */
const replaceAfter = seconds(0, 86_400).default(30);

/** What `nodee apply` reads. */
export const fleetFile = z.strictObject({ replace_after: replaceAfter, services: byName(service) });

export type FleetFile = Readonly<z.infer<typeof fleetFile>>;

const outcome = z.strictObject({
  generation: z.number(),
  /** `rolled_back`: the service is again what it was before. `failed`: there was nothing before. */
  result: z.enum(['rolled_back', 'failed']),
  why: z.string(),
  /** In RFC 3339. */
  at: z.string(),
});

/** What is kept as the configuration of {@link fleetCoordinate}. */
export const fleetState = z.strictObject({
  /** Grows with everything that somebody asks for. */
  generation: z.number().int().min(0).default(0),
  applied_by: z.string().default(''),
  applied_at: z.string().default(''),
  replace_after: replaceAfter,
  services: byName(keptService).default({}),
  /** Of services whose change is under way: what they were before it. */
  previous: byName(keptService).default({}),
  /** Changes that did not succeed, by service, until the next one. */
  outcomes: z.record(name, outcome).default({}),
  /** Coordinates that somebody stopped. */
  stopped: z.array(z.string()).default([]),
  /** How often somebody asked for this coordinate to be rolled. */
  revisions: z.record(z.string(), z.number().int()).default({}),
  /** Names of hosts on which nothing is to run. */
  drained: z.array(hostName).default([]),
});

export type FleetState = Readonly<z.infer<typeof fleetState>>;
export type Outcome = Readonly<z.infer<typeof outcome>>;

export const NO_FLEET: FleetState = fleetState.parse({});

/** Whoever claims it leads the fleet; its configuration is the fleet. */
export function fleetCoordinate({ user, cell }: FleetName): Coordinate {
  return new Coordinate(0, 'nodee-fleet', user, cell);
}

/** @throws Error that names everything that is wrong with it */
export function parseFleetState(text: string): FleetState {
  if (text.trim() === '') return NO_FLEET;
  const parsed = fleetState.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(`what is kept of the fleet cannot be read:\n${problemsOf(parsed.error)}`);
}

/** A line for everything that is wrong: where, and what. */
export function problemsOf({ issues }: z.ZodError): string {
  const lines = issues.map((issue) => {
    // Of a wrong name it says merely that it is one.
    const message =
      issue.code === 'invalid_key' ? issue.issues.map((inner) => inner.message).join('; ') : issue.message;
    return `  - ${issue.path.join('.') || 'all of it'}: ${message}`;
  });
  return lines.join('\n');
}

/** An instance of a service, by its coordinate. */
export interface Wanted {
  readonly service: string;
  readonly spec: ProcessSpec;
  readonly hosts: readonly string[] | null;
}

/** All instances of a fleet, by coordinate, in the order of services and numbers. */
export function wantedOf(state: FleetState, fleet: FleetName): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  const stopped = new Set(state.stopped);
  for (const [serviceName, definition] of Object.entries(state.services).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { instances, hosts, revision, ...template } = definition;
    for (let number = 0; number < instances; number++) {
      const coordinate = String(new Coordinate(number, serviceName, fleet.user, fleet.cell));
      const run = !stopped.has(coordinate);
      const spec = { ...template, coordinate, run, revision: revision + (state.revisions[coordinate] ?? 0) };
      wanted.set(coordinate, { service: serviceName, spec, hosts });
    }
  }
  return wanted;
}
