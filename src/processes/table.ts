/** All processes of a host: what is wanted, and what is. */
import type { Readable } from 'node:stream';
import type { LogOptions, Runs } from './run.ts';
import type { ProcessSpec } from './spec.ts';
import type { Announcement, Artifacts, Lease, Log, ProcessReport } from './types.ts';

export interface TableOptions {
  readonly runs: Runs;
  readonly artifacts: Artifacts;
  /** Of this host. */
  readonly lease: Lease;
  /** Of the coordinates that the agent claims for its processes. */
  announce(coordinate: string): Announcement;
  /** By which name or address others reach this host. */
  readonly host: string;
  /** For `${zookeeper}`. */
  readonly zookeeper: string;
  /** From which ports are chosen, both included. */
  readonly ports: { readonly from: number; readonly to: number };
  readonly mayRunAsRoot: boolean;
  /** Under so many bytes of available memory something is ended. */
  readonly memoryReserveBytes: number;
  readonly log: Log;
}

/**
 * Moves the host toward what is wanted, and goes on trying. Operations on one coordinate happen one after the other, on
 * several side by side.
 */
export interface ProcessTable {
  /** All that is to be here: what is not in it any more is ended and forgotten. Can be called at any time. */
  want(specs: readonly ProcessSpec[]): void;
  reports(): ProcessReport[];
  /**
   * Ends it, and starts it again, also when it had failed. Resolves when it has ended.
   *
   * @throws RangeError for an unknown coordinate
   */
  restart(coordinate: string): Promise<void>;
  logs(coordinate: string, options: LogOptions): Promise<Readable>;
  /** Artifacts that something runs, or is about to. */
  artifactsInUse(): ReadonlySet<string>;
  onChange(listener: () => void): void;
  /** Stops looking after them; they run on. */
  close(): Promise<void>;
}

/** Takes over what earlier agents began, and looks after it from now on; nothing is ended before `want` was called. */
export type OpenTable = (options: TableOptions) => Promise<ProcessTable>;
