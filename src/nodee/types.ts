/** What agents and the tool tell each other through Cloudname and over HTTP. */
import { z } from 'zod';
import { processSpec } from '../processes/spec.ts';
import { processReport } from '../processes/types.ts';

/** On one host. */
export const PROCESSES_MAX = 1_000;

/** The configuration of an agent's coordinate: what is to run on its host. Written by whoever leads the fleet. */
export const hostDesired = z.strictObject({
  /** Of the fleet from which it follows. */
  generation: z.number().int().min(0),
  processes: z.array(processSpec).max(PROCESSES_MAX),
});

export type HostDesired = Readonly<z.infer<typeof hostDesired>>;

/** What an agent publishes as the data of its endpoint `nodee`: how its host and its processes are. */
export const hostReport = z.object({
  /** The name of the host, by which fleets place processes. */
  host: z.string(),
  version: z.string(),
  /** Of the `HostDesired` that it follows; null: none yet. */
  generation: z.number().nullable(),
  /** When this was so, in RFC 3339. */
  at: z.string(),
  uptime_seconds: z.number(),
  cores: z.number(),
  /** Over one minute. */
  load: z.number(),
  memory_total_bytes: z.number(),
  memory_available_bytes: z.number(),
  disk_free_bytes: z.number(),
  processes: z.array(processReport),
  /** What is wrong with the agent itself; empty: nothing. */
  problems: z.array(z.string()),
});

export type HostReport = Readonly<z.infer<typeof hostReport>>;

/** The endpoint that each agent publishes. */
export const ENDPOINT = 'nodee';

/** A host as it is seen in Cloudname. */
export interface HostSeen {
  /** Of its agent. */
  readonly coordinate: string;
  /** Where the agent answers; null: nobody claims the coordinate now. */
  readonly address: string | null;
  /** Null: not known. */
  readonly report: HostReport | null;
  /** Null: nothing was ever wanted of it, or that cannot be read. */
  readonly desired: HostDesired | null;
  /** Of its configuration, for replacing it only if it is still the same. */
  readonly configVersion: number;
}
