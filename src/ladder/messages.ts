/** What the ladder and the processes that call on its behalf say to each other. Durations are ms unless named otherwise. */
import type { Percentiles } from '../loadtest/result.ts';

/** A port of 127.0.0.1. `echo`: bytes of a request's size, answered by bytes of an answer's size. */
export interface PortTarget {
  readonly kind: 'echo' | 'http';
  readonly port: number;
}

/** What is called without a port: the engine, or MongoDB with the writes that it costs. */
export interface InnerTarget {
  readonly kind: 'engine' | 'database';
}

export type Target = PortTarget | InnerTarget;

/** One measurement: in a closed loop, where each lane calls again when it is answered, or at a rate, whatever is answered. */
export interface Measurement {
  readonly target: Target;
  /** Calls under way at once, at most. */
  readonly lanes: number;
  readonly seconds: number;
  /** Calls a second; null: a closed loop. */
  readonly perSecond: number | null;
}

/** How the calls of a measurement ended within its time. */
export interface Measured {
  readonly seconds: number;
  readonly ok: number;
  /** 429 or 503. */
  readonly refused: number;
  readonly failed: number;
  /** Connections that ended instead of an answer. */
  readonly broken: number;
  /** Lanes that waited for their first answer in vain. */
  readonly unanswered: number;
  /** Calls that were due while all lanes were taken, and not made. */
  readonly heldBack: number;
  /** Of calls that were answered ok, from when they were due; null: none was. */
  readonly latencyMs: Percentiles | null;
  /** Of the caller's own event loop: 1 is all of it. */
  readonly utilization: number;
}

export type ToCaller = { readonly measure: Measurement };
export type FromCaller = { readonly ready: true } | { readonly measured: Measured } | { readonly failed: string };
/** A server that listens says where. */
export type FromServer = { readonly port: number };
