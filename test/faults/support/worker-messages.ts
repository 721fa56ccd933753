import type { EngineLimits } from '../../../src/ledger/engine.ts';
import type { CrashPoint } from '../../../src/ledger/ports.ts';
import type { Command } from '../../../src/ledger/types.ts';
import type { Told } from '../../simulation/check-journal.ts';

/** A named crash point of the engine, or the middle of a round: when so many of its blocks are in the journal. */
export type Point = Parameters<CrashPoint>[0] | 1 | 2 | 3;

/** The one argument of a worker, as JSON. */
export interface WorkerPlan {
  readonly uri: string;
  readonly database: string;
  readonly limits?: Partial<EngineLimits>;
  /** Where it stops, if it does. */
  readonly end?: {
    readonly point: Point;
    /** At which arrival at the point, from 1. */
    readonly arrival: number;
    readonly signal: 'SIGKILL' | 'SIGSTOP';
  };
}

export type ToWorker = { readonly submit: readonly Command[] } | 'stop';
export type FromWorker = { readonly told: Told } | 'ready' | 'reached';
