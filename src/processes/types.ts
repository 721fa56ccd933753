/** What processes are seen to do, and what this room needs of others. */
import { z } from 'zod';
import type { ArtifactRef } from '../artifacts/artifact.ts';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * - `waiting`: for its artifact, its coordinate or its turn
 * - `starting`: it runs, and was not healthy yet
 * - `running`: and is healthy
 * - `rolling`: the old one runs, the new one is starting
 * - `stopping`: it was told to end
 * - `backing_off`: it ended, and is started again soon
 * - `stopped`: as wanted
 * - `failed`: it was restarted as often as it may, or cannot be started: somebody has to look
 */
const processState = z.enum([
  ...(['waiting', 'starting', 'running', 'rolling', 'stopping', 'backing_off', 'stopped', 'failed'] as const),
]);

export const processReport = z.object({
  coordinate: z.string(),
  state: processState,
  /** What happened last, for people. */
  message: z.string(),
  /** Of the artifact that runs; null: none does. */
  artifact: z.string().nullable(),
  /** Hash of the specification that runs, and is healthy or was; null: none. */
  spec: z.string().nullable(),
  /** Hash of a specification that was tried here and did not become healthy, so that the one before came back. */
  refused: z.string().nullable(),
  pid: z.number().nullable(),
  ports: z.record(z.string(), z.number()),
  /** Since it was first started with this specification. */
  restarts: z.number(),
  /** When the present state began, in RFC 3339. */
  since: z.string(),
  /** Of all of the group; null: not known. */
  memory_bytes: z.number().nullable(),
  /** Cores in use, over the last seconds. */
  cpu: z.number().nullable(),
  /** How each wanted limit is kept: `cgroup2`, `cgroup1`, `rlimit`, or `none` where this machine cannot. */
  limits: z.record(z.string(), z.enum(['cgroup2', 'cgroup1', 'rlimit', 'none'])),
});

export type ProcessReport = Readonly<z.infer<typeof processReport>>;
export type ProcessState = ProcessReport['state'];

/** Where artifacts come from. */
export interface Artifacts {
  /**
   * The folder with the files of an artifact, which is fetched, checked and unpacked when it is not there. It stays until
   * it is let go as often as it was held.
   */
  hold(ref: ArtifactRef, signal: AbortSignal): Promise<HeldArtifact>;
}

export interface HeldArtifact {
  readonly folder: string;
  letGo(): void;
}

/** The right to run, of processes that must run in one place only. */
export interface Lease {
  /** Ms for which this host is proven to hold it; 0: it may belong to another one. */
  heldForMs(): number;
}

/** How a coordinate that the agent claims for its process is claimed, and what is told there. */
export interface Announcement extends Lease {
  /** What others see: nothing is resolved before it says that it runs. */
  publish(
    state: 'STARTING' | 'RUNNING' | 'DRAINING' | 'ERROR',
    message: string,
    ports: Readonly<Record<string, number>>,
  ): void;
  /** Resolves when the coordinate is this host's. */
  held(signal: AbortSignal): Promise<void>;
  release(): Promise<void>;
}
