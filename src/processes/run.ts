/** One life of a process, from its start to its end, as the agent sees it. */
import type { Readable } from 'node:stream';
import type { ProcessSpec } from './spec.ts';
import type { Log } from './types.ts';

/** What is started, with everything filled in. */
export interface RunPlan {
  readonly coordinate: string;
  /** Names this life among those of the coordinate: letters and digits. */
  readonly run: string;
  /** What it is made from; kept for the agent that adopts it. */
  readonly source: ProcessSpec;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** All of its environment: nothing of the agent's is added. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number } | null;
  readonly ports: Readonly<Record<string, number>>;
  readonly limits: { readonly memory?: number; readonly cpu?: number; readonly files?: number };
  /** Ms for which it may run, from its start on, unless the lease is renewed; null: it needs none. */
  readonly leaseMs: number | null;
  /** When that began instead, on the clock of `bootMs`. */
  readonly leasedAt?: number;
  readonly graceMs: number;
}

export interface RunEnd {
  /** Null: it was ended by a signal. */
  readonly code: number | null;
  readonly signal: string | null;
  /** In RFC 3339. */
  readonly at: string;
  /** Why, where the keeper knows: `stopped`, `lease`, `keeper lost`, `cannot start: …`, `memory limit`. */
  readonly why: string | null;
}

export interface RunUsage {
  readonly memoryBytes: number;
  /** Of CPU, since the process began. */
  readonly cpuMs: number;
  /** How often the kernel ended something of it because of its memory limit; null: not known. */
  readonly memoryKills: number | null;
}

/**
 * A process and its keeper: a small process of its own, which reads the output, knows how it ended, and goes on when the
 * agent does not. All of this works the same for a run that was begun by an agent before this one.
 */
export interface Run {
  readonly plan: RunPlan;
  readonly pid: number;
  readonly startedAt: Date;
  /** How each limit is kept. */
  readonly limits: Readonly<Record<string, 'cgroup2' | 'cgroup1' | 'rlimit' | 'none'>>;
  /** Resolves, and never fails, when nothing of it runs any more. */
  readonly ended: Promise<RunEnd>;
  /** Null once it has ended. */
  readonly end: RunEnd | null;
  /** TERM to the group, then KILL after the grace of the plan, or the one given; resolves as `ended`. Goes on without the agent. */
  stop(graceMs?: number): Promise<RunEnd>;
  /** KILL to everything of it, now. */
  kill(why: string): Promise<RunEnd>;
  /** It may run so much longer by the lease, in ms from `since` on, on the clock of `bootMs`; from now on when missing. */
  renew(ms: number, since?: number): void;
  usage(): Promise<RunUsage | null>;
  /** Lets go of it, without ending it. */
  detach(): void;
}

export interface RunsOptions {
  /** Holds a folder a coordinate, with its runs, its logs and its work. */
  readonly folder: string;
  readonly log: Log;
  /** How much is kept of what each coordinate writes: 5 files of 10 MiB when missing. */
  readonly logs?: { readonly fileBytes: number; readonly files: number };
}

export interface Runs {
  /** @throws Error when the keeper itself cannot be started; a program that cannot be is a run that ended. */
  start(plan: RunPlan): Promise<Run>;
  /** All that earlier agents began and that has not been forgotten, those that ended meanwhile among them. */
  adopt(): Promise<Run[]>;
  /** Removes what is kept of a run that ended. Its output stays in the coordinate's logs. */
  forget(run: Run): Promise<void>;
  logs(coordinate: string, options: LogOptions): Promise<Readable>;
  /** A folder of the coordinate's own, which outlives its runs, and belongs to that user. */
  work(coordinate: string, user: RunPlan['user']): Promise<string>;
  /** Removes logs and work of a coordinate that has no run. */
  remove(coordinate: string): Promise<void>;
}

export interface LogOptions {
  /** From the end; all that is kept when missing. */
  readonly lines?: number;
  /** Goes on until it is destroyed, over rotations and over restarts of the process. */
  readonly follow?: boolean;
  /** Each line begins with its time and `out` or `err`. Without it, lines are as they were written. */
  readonly marks?: boolean;
}
